"""The agent loop "mrt_prefix": a prompt's rollouts start from one prefix of a trace (the RL of arXiv 2503.07572).

Some rollouts are forced to answer behind the prefix, which estimates its J; the others think on from it. Prefix and
stop text stand in the response with mask 0. Whichever session comes first finds the prefix and samples the forced
answers, in a task of its own; all sessions wait for that task, so it matters to none of them which session that was.
"""

import asyncio
import random
import time
import zlib
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import uuid4
from weakref import WeakValueDictionary

from verl.experimental.agent_loop.agent_loop import register

from mrt_verl.agent_loop import MRTAgentLoop
from mrt_verl.agent_loop_output import MRTAgentLoopOutput
from mrt_verl.episodes import EpisodeSplit
from mrt_verl.prover import Branches
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import forced_rollouts
from mrt_verl.trace import Trace

ATTEMPTS = 2
"""Times a session waits for a prefix: another session's attempt may fail, then it makes its own."""


@dataclass(frozen=True, eq=False)
class SharedPrefix:
    """What the rollouts of a prompt start from."""

    ids: list[int]
    """Token ids of the response up to an episode boundary; [] if there is none and all rollouts are plain traces."""
    forced: Branches | None
    """The forced answers behind it, one for each rollout that has to answer; None without a prefix."""
    tokens: int
    """Tokens sampled to find the prefix."""
    request_id: str


@register("mrt_prefix")
class MRTPrefixAgentLoop(MRTAgentLoop):
    """MRT with a shared prefix; a prompt without one gets plain rollouts, counted by `mrt/fallback_share`."""

    _prefixes: ClassVar[WeakValueDictionary[str, asyncio.Task[SharedPrefix]]] = WeakValueDictionary()

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> MRTAgentLoopOutput:
        """One rollout of one dataset row; validation rollouts are plain traces."""
        prompt_ids = await self.ct_build_initial_tokens(list(row["raw_prompt"]))
        if row.get("mrt_validate", False):
            return await self.run_trace(prompt_ids, sampling_params, row)
        prefix, is_mine = await self._shared_prefix(prompt_ids, sampling_params, row)
        if prefix.forced is None:
            output = await self.run_trace(prompt_ids, sampling_params, row, kind="fallback")
        elif (session := int(row["session_id"])) < len(prefix.forced.answers):
            output = self._answer(prompt_ids, prefix, session)
        else:
            output = await self._think_on(prompt_ids, prefix, sampling_params, row)
        if is_mine:
            output.extra_fields["mrt"]["shared_tokens"] = prefix.tokens
        return output

    async def _shared_prefix(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> tuple[SharedPrefix, bool]:
        """The prompt's prefix, and whether this session started (and pays for) it."""
        uid = row["uid"]
        for attempt in range(ATTEMPTS):
            task = self._prefixes.get(uid)
            is_mine = task is None
            if task is None:
                task = asyncio.create_task(self._find_prefix(prompt_ids, dict(sampling_params), row))
                self._prefixes[uid] = task
            try:
                return await asyncio.shield(task), is_mine
            except Exception:
                if self._prefixes.get(uid) is task:
                    del self._prefixes[uid]
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    async def _find_prefix(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> SharedPrefix:
        request_id = uuid4().hex
        if self.settings.prefix_source == "dataset":
            source, tokens = self._dataset_prefix(row), 0
        else:
            trace = await self.sampler.sample(Trace(), prompt_ids, sampling_params, request_id)
            source, tokens = trace.ids, len(trace.ids)
        split = self.splitter.split(source, thinking_open=self.splitter.is_thinking_open(prompt_ids))
        end = self._cut(source, split)
        if end is None:
            return SharedPrefix([], None, tokens, request_id)
        forced = await self.prover.sample(
            prompt_ids + source[:end],
            count=forced_rollouts(self.rollout_config.n, self.settings.forced_share),
            sampling_params=sampling_params,
            request_id=request_id,
            log_probs=bool(sampling_params.get("logprobs")),
        )
        return SharedPrefix(source[:end], forced, tokens, request_id)

    def _dataset_prefix(self, row: dict[str, Any]) -> list[int]:
        """Token ids of the row's column `prefix`.

        Raises:
            ValueError: there is no such column, or it holds something else than a text or null.
        """
        if "prefix" not in row:
            raise ValueError(
                "mrt.prefix_source=dataset: the dataset has no column `prefix`; data_prep prefixes makes it"
            )
        text = row["prefix"]
        if text is None or text != text:  # pandas writes a missing text as NaN
            return []
        if not isinstance(text, str):
            raise ValueError(f"column `prefix` holds {text!r} ({type(text).__name__}); allowed: a text, or null")
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def _cut(self, ids: list[int], split: EpisodeSplit) -> int | None:
        """End of the prefix in tokens: behind a random episode but the last one of a trace, None if there is none."""
        ends = [episode.end for episode in split.episodes]
        if self.settings.prefix_source == "on_policy":
            ends = ends[:-1]
        room = self.response_length - len(self.prover.stop_ids) - self.settings.branch_max_tokens
        ends = [end for end in ends if 0 < end <= room]
        if not ends:
            return None
        if self.settings.prefix_source == "dataset":
            return ends[-1]  # the dataset chose where to cut
        # the trace itself seeds the choice: the same trace is cut at the same place
        return random.Random(zlib.crc32(repr(ids).encode())).choice(ends)

    def _answer(self, prompt_ids: list[int], prefix: SharedPrefix, session: int) -> MRTAgentLoopOutput:
        """The rollout that was forced to answer behind the prefix; its tokens are sampled already."""
        assert prefix.forced is not None
        sample = prefix.forced.samples[session]
        trace = Trace()
        trace.add_written(prefix.ids)
        trace.add_written(self.prover.stop_ids)
        trace.add_sampled(sample.token_ids, sample.log_probs)
        trace.extra_fields = sample.extra_fields
        record = RolloutRecord(
            episodes=[],
            answer_start=len(prefix.ids),  # with the stop text, which opens the box
            finished=prefix.forced.answers[session].finished,
            think_tokens=len(prefix.ids),
            response_tokens=len(trace.ids),
            markers=0,
            kind="forced",
            prefix_tokens=len(prefix.ids),
            inserted_tokens=len(self.prover.stop_ids),
            branch_prompt_tokens=prefix.forced.prompt_tokens // len(prefix.forced.answers),
            branch_cached_tokens=prefix.forced.cached_tokens // len(prefix.forced.answers),
        )
        if self.settings.trace_dir is not None:
            record.prompt_text = self.tokenizer.decode(prompt_ids)
            record.episode_texts = [self.tokenizer.decode(trace.ids)]
        return self.make_output(prompt_ids, trace, record, 0.0)

    async def _think_on(
        self, prompt_ids: list[int], prefix: SharedPrefix, sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> MRTAgentLoopOutput:
        """The rollout that goes on thinking: one step, paid outcome - J of the prefix."""
        assert prefix.forced is not None
        started = time.perf_counter()
        trace = Trace()
        trace.add_written(prefix.ids)
        trace, cost = await self.sample_trace(trace, prompt_ids, sampling_params, prefix.request_id, row)
        split = self.splitter.split(
            trace.ids, thinking_open=self.splitter.is_thinking_open(prompt_ids), inserted=trace.inserted
        )
        record = self.make_record(split, prompt_ids, trace, "continued")
        record.add_branches(cost)
        record.prefix_tokens = len(prefix.ids)
        record.episodes = [(len(prefix.ids), len(prefix.ids), len(trace.ids))]
        record.forced = [[]]
        record.forced_before = list(prefix.forced.answers)
        record.own_is_sample = True
        if record.episode_texts is not None:
            record.episode_texts = [self.tokenizer.decode(trace.ids[len(prefix.ids) :])]
        return self.make_output(prompt_ids, trace, record, time.perf_counter() - started)

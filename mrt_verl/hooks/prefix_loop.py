"""The agent loop "mrt_prefix": a prompt's rollouts start from one prefix of a trace (the RL of arXiv 2503.07572).

Some rollouts are forced to answer after the prefix, which estimates its J; the others think on from it. Prefix and
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

from mrt_verl.hooks.agent_loop import MRTAgentLoop
from mrt_verl.hooks.loop_output import MRTAgentLoopOutput
from mrt_verl.provers import Branches
from mrt_verl.rollout import Response
from mrt_verl.rollout_record import RECORD, BranchPart, ResponsePart, RolloutRecord
from mrt_verl.settings import forced_rollouts
from mrt_verl.token_text import encode_open
from mrt_verl.trace import Trace

ATTEMPTS = 2
"""Times a session waits for a prefix: another session's attempt may fail, then it makes its own."""


@dataclass(frozen=True, eq=False)
class SharedPrefix:
    """What the rollouts of a prompt start from."""

    ids: list[int]
    """Token ids of the response up to an episode boundary; [] if there is none and all rollouts are plain traces."""
    forced: Branches | None
    """The forced answers after it, one for each rollout that has to answer; None without a prefix."""
    tokens: int
    """Tokens sampled to find the prefix."""
    request_id: str


class MRTPrefixAgentLoop(MRTAgentLoop):
    """MRT with a shared prefix; a prompt without one gets plain rollouts, counted by `mrt/fallback_share`."""

    _prefixes: ClassVar[WeakValueDictionary[str, asyncio.Task[SharedPrefix]]] = WeakValueDictionary()

    async def respond(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> MRTAgentLoopOutput:
        """One rollout; validation rollouts are plain traces."""
        if row.get("mrt_validate", False):
            return await self.run_trace(prompt_ids, sampling_params, row)
        prefix, owns = await self._shared_prefix(prompt_ids, sampling_params, row)
        if prefix.forced is None:
            output = await self.run_trace(prompt_ids, sampling_params, row, kind="fallback")
        elif (session := int(row["session_id"])) < len(prefix.forced.answers):
            output = self._answer(prompt_ids, prefix, session)
        else:
            output = await self._think_on(prompt_ids, prefix, sampling_params, row)
        if owns:
            output.extra_fields[RECORD]["shared_tokens"] = prefix.tokens
        return output

    async def _shared_prefix(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> tuple[SharedPrefix, bool]:
        """The prompt's prefix, and whether this session started (and pays for) it."""
        uid = row["uid"]
        for attempt in range(ATTEMPTS):
            task = self._prefixes.get(uid)
            owns = task is None
            if task is None:
                task = asyncio.create_task(self._find_prefix(prompt_ids, dict(sampling_params), row))
                self._prefixes[uid] = task
            try:
                return await asyncio.shield(task), owns
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
            trace = Trace()
            trace.add_written(self._dataset_prefix(row))
            source, tokens = self.rollout.read(prompt_ids, trace), 0
        else:
            source = await self.rollout.sample(prompt_ids, sampling_params, request_id, insert=False, purpose="prefix")
            tokens = len(source.ids)
        end = self._cut(source)
        if end is None:
            return SharedPrefix([], None, tokens, request_id)
        forced = await self.rollout.prover.sample(
            prompt_ids + source.ids[:end],
            count=forced_rollouts(self.rollout_config.n, self.settings.forced_share),
            sampling_params=sampling_params,
            request_id=request_id,
            log_probs=bool(sampling_params.get("logprobs")),
        )
        return SharedPrefix(source.ids[:end], forced, tokens, request_id)

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
        return encode_open(self.tokenizer, text)

    def _cut(self, source: Response) -> int | None:
        """End of the prefix in tokens: after a random episode but the last one of a trace, None if there is none."""
        ends = [episode.end for episode in source.episodes]
        if self.settings.prefix_source == "on_policy":
            ends = ends[:-1]
        room = self.response_length - len(self.rollout.prover.stop_ids) - self.settings.branch_max_tokens
        ends = [end for end in ends if 0 < end <= room]
        if not ends:
            return None
        if self.settings.prefix_source == "dataset":
            return ends[-1]  # the dataset chose where to cut
        # the trace itself seeds the choice: the same trace is cut at the same place
        return random.Random(zlib.crc32(repr(source.ids).encode())).choice(ends)

    def _answer(self, prompt_ids: list[int], prefix: SharedPrefix, session: int) -> MRTAgentLoopOutput:
        """The rollout that was forced to answer after the prefix; its tokens are sampled already."""
        assert prefix.forced is not None
        sample = prefix.forced.samples[session]
        trace = Trace()
        trace.add_written(prefix.ids)
        stop_ids = self.rollout.prover.stop_after([*prompt_ids, *prefix.ids])[1]
        trace.add_written(stop_ids)
        trace.add_sampled(sample.token_ids, sample.log_probs)
        trace.extra_fields = sample.extra_fields
        response = ResponsePart(
            episodes=[],
            answer_start=len(prefix.ids),  # with the stop text, which opens the box
            finished=prefix.forced.answers[session].finished,
            think_tokens=len(prefix.ids),
            response_tokens=len(trace.ids),
            markers=0,
            kind="forced",
            prefix_tokens=len(prefix.ids),
            inserted_tokens=len(stop_ids),
        )
        if self.settings.trace_dir is not None:
            response.prompt_text = self.tokenizer.decode(prompt_ids)
            response.episode_texts = [self.tokenizer.decode(trace.ids)]
        branches = BranchPart(
            branch_prompt_tokens=prefix.forced.prompt_tokens // len(prefix.forced.answers),
            branch_cached_tokens=prefix.forced.cached_tokens // len(prefix.forced.answers),
        )
        record = RolloutRecord(response, branches)
        return self.make_output(prompt_ids, trace, record, 0.0)

    async def _think_on(
        self, prompt_ids: list[int], prefix: SharedPrefix, sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> MRTAgentLoopOutput:
        """The rollout that goes on thinking: one step, paid outcome - J of the prefix."""
        assert prefix.forced is not None
        started = time.perf_counter()
        trace = Trace()
        trace.add_written(prefix.ids)
        with self._shared.of_prompt(row["uid"]) as shared:
            branches = self._branches(shared, sampling_params, row)
            response = await self.sample(prompt_ids, sampling_params, prefix.request_id, row, branches, trace)
        record = self.make_record(prompt_ids, response, "continued")
        record.response.prefix_tokens = len(prefix.ids)
        record.response.episodes = [(len(prefix.ids), len(prefix.ids), len(trace.ids))]
        if record.response.episode_texts is not None:
            record.response.episode_texts = [self.tokenizer.decode(trace.ids[len(prefix.ids) :])]
        record.branches.add_cost(branches.paid)
        record.branches.forced = [[]]
        record.branches.answer_tokens = [0.0]
        record.branches.forced_before = list(prefix.forced.answers)
        record.branches.before_tokens = self.rollout.answer_tokens(prefix.forced)
        record.branches.own_is_sample = True
        return self.make_output(prompt_ids, trace, record, time.perf_counter() - started)

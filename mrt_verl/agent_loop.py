"""The agent loop "mrt": samples a trace, splits it into episodes and branches forced answers at their boundaries."""

import asyncio
import functools
import time
from typing import Any, ClassVar
from uuid import uuid4
from weakref import WeakValueDictionary

import torch
from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput, register
from verl.workers.rollout.replica import TokenOutput

from mrt_verl.episodes import EpisodeSplit, EpisodeSplitter
from mrt_verl.prover import Branches, MetaProver
from mrt_verl.reward_layout import write_rewards
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings

RECORD = "mrt"
"""Key of the rollout record in verl's `extra_fields` and `reward_extra_info`."""


class MRTAgentLoopOutput(AgentLoopOutput):
    """verl's output, whose rewards are laid out per episode once the reward manager has graded the record."""

    def as_dict(self) -> dict[str, Any]:
        """verl's fields; `rm_scores` (response_length,) float32 carries outcome and episode rewards."""
        fields = super().as_dict()
        extra_fields = fields["extra_fields"]
        extra_fields.pop(RECORD, None)
        judged = extra_fields.get("reward_extra_info", {}).get(RECORD)
        if judged is not None and "rm_scores" in fields:
            record = RolloutRecord.from_json(judged)
            rewards = write_rewards(
                outcome=self.reward_score,
                spans=record.spans(),
                progress=[progress for _, _, progress in record.progress],
                response_mask=self.response_mask,
                alpha=record.alpha,
            )
            fields["rm_scores"] = torch.from_numpy(rewards)
        return fields


@functools.lru_cache(maxsize=1)
def build_splitter(tokenizer: Any, settings: MRTSettings) -> EpisodeSplitter:
    """One splitter per process: verl builds an agent loop for every rollout, the vocabulary table is built once."""
    return EpisodeSplitter(
        tokenizer,
        markers=settings.markers,
        think_open=settings.think_open,
        think_close=settings.think_close,
        min_episode_tokens=settings.min_episode_tokens,
        min_steps=settings.min_steps,
        max_episodes=settings.max_episodes,
    )


@register("mrt")
class MRTAgentLoop(AgentLoopBase):
    """Online MRT: J at every boundary of an on-policy trace (the online variant of arXiv 2503.07572's code)."""

    # Forced answers without thinking, shared by the rollouts of a prompt, which verl starts together in one process.
    # Weak: an entry lives as long as one of them holds it, and a prompt that is run again simply makes a new one.
    _without_thinking: ClassVar[WeakValueDictionary[str, asyncio.Task[Branches]]] = WeakValueDictionary()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = MRTSettings.from_config(self.config.mrt)
        self.splitter = build_splitter(self.tokenizer, self.settings)
        self.prover = MetaProver(self.server_manager, self.tokenizer, self.settings)
        self.response_length: int = self.rollout_config.response_length

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> MRTAgentLoopOutput:
        """One rollout of one dataset row; validation rollouts are plain traces unless `mrt.val_branches`."""
        prompt_ids = await self.ct_build_initial_tokens(list(row["raw_prompt"]))
        thinking_open = self.splitter.is_thinking_open(prompt_ids)
        branching = self.settings.val_branches or not row.get("mrt_validate", False)
        before = None
        if branching:
            before = self._share_without_thinking(row["uid"], prompt_ids, thinking_open, sampling_params)

        request_id = uuid4().hex
        started = time.perf_counter()
        trace = await self._sample_trace(prompt_ids, sampling_params, request_id)
        trace_seconds = time.perf_counter() - started
        response_ids = trace.token_ids[: self.response_length]
        split = self.splitter.split(response_ids, thinking_open=thinking_open)
        record = self._record(split, prompt_ids, response_ids)
        if before is not None:
            started = time.perf_counter()
            task, mine = before
            record.add_branches([await task] if mine else [])
            record.forced_before = list((await task).answers)
            await self._branch_boundaries(record, prompt_ids, response_ids, sampling_params, request_id)
            record.branch_seconds = time.perf_counter() - started
        return self._output(prompt_ids, response_ids, trace, record, trace_seconds)

    async def _sample_trace(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], request_id: str
    ) -> TokenOutput:
        params = {**sampling_params, "max_tokens": self.response_length}
        return await self.server_manager.generate(request_id=request_id, prompt_ids=prompt_ids, sampling_params=params)

    def _share_without_thinking(
        self, uid: str, prompt_ids: list[int], thinking_open: bool, sampling_params: dict[str, Any]
    ) -> tuple[asyncio.Task[Branches], bool]:
        """The prompt's J_{-1} branches, and whether this rollout started (and pays for) them."""
        task = self._without_thinking.get(uid)
        if task is not None:
            return task, False
        tag = self.settings.think_open
        opening = self.tokenizer.encode(tag, add_special_tokens=False) if tag and not thinking_open else []
        task = asyncio.create_task(
            self.prover.branch(
                [*prompt_ids, *opening],
                count=self.settings.branches,
                sampling_params=sampling_params,
                request_id=uuid4().hex,
            )
        )
        self._without_thinking[uid] = task
        return task, True

    async def _branch_boundaries(
        self,
        record: RolloutRecord,
        prompt_ids: list[int],
        response_ids: list[int],
        sampling_params: dict[str, Any],
        request_id: str,
    ) -> None:
        """Forced answers at the end of every episode; a closed trace's own final answer is one of its last boundary."""
        counts = [self.settings.branches] * len(record.episodes)
        if counts and record.answer_start is not None:
            counts[-1] -= 1
        branches = await asyncio.gather(
            *(
                self.prover.branch(
                    prompt_ids + self._prefix(response_ids[:end]),
                    count=count,
                    sampling_params=sampling_params,
                    request_id=request_id,
                )
                for (_, _, end), count in zip(record.episodes, counts, strict=True)
            )
        )
        record.forced = [list(branch.answers) for branch in branches]
        record.add_branches(branches)

    def _prefix(self, thinking_ids: list[int]) -> list[int]:
        # a trace may end the sequence inside its thinking; nothing sensible follows behind that token
        ended = thinking_ids[-1:] == [self.tokenizer.eos_token_id]
        return thinking_ids[:-1] if ended else thinking_ids

    def _record(self, split: EpisodeSplit, prompt_ids: list[int], response_ids: list[int]) -> RolloutRecord:
        if split.closed:
            answer_start: int | None = split.answer_start
        else:  # a response that never thought is all answer; one that thinks to the end has none
            answer_start = None if split.episodes else 0
        texts = None
        if self.settings.trace_dir is not None:
            texts = [self.tokenizer.decode(response_ids[episode.start : episode.end]) for episode in split.episodes]
        return RolloutRecord(
            episodes=[(episode.start, episode.marker_end, episode.end) for episode in split.episodes],
            answer_start=answer_start,
            finished=len(response_ids) < self.response_length or response_ids[-1] == self.tokenizer.eos_token_id,
            think_tokens=sum(episode.end - episode.start for episode in split.episodes),
            response_tokens=len(response_ids),
            markers=split.markers,
            prompt_text=None if texts is None else self.tokenizer.decode(prompt_ids),
            episode_texts=texts,
        )

    def _output(
        self,
        prompt_ids: list[int],
        response_ids: list[int],
        trace: TokenOutput,
        record: RolloutRecord,
        trace_seconds: float,
    ) -> MRTAgentLoopOutput:
        log_probs = trace.log_probs[: len(response_ids)] if trace.log_probs else None
        mask = [1] * len(response_ids)
        if not response_ids:
            # verl cannot hold an empty response: one token the policy did not sample, which trains nothing
            response_ids, mask, log_probs = [self.tokenizer.eos_token_id], [0], [0.0]
        preempted = trace.num_preempted if trace.num_preempted is not None else -1
        return MRTAgentLoopOutput(
            prompt_ids=prompt_ids,
            response_ids=response_ids,
            response_mask=mask,
            response_logprobs=log_probs,
            num_turns=2,
            metrics=AgentLoopMetrics(
                generate_sequences=trace_seconds, tool_calls=record.branch_seconds, num_preempted=preempted
            ),
            extra_fields={**trace.extra_fields, "turn_scores": [], "tool_rewards": [], RECORD: record.to_dict()},
        )

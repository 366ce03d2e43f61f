"""The agent loop "mrt": samples a trace, splits it into episodes and branches forced answers at their boundaries."""

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, register

from mrt_verl.agent_loop_output import MRTAgentLoopOutput, make_output
from mrt_verl.answer_grading import AnswerGrader, load_reward_function
from mrt_verl.branching import PromptBranches, SharedBranches, branch_where_uncertain, choose_evenly
from mrt_verl.episodes import EpisodeSplit, EpisodeSplitter
from mrt_verl.grading import Grader
from mrt_verl.grading.comparison import as_references
from mrt_verl.insertions import backtrack_marker, load_policy
from mrt_verl.judgement import estimate_j, weights_of
from mrt_verl.prover import Branches, MetaProver
from mrt_verl.replica import pinned
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings
from mrt_verl.trace import Trace, TraceSampler

MOST_CANDIDATES = 1000
"""Episodes a trace is cut into where the boundaries to branch are chosen among them all (`uncertain`)."""


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
        max_episodes=settings.max_episodes if settings.boundary_choice == "even" else MOST_CANDIDATES,
        single_step_markers=[backtrack_marker(settings)] if settings.insertion == "backtrack" else [],
    )


@functools.lru_cache(maxsize=1)
def build_grader(tokenizer: Any, settings: MRTSettings, reward: Any) -> AnswerGrader:
    """The agent loops' own grader, used only by insertion policies that ask for J; `reward` is that node of the run."""
    compute_score = None
    if settings.outcome == "compute_score":  # verl reads a custom function's file anew at every call
        compute_score = load_reward_function(reward.get("custom_reward_function"))
    grader = Grader(deadline_s=settings.grade_timeout_s, thinking=None)
    return AnswerGrader(grader, tokenizer, settings, compute_score)


@register("mrt")
class MRTAgentLoop(AgentLoopBase):
    """Online MRT: J at every boundary of an on-policy trace (the online variant of arXiv 2503.07572's code)."""

    _shared: ClassVar[SharedBranches] = SharedBranches()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = MRTSettings.from_config(self.config.mrt)
        self.splitter = build_splitter(self.tokenizer, self.settings)
        self.prover = MetaProver(self.server_manager, self.tokenizer, self.settings)
        self.policy = load_policy(self.settings)
        self.response_length: int = self.rollout_config.response_length
        close = self.settings.think_close
        self.sampler = TraceSampler(
            self.server_manager,
            self.tokenizer,
            response_length=self.response_length,
            close_ids=self.tokenizer.encode(close, add_special_tokens=False)
            if close
            else [self.tokenizer.eos_token_id],
            min_left=self.settings.insert_min_left,
        )

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> MRTAgentLoopOutput:
        """One rollout of one dataset row; validation rollouts are plain traces unless `mrt.val_branches`."""
        prompt_ids = await self.ct_build_initial_tokens(list(row["raw_prompt"]))
        return await self.run_trace(prompt_ids, sampling_params, row)

    async def run_trace(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any], kind: str = "trace"
    ) -> MRTAgentLoopOutput:
        """A trace from the prompt with J at its boundaries; without J if it is a `fallback` of the prefix variant."""
        with self._shared.of_prompt(row["uid"]) as branches:
            return await self._run_trace(prompt_ids, sampling_params, row, kind, branches)

    async def _run_trace(
        self,
        prompt_ids: list[int],
        sampling_params: dict[str, Any],
        row: dict[str, Any],
        kind: str,
        branches: PromptBranches,
    ) -> MRTAgentLoopOutput:
        thinking_open = self.splitter.is_thinking_open(prompt_ids)
        is_branching = kind != "fallback" and (self.settings.val_branches or not row.get("mrt_validate", False))
        branch = functools.partial(branches.start, sampling_params=sampling_params, references=_references(row))
        if is_branching:
            tag = self.settings.think_open
            opening = self.tokenizer.encode(tag, add_special_tokens=False) if tag and not thinking_open else []
            before, is_mine = branch(
                self.prover, [*prompt_ids, *opening], count=self.settings.branches, request_id=uuid4().hex
            )

        request_id = uuid4().hex
        started = time.perf_counter()
        trace, insertion_cost = await self.sample_trace(Trace(), prompt_ids, sampling_params, request_id, row)
        trace_seconds = time.perf_counter() - started
        split = self.splitter.split(trace.ids, thinking_open=thinking_open, inserted=trace.inserted)
        record = self.make_record(split, prompt_ids, trace, kind)
        record.add_branches(insertion_cost)
        if is_branching:
            started = time.perf_counter()
            without_thinking = await asyncio.shield(before)
            record.add_branches([without_thinking] if is_mine else [])
            record.forced_before = list(without_thinking.answers)
            if record.episodes:
                async with pinned(self.server_manager, request_id, prompt_ids) as replica:
                    prover = MetaProver(replica, self.tokenizer, self.settings)
                    at_boundary = functools.partial(branch, prover, request_id=request_id)
                    await self._branch_boundaries(record, prompt_ids, trace.ids, without_thinking, at_boundary)
            record.branch_seconds = time.perf_counter() - started
        return self.make_output(prompt_ids, trace, record, trace_seconds)

    async def sample_trace(
        self, trace: Trace, prompt_ids: list[int], sampling_params: dict[str, Any], request_id: str, row: dict[str, Any]
    ) -> tuple[Trace, list[Branches]]:
        """Continue a trace to its end, and the branches that an insertion policy asked for on the way."""
        cost: list[Branches] = []

        async def estimate(ids: Sequence[int]) -> float | None:
            task, is_mine = shared.start(
                self.prover,
                [*prompt_ids, *ids],
                count=self.settings.branches,
                sampling_params=sampling_params,
                request_id=request_id,
                references=_references(row),
            )
            branches = await asyncio.shield(task)
            if is_mine:
                cost.append(branches)
            grader = build_grader(self.tokenizer, self.settings, self.config.reward)
            grades = await grader.grade_forced(branches.answers, list(ids), row)
            return estimate_j(grades, weights_of(branches.answers))

        # the boundaries of the finished trace find here what the policy asked for
        with self._shared.of_prompt(row["uid"]) as shared:
            trace = await self.sampler.sample(
                trace,
                prompt_ids,
                sampling_params,
                request_id,
                policy=self.policy,
                # what helps a validated trace must not know the reference answer
                estimate_j=None if row.get("mrt_validate", False) else estimate,
            )
        return trace, cost

    async def _branch_boundaries(
        self,
        record: RolloutRecord,
        prompt_ids: list[int],
        response_ids: list[int],
        before: Branches,
        branch: Callable[..., tuple["asyncio.Task[Branches]", bool]],
    ) -> None:
        """Forced answers at the chosen boundaries, into a record that has episodes."""
        # a closed trace's own final answer is one sample of its last boundary
        record.own_is_sample = self.settings.prover == "sample" and record.answer_start is not None
        last = len(record.episodes) - 1
        paid: list[Branches] = []

        async def branch_at(boundary: int) -> Branches:
            prefix = prompt_ids + self._without_end(response_ids[: record.episodes[boundary][2]])
            own = int(record.own_is_sample and boundary == last)
            task, is_mine = branch(prefix, count=self.settings.branches - own)
            branches = await asyncio.shield(task)  # others wait for it too
            if is_mine:
                paid.append(branches)
            return branches

        most = self.settings.most_boundaries
        if self.settings.boundary_choice == "uncertain":
            at = await branch_where_uncertain(last + 1, most, before, branch_at)
        else:
            chosen = choose_evenly(last + 1, most)
            at = dict(zip(chosen, await asyncio.gather(*map(branch_at, chosen)), strict=True))
        record.forced = [list(at[boundary].answers) if boundary in at else [] for boundary in range(last + 1)]
        record.add_branches(paid)

    def _without_end(self, thinking_ids: list[int]) -> list[int]:
        # a trace may end the sequence inside its thinking; nothing sensible follows behind that token
        ended = thinking_ids[-1:] == [self.tokenizer.eos_token_id]
        return thinking_ids[:-1] if ended else thinking_ids

    def make_record(self, split: EpisodeSplit, prompt_ids: list[int], trace: Trace, kind: str) -> RolloutRecord:
        """What a response tells before anything is graded."""
        ids = trace.ids
        if split.closed:
            answer_start: int | None = split.answer_start
        else:  # a response that never thought is all answer; one that thinks to the end has none
            answer_start = None if split.episodes else 0
        texts = None
        if self.settings.trace_dir is not None:
            texts = [self.tokenizer.decode(ids[episode.start : episode.end]) for episode in split.episodes]
        return RolloutRecord(
            episodes=[(episode.start, episode.marker_end, episode.end) for episode in split.episodes],
            answer_start=answer_start,
            finished=len(ids) < self.response_length or ids[-1] == self.tokenizer.eos_token_id,
            think_tokens=sum(episode.end - episode.start for episode in split.episodes),
            response_tokens=len(ids),
            markers=split.markers,
            kind=kind,
            inserted_tokens=sum(end - start for start, end in trace.inserted),
            prompt_text=None if texts is None else self.tokenizer.decode(prompt_ids),
            episode_texts=texts,
        )

    def make_output(
        self, prompt_ids: list[int], trace: Trace, record: RolloutRecord, trace_seconds: float
    ) -> MRTAgentLoopOutput:
        """The rollout as verl wants it."""
        eos = self.tokenizer.eos_token_id
        return make_output(prompt_ids, trace, record, eos_token_id=eos, trace_seconds=trace_seconds)


def _references(row: dict[str, Any]) -> tuple[str, ...]:
    """The accepted answers of a dataset row, as the grader reads them."""
    return as_references(row.get("reward_model", {}).get("ground_truth", ""))

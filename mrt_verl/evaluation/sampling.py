"""Samples traces with forced answers at every boundary, graded; the parts are usable on their own.

sampler = RecordSampler(Thinker(engine, tokenizer, settings, plan), grader)
record = await sampler.sample(problem, trace=0)
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from mrt_verl.answer_grading import AnswerGrader
from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.records import Answer, EpisodeRecord, TraceRecord, make_answer
from mrt_verl.evaluation.thinking import Boundary, Thinker, Thought
from mrt_verl.grading import Grade, Grader, extract_answer
from mrt_verl.grading.comparison import as_references
from mrt_verl.judgement import estimate_j, weights_of
from mrt_verl.prover import Branches, MetaProver


@dataclass(frozen=True, slots=True)
class DirectAnswers:
    """Answers to one problem without thinking, and the mean tokens of one, the stop text included."""

    answers: list[Answer]
    tokens: float
    j: float | None
    """J_{-1}."""


class OwnAnswer(NamedTuple):
    """A trace's own final answer, as it is written down and as it counts."""

    answer: Answer
    grade: Grade


class RecordSampler:
    """Makes records; safe for many coroutines at once."""

    def __init__(self, thinker: Thinker, grader: Grader, compute_score: Callable[..., Any] | None = None) -> None:
        """Keep the parts.

        Args:
            grader: made with `thinking=None`; it is handed what stands behind the thinking block.
            compute_score: what grades if `mrt.outcome=compute_score`; None for verl's choice by `data_source`.
        """
        self.thinker = thinker
        self.settings = thinker.settings
        self.plan = thinker.plan
        self.tokenizer = thinker.tokenizer
        self.answers = AnswerGrader(grader, thinker.tokenizer, thinker.settings, compute_score)
        self.prover = MetaProver(thinker.engine, thinker.tokenizer, thinker.settings)

    async def sample(self, problem: Problem, trace: int, before: DirectAnswers | None = None) -> TraceRecord:
        """One trace with J at every boundary.

        Args:
            before: the problem's answers without thinking; None samples them.

        Raises:
            ValueError: the prompt does not fit the engine's context.
        """
        before = before or await self.answer_directly(problem)
        prompt_ids, request_id = self.thinker.encode(problem), uuid4().hex
        thought = await self.thinker.think(prompt_ids, request_id)
        own = await self.grade_own(thought, problem)
        # a closed trace's own final answer is one sample of its last boundary, as in training
        own_is_sample = self.settings.prover == "sample" and thought.answer_start is not None
        episodes, branches = await self._branch(
            problem, prompt_ids, thought.boundaries, request_id, own=own if own_is_sample else None
        )
        extension, more = await self._extend(problem, prompt_ids, thought, request_id)
        return TraceRecord(
            problem=problem.index,
            uid=problem.uid,
            trace=trace,
            data_source=problem.data_source,
            messages=problem.messages,
            reference=problem.reference,
            prompt_tokens=len(prompt_ids),
            response=str(self.tokenizer.decode(self.thinker.without_end(thought.response_ids))),
            response_tokens=len(thought.response_ids),
            think_tokens=sum(episode.end - episode.start for episode in episodes),
            closed=thought.answer_start is not None,
            finished=thought.finished,
            markers=thought.markers,
            own=own.answer,
            episodes=episodes,
            before=before.answers,
            before_tokens=before.tokens,
            j_before=before.j,
            extension=extension,
            branch_tokens=sum(branch.tokens for branch in branches + more),
            branch_failures=sum(branch.failures for branch in branches + more),
        )

    async def answer_directly(self, problem: Problem) -> DirectAnswers:
        """Answers without any thinking (J_{-1}), graded."""
        prompt_ids, tag = self.thinker.encode(problem), self.settings.think_open
        if tag and not self.thinker.splitter.is_thinking_open(prompt_ids):
            prompt_ids += self.tokenizer.encode(tag, add_special_tokens=False)
        branches = await self._force(prompt_ids, self.plan.direct_answers, uuid4().hex, problem)
        answers, grades = await self.grade_forced(branches, problem)
        return DirectAnswers(answers, self._tokens_per_answer(branches), _estimate_j(branches, grades))

    async def grade_own(self, thought: Thought, problem: Problem) -> OwnAnswer:
        """The trace's own final answer; none if the thinking was never closed."""
        grade = await self.answers.grade_final(
            thought.response_ids, thought.answer_start, problem.row, finished=thought.finished
        )
        text = self.answers.decode(thought.answer_ids or [])
        return OwnAnswer(make_answer(text, thought.finished, grade, _extract(text, thought.finished)), grade)

    async def grade_forced(
        self, branches: Branches, problem: Problem, thinking_ids: Sequence[int] = ()
    ) -> tuple[list[Answer], list[Grade]]:
        """Forced answers behind `thinking_ids` with their grades."""
        grades = await self.answers.grade_forced(branches.answers, list(thinking_ids), problem.row)
        answers = [
            make_answer(
                answer.text,
                answer.finished,
                grade,
                _extract(answer.text, answer.finished, self.settings.stop_text),
                answer.weight,
            )
            for answer, grade in zip(branches.answers, grades, strict=True)
        ]
        return answers, grades

    async def _extend(
        self, problem: Problem, prompt_ids: list[int], thought: Thought, request_id: str
    ) -> tuple[list[EpisodeRecord], list[Branches]]:
        if not self.plan.insertions:
            return [], []
        boundaries = await self.thinker.extend(prompt_ids, thought, request_id)
        return await self._branch(problem, prompt_ids, boundaries, request_id)

    async def _branch(
        self,
        problem: Problem,
        prompt_ids: list[int],
        boundaries: list[Boundary],
        request_id: str,
        own: OwnAnswer | None = None,
    ) -> tuple[list[EpisodeRecord], list[Branches]]:
        """Records of some boundaries, all answers sampled at once; `own` is one sample of the last."""
        counts = [self.settings.branches] * len(boundaries)
        if counts and own is not None:
            counts[-1] -= 1
        calls = (
            self._force(prompt_ids + self.thinker.without_end(boundary.context_ids), count, request_id, problem)
            for boundary, count in zip(boundaries, counts, strict=True)
        )
        branches = await asyncio.gather(*calls)
        owns = [None] * (len(boundaries) - 1) + [own]
        rows = zip(boundaries, branches, owns, strict=False)
        return [await self._record(boundary, branch, problem, own) for boundary, branch, own in rows], list(branches)

    async def _record(
        self, boundary: Boundary, branches: Branches, problem: Problem, own: OwnAnswer | None
    ) -> EpisodeRecord:
        episode = boundary.episode
        forced, grades = await self.grade_forced(branches, problem, boundary.context_ids)
        length = episode.end - episode.start
        return EpisodeRecord(
            start=episode.start,
            marker_end=episode.marker_end,
            end=episode.end,
            text=self.answers.decode(boundary.context_ids[-length:]) if length else "",
            forced=forced,
            j=_estimate_j(branches, grades) if own is None else estimate_j([*grades, own.grade]),
            answer_tokens=self._tokens_per_answer(branches),
        )

    async def _force(self, prefix_ids: list[int], count: int, request_id: str, problem: Problem) -> Branches:
        return await self.prover.branch(
            prefix_ids,
            count=count,
            sampling_params=self.plan.sampling_params,
            request_id=request_id,
            references=as_references(problem.reference),
        )

    def _tokens_per_answer(self, branches: Branches) -> float:
        generated = branches.tokens / len(branches.answers) if branches.answers else 0.0
        return len(self.prover.stop_ids) + generated


def _extract(text: str, finished: bool, stop_text: str = "") -> str | None:
    return extract_answer(text, stop_text=stop_text, thinking=None, finished=finished)


def _estimate_j(branches: Branches, grades: Sequence[Grade]) -> float | None:
    return estimate_j(grades, weights_of(branches.answers))

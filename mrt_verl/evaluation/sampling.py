"""Samples traces with forced answers at every boundary, graded; the parts are usable on their own.

sampler = RecordSampler(engine, tokenizer, settings, plan, grader)
record = await sampler.sample(problem, trace=0)
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from jinja2 import TemplateError

from mrt_verl.evaluation.extrapolation import extend, sample_linearised
from mrt_verl.evaluation.plan import SamplingPlan
from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.records import Answer, EpisodeRecord, TraceRecord, make_answer
from mrt_verl.evaluation.timed import Timed
from mrt_verl.grading import Grade, Grader, extract_answer
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.grading.comparison import as_references
from mrt_verl.insertions import needs_j
from mrt_verl.provers import Branches
from mrt_verl.rollout import Boundary, Engine, Response, Rollout
from mrt_verl.sampling_params import without_end
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import encode_open
from mrt_verl.value_estimates import estimate_j, weights_of


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

    def __init__(
        self,
        engine: Engine,
        tokenizer: Any,
        settings: MRTSettings,
        plan: SamplingPlan,
        grader: Grader,
        compute_score: Callable[..., Any] | None = None,
        continued_from: Callable[[Problem], str] | None = None,
    ) -> None:
        """Keep the parts.

        Args:
            grader: made with `thinking=None`; it is handed what stands after the thinking block.
            compute_score: what grades if `mrt.outcome=compute_score`; None for verl's choice by `data_source`.
            continued_from: text that the response to a problem starts with, as part of its prompt.

        Raises:
            ValueError: the window does not leave the splitter room for the episode being written.
        """
        if plan.window is not None and not 1 <= plan.window < settings.max_episodes:
            raise ValueError(f"window={plan.window}; allowed: 1 … {settings.max_episodes - 1}, below mrt.max_episodes")
        self.settings = settings
        self.plan = plan
        self.tokenizer = tokenizer
        self.rollout = Rollout(
            *(engine, tokenizer, settings),
            response_tokens=plan.response_tokens,
            context_tokens=getattr(engine, "max_model_len", None),
        )
        self.answers = AnswerGrader(grader, tokenizer, settings, compute_score)
        self._continued_from = continued_from
        self.timed = Timed()
        """No record has a time in it: the same samples are the same bytes."""

    def encode(self, problem: Problem) -> list[int]:
        """The problem's prompt by the chat template, as verl's rollouts see it."""
        try:
            ids = self.tokenizer.apply_chat_template(problem.messages, add_generation_prompt=True, return_dict=False)
        except (TemplateError, ValueError) as error:
            raise ValueError(f"problem {problem.index}: the chat template refuses its messages: {error}") from error
        if self._continued_from is None:
            return list(ids)
        return [*ids, *encode_open(self.tokenizer, self._continued_from(problem))]

    async def sample(self, problem: Problem, trace: int, before: DirectAnswers | None = None) -> TraceRecord:
        """One trace with J at every boundary.

        Args:
            before: the problem's answers without thinking; None samples them.

        Raises:
            ValueError: the prompt does not fit the engine's context.
        """
        before = before or await self.answer_directly(problem)
        prompt_ids, request_id, started = self.encode(problem), uuid4().hex, time.perf_counter()
        response = await self.respond(problem, prompt_ids, request_id, trace)
        responded = time.perf_counter()
        own = await self.grade_own(response, problem)
        sample = own if self.rollout.own_is_sample(response) else None
        episodes, branches = await self._branch(problem, prompt_ids, response.boundaries, request_id, sample)
        extension: list[EpisodeRecord] = []
        if self.plan.insertions:
            further = await extend(self.rollout, self.plan, prompt_ids, response, request_id)
            extension, more = await self._branch(problem, prompt_ids, further, request_id)
            branches += more
        if episodes:
            self.timed.add(responded - started, time.perf_counter() - responded)
        return TraceRecord(
            problem=problem.index,
            uid=problem.uid,
            trace=trace,
            data_source=problem.data_source,
            messages=problem.messages,
            reference=problem.reference,
            prompt_tokens=len(prompt_ids),
            response=str(self.tokenizer.decode(without_end(response.ids, self.tokenizer.eos_token_id))),
            response_tokens=len(response.ids),
            think_tokens=sum(episode.end - episode.start for episode in episodes),
            closed=response.answer_start is not None,
            finished=response.finished,
            markers=response.markers,
            own=own.answer,
            episodes=episodes,
            before=before.answers,
            before_tokens=before.tokens,
            j_before=before.j,
            extension=extension,
            branch_tokens=sum(branch.tokens for branch in branches),
            branch_failures=sum(branch.failures for branch in branches),
        )

    async def respond(self, problem: Problem, prompt_ids: list[int], request_id: str, trace: int) -> Response:
        """The response of one trace, without its forced answers."""
        if self.plan.window is not None:
            return await sample_linearised(self.rollout, self.plan, prompt_ids, request_id, self.plan.window)
        # J here is what is measured: no insertion may depend on it
        insert = not needs_j(self.rollout.policy)
        return await self.rollout.sample(
            prompt_ids, self.plan.sampling_params, request_id, insert=insert, purpose=f"trace {trace}"
        )

    async def answer_directly(self, problem: Problem) -> DirectAnswers:
        """Answers without any thinking (J_{-1}), graded."""
        prefix_ids = self.rollout.before_thinking(self.encode(problem))
        branches = await self._force(prefix_ids, self.plan.direct_answers, uuid4().hex, problem)
        answers, grades = await self.grade_forced(branches, problem)
        return DirectAnswers(answers, self.rollout.answer_tokens(branches), _estimate_j(branches, grades))

    async def grade_own(self, response: Response, problem: Problem) -> OwnAnswer:
        """The trace's own final answer; none if the thinking was never closed."""
        start, finished = response.answer_start, response.finished
        grade = await self.answers.grade_final(response.ids, start, problem.row, finished=finished)
        text = self.answers.decode([] if start is None else response.ids[start:])
        return OwnAnswer(make_answer(text, finished, grade, _extract(text, finished)), grade)

    async def grade_forced(
        self, branches: Branches, problem: Problem, thinking_ids: Sequence[int] = ()
    ) -> tuple[list[Answer], list[Grade]]:
        """Forced answers after `thinking_ids` with their grades."""
        grades = await self.answers.grade_forced(branches.answers, list(thinking_ids), problem.row)
        answers = []
        for answer, grade in zip(branches.answers, grades, strict=True):
            extracted = _extract(answer.text, answer.finished, self.settings.stop_text)
            answers.append(make_answer(answer.text, answer.finished, grade, extracted, answer.weight))
        return answers, grades

    async def _branch(
        self,
        problem: Problem,
        prompt_ids: list[int],
        boundaries: Sequence[Boundary],
        request_id: str,
        own: OwnAnswer | None = None,
    ) -> tuple[list[EpisodeRecord], list[Branches]]:
        """Records of some boundaries, all answers sampled at once; `own` is one sample of the last."""
        at = await self.rollout.branch(
            prompt_ids,
            boundaries,
            lambda prefix, count: self._force(prefix, count, request_id, problem),
            own_is_sample=own is not None,
            every=True,
        )
        branches = [at[number] for number in range(len(boundaries))]
        owns = [None] * (len(boundaries) - 1) + [own]
        rows = zip(boundaries, branches, owns, strict=False)
        return [await self._record(boundary, branch, problem, own) for boundary, branch, own in rows], branches

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
            answer_tokens=self.rollout.answer_tokens(branches),
        )

    async def _force(self, prefix_ids: list[int], count: int, request_id: str, problem: Problem) -> Branches:
        return await self.rollout.prover.branch(
            prefix_ids,
            count=count,
            sampling_params=self.plan.sampling_params,
            request_id=request_id,
            references=as_references(problem.reference),
        )


def _extract(text: str, finished: bool, stop_text: str = "") -> str | None:
    return extract_answer(text, stop_text=stop_text, thinking=None, finished=finished)


def _estimate_j(branches: Branches, grades: Sequence[Grade]) -> float | None:
    return estimate_j(grades, weights_of(branches.answers))

"""Grades final and forced answers, by math-verify or by verl's outcome (`mrt.outcome`).

The reward manager, an agent loop whose insertion policy asks for J, and the evaluation all grade with this.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.grading.text.boxes import after_context
from mrt_verl.settings import MRTSettings

Answers = Sequence[tuple[str, bool, float | None]]
"""(text, finished, weight), as provers.ForcedAnswer."""


class AnswerGrader:
    """Grades the answers to one row of verl's data at a time: `reward_model`, `data_source` and `extra_info` of it."""

    def __init__(
        self, grader: Grader, tokenizer: Any, settings: MRTSettings, compute_score: Callable[..., Any] | None
    ) -> None:
        """Keep what grades.

        Args:
            grader: made with `thinking=None`; it is handed what stands after the thinking block.
            compute_score: verl's outcome function, read only if `mrt.outcome=compute_score`; None for its choice by
                `data_source`.
        """
        self.grader = grader
        self.tokenizer = tokenizer
        self.settings = settings
        self.compute_score = compute_score

    async def grade_final(
        self, response_ids: list[int], answer_start: int | None, row: Mapping[str, Any], *, finished: bool
    ) -> Grade:
        """The grade of a response's own answer.

        Args:
            answer_start: first token after the thinking, None if it was never closed.
            finished: whether the response ended by itself.
        """
        if self.settings.outcome == "compute_score":
            return await self._compute_score(self.decode(response_ids), row)
        if answer_start is None:
            return Grade(Verdict.NO_ANSWER, 0.0, "the thinking was never closed")
        text = self.decode(response_ids[answer_start:])
        return (await self.grader.grade([text], row["reward_model"]["ground_truth"], finished=finished))[0]

    async def grade_forced(self, answers: Answers, prefix_ids: list[int], row: Mapping[str, Any]) -> list[Grade]:
        """The grades of forced answers after the first tokens of a response.

        Args:
            prefix_ids: those tokens; verl's outcome is shown whole responses, the stop text in them.
        """
        if self.settings.outcome == "compute_score":
            thinking = self.decode(prefix_ids)
            prefix = thinking + after_context(thinking, self.settings.stop_text, self.settings.think_close)
            return [await self._compute_score(prefix + text, row) for text, _, _ in answers]
        return await self.grader.grade(
            [text for text, _, _ in answers],
            row["reward_model"]["ground_truth"],
            stop_text=self.settings.stop_text,
            finished=[finished for _, finished, _ in answers],
        )

    async def are_right(self, contents: Sequence[str], row: Mapping[str, Any]) -> list[bool]:
        r"""Whether answers are right by math-verify, each as the content of a `\boxed{}`; an error is not."""
        texts = [f"\\boxed{{{content}}}" for content in contents]
        grades = await self.grader.grade(texts, row["reward_model"]["ground_truth"], finished=True)
        return [grade.verdict is Verdict.RIGHT for grade in grades]

    def decode(self, ids: list[int]) -> str:
        """The text that is graded: without special tokens."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    async def _compute_score(self, solution: str, row: Mapping[str, Any]) -> Grade:
        """verl's own outcome, called as its reward managers call it, under our deadline."""
        return await self.grader.grade_outcome(
            self.compute_score,
            data_source=row["data_source"],
            solution_str=solution,
            ground_truth=row["reward_model"]["ground_truth"],
            extra_info=dict(row.get("extra_info") or {}),
        )

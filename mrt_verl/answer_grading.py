"""Grades the answers of a rollout, by math-verify or by verl's outcome (`mrt.outcome`).

The reward manager and an agent loop whose insertion policy asks for J judge by the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings

Answers = Sequence[tuple[str, bool, float | None]]
"""(text, finished, weight), as prover.ForcedAnswer."""


class AnswerGrader:
    """Grades final and forced answers to one dataset row at a time."""

    def __init__(
        self, grader: Grader, tokenizer: Any, settings: MRTSettings, compute_score: Callable[..., Any] | None
    ) -> None:
        """Keep what grades.

        Args:
            compute_score: verl's outcome function, read only if `mrt.outcome=compute_score`; None for its choice by
                `data_source`.
        """
        self.grader = grader
        self.tokenizer = tokenizer
        self.settings = settings
        self.compute_score = compute_score

    async def grade_final(self, record: RolloutRecord, response_ids: list[int], row: Mapping[str, Any]) -> Grade:
        """The grade of the answer behind the thinking of a response."""
        if self.settings.outcome == "compute_score":
            return await self._compute_score(self.decode(response_ids), row)
        if record.answer_start is None:
            return Grade(Verdict.NO_ANSWER, 0.0, "the thinking was never closed")
        text = self.decode(response_ids[record.answer_start :])
        reference = row["reward_model"]["ground_truth"]
        return (await self.grader.grade([text], reference, finished=record.finished))[0]

    async def grade_forced(self, answers: Answers, prefix_ids: list[int], row: Mapping[str, Any]) -> list[Grade]:
        """The grades of forced answers behind the first tokens of a response.

        Args:
            prefix_ids: those tokens; verl's outcome is shown whole responses, the stop text in them.
        """
        if self.settings.outcome == "compute_score":
            prefix = self.decode(prefix_ids) + self.settings.stop_text
            return [await self._compute_score(prefix + text, row) for text, _, _ in answers]
        return await self.grader.grade(
            [text for text, _, _ in answers],
            row["reward_model"]["ground_truth"],
            stop_text=self.settings.stop_text,
            finished=[finished for _, finished, _ in answers],
        )

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

"""Outcomes of the study's arms without MRT, graded as MRT's reward manager grades final answers."""

from functools import lru_cache
from typing import Any

from mrt_verl.grading import Grader

LENGTH_WEIGHT = 0.2
"""What a right answer loses at most for its length."""
LENGTH_SCALE = 400.0
"""Characters of a response at which it loses all of LENGTH_WEIGHT; some 160 tokens of this task."""


@lru_cache(maxsize=1)
def _grader() -> Grader:
    return Grader(thinking=None)  # verl hands over texts without their special tokens, the tags among them


def outcome(data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None) -> dict[str, float]:
    """0 or 1: the last box against the reference."""
    (grade,) = _grader().grade_sync([solution_str], ground_truth)
    return {"score": grade.score, "acc": grade.score}


def outcome_with_length(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None
) -> dict[str, float]:
    """The outcome, of which a right answer loses up to LENGTH_WEIGHT in proportion to its length."""
    result = outcome(data_source, solution_str, ground_truth)
    penalty = LENGTH_WEIGHT * min(1.0, len(solution_str) / LENGTH_SCALE)
    return {"score": result["score"] * (1.0 - penalty), "acc": result["acc"]}

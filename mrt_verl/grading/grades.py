"""What one grading says, and what the gradings of a run cost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """TIMEOUT and ERROR say that nothing is known about the answer: they are counted, never a silent 0."""

    RIGHT = "right"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    TIMEOUT = "timeout"
    ERROR = "error"


UNKNOWN = (Verdict.TIMEOUT, Verdict.ERROR)
"""Of an answer whose grading did not finish."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The verdict on one answer.

    `score` is 1.0 for RIGHT and 0.0 otherwise, or what another outcome's function returned. `detail` says why there is
    no verdict. `info` is the dict another outcome's function returned, None otherwise.
    """

    verdict: Verdict
    score: float
    detail: str = ""
    info: Mapping[str, Any] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the grading finished; a timeout or an error says nothing about the answer."""
        return self.verdict not in UNKNOWN


RIGHT = Grade(Verdict.RIGHT, 1.0)
WRONG = Grade(Verdict.WRONG, 0.0)
NO_ANSWER = Grade(Verdict.NO_ANSWER, 0.0, "no final answer in the response")
NO_REFERENCE = Grade(Verdict.ERROR, 0.0, "the reference holds nothing to compare with")


def grade_of_result(status: str, value: Any) -> Grade:
    """The grade of a worker's result.

    Args:
        status: "done" or "error".
        value: whether the answer is right, or (score, dict or None) of another outcome, right if `acc` says so or,
            without it, if the score is positive; for "error", what went wrong.

    Raises:
        TypeError, ValueError, OverflowError: it is none of these.
    """
    if status == "error" and isinstance(value, str):
        return Grade(Verdict.ERROR, 0.0, value)
    if status != "done":
        raise ValueError(status)
    if isinstance(value, bool):
        return RIGHT if value else WRONG
    score, info = value
    info = None if info is None else dict(info)
    if not math.isfinite(score):  # one of them would make the advantages of its whole group NaN
        return Grade(Verdict.ERROR, 0.0, f"the score is {score}; allowed: a finite number")
    accuracy = (info or {}).get("acc", score > 0)
    if not isinstance(accuracy, int | float) or not math.isfinite(accuracy):  # the text "False" and NaN are true
        return Grade(Verdict.ERROR, 0.0, f"acc is {accuracy!r:.80}; allowed: whether it is right, or a finite number")
    return Grade(Verdict.RIGHT if accuracy else Verdict.WRONG, float(score), info=info)


@dataclass(frozen=True, slots=True)
class GraderStats:
    """Counters over a stretch of gradings; `a - b` is the stretch between two snapshots."""

    graded: int = 0
    right: int = 0
    no_answer: int = 0
    timeouts: int = 0
    errors: int = 0
    cache_hits: int = 0
    """Gradings answered by an equal one, earlier or under way."""
    exact: int = 0
    """Gradings decided in this process, without a worker."""
    restarts: int = 0
    """Workers replaced after a timeout or a crash."""
    crashes: int = 0
    """Workers that died by themselves: a user's function that exits, or memory."""
    asked: int = 0
    """Answers that workers were asked, those they did not survive included."""
    worker_seconds: float = 0.0
    """Seconds that workers computed, all together."""
    seconds: float = 0.0
    """Wall-clock time during which at least one grading was under way."""

    def __sub__(self, earlier: "GraderStats") -> "GraderStats":
        return GraderStats(*(getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)))

"""What the gradings of a run cost: counters, busy time, and a warning when too many of them time out."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mrt_verl.grading.grades import Grade, GraderStats, Verdict

logger = logging.getLogger(__name__)

WARN_SHARE = 0.01
WINDOW = 6_400
"""Gradings after which the share of timeouts is looked at if nobody says where a step ends; about an MRT step's."""

_COUNTERS = {
    Verdict.RIGHT: "right",
    Verdict.NO_ANSWER: "no_answer",
    Verdict.TIMEOUT: "timeouts",
    Verdict.ERROR: "errors",
}


class Accounts:
    """Counters of one grader, for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Any] = defaultdict(int)
        self._callers, self._busy_since, self._seconds = 0, 0.0, 0.0
        self._window = GraderStats()
        self._example = ""
        self.first_error = ""
        """What went wrong in the first grading that failed; empty without any."""

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts the time inside once, however many callers are inside."""
        with self._lock:
            self._callers += 1
            if self._callers == 1:
                self._busy_since = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._callers -= 1
                if self._callers == 0:
                    self._seconds += time.monotonic() - self._busy_since

    def count(self, name: str, by: float = 1) -> None:
        """Add to a counter of `GraderStats`."""
        with self._lock:
            self._counts[name] += by

    def record(self, answer: str, grade: Grade) -> None:
        """Count one grade; `answer` is the example if it timed out."""
        with self._lock:
            self._counts["graded"] += 1
            if grade.verdict in _COUNTERS:
                self._counts[_COUNTERS[grade.verdict]] += 1
            if grade.verdict is Verdict.ERROR and not self.first_error:
                self.first_error = grade.detail
            if grade.verdict is Verdict.TIMEOUT:
                self._example = answer[:200]
            window_is_full = self._counts["graded"] - self._window.graded >= WINDOW
        if window_is_full:
            self.finish_window()

    def stats(self) -> GraderStats:
        """All counters since the start."""
        with self._lock:
            running = time.monotonic() - self._busy_since if self._callers else 0.0
            return GraderStats(**self._counts, seconds=self._seconds + running)

    def finish_window(self) -> GraderStats:
        """What was counted since the last call; warns, with an example, if more than 1 % of it timed out."""
        now = self.stats()
        window, self._window = now - self._window, now
        if window.timeouts > WARN_SHARE * window.graded:
            logger.warning(
                "%d of %d gradings timed out (%.1f %%); the last one: %r",
                window.timeouts,
                window.graded,
                100 * window.timeouts / window.graded,
                self._example,
            )
        return window

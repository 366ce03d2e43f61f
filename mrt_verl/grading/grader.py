"""Grader: the one front for event loops and scripts. Extraction, exact paths and cache here; mathematics in workers."""

import asyncio
import re
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from mrt_verl.grading import outcomes
from mrt_verl.grading.comparison import as_references, exact_verdict, fit_choice
from mrt_verl.grading.extraction import DEFAULT_FALLBACKS, Thinking, extract_answer
from mrt_verl.grading.grades import NO_ANSWER, RIGHT, WRONG, Grade, GraderStats, Verdict
from mrt_verl.grading.pool import Pool


class Grader:
    """Grades answers against references, or by another outcome, under a deadline per answer.

    Safe for any number of concurrent callers, threads and event loops alike.
    """

    def __init__(
        self,
        *,
        deadline_s: float = 5.0,
        workers: int = 1,
        memory_mb: int = 2048,
        cache_size: int = 100_000,
        fallbacks: Sequence[str | re.Pattern[str]] = DEFAULT_FALLBACKS,
        thinking: Thinking | None = Thinking(),
    ) -> None:
        self._limits = {"deadline_s": deadline_s, "workers": workers, "memory_mb": memory_mb}
        self._cache_size = cache_size
        self._extraction: dict[str, Any] = {"fallbacks": fallbacks, "thinking": thinking}
        self._lock = threading.Lock()
        self._cache: OrderedDict[Any, Future[tuple[str, Any]]] = OrderedDict()
        self._pools: dict[bytes | None, Pool] = {}
        self._counts: Counter[str] = Counter()
        self._busy, self._busy_since, self._seconds = 0, 0.0, 0.0

    async def grade(self, answers: Sequence[str], reference: Any, **how: Any) -> list[Grade]:
        """Grade response texts or forced answers; see `grade_sync`. Never blocks the event loop."""
        with self._under_way():
            started = self._start(answers, reference, **how)
            return [self._finish(one if isinstance(one, Grade) else await asyncio.wrap_future(one)) for one in started]

    def grade_sync(self, answers: Sequence[str], reference: Any, **how: Any) -> list[Grade]:
        """Grade response texts or forced answers, in order.

        Args:
            reference: the right answer, or several accepted ones.
            how: `stop_text` and `finished` of `extract_answer`; `finished` may be one bool per answer.
        """
        with self._under_way():
            started = self._start(answers, reference, **how)
            return [self._finish(one if isinstance(one, Grade) else one.result()) for one in started]

    async def grade_outcome(self, compute_score: Callable[..., Any] | str, **arguments: Any) -> Grade:
        """Score one response as verl does, by `compute_score(data_source=, solution_str=, ground_truth=, extra_info=)`.

        Raises:
            TypeError: the function or its arguments cannot be sent to a worker.
        """
        with self._under_way():
            future = self._pool(outcomes.pack(compute_score)).submit(arguments)
            return self._finish(await asyncio.wrap_future(future))

    def stats(self) -> GraderStats:
        """Cumulative counters since this grader was made."""
        with self._lock:
            running = time.monotonic() - self._busy_since if self._busy else 0.0
            return GraderStats(
                **self._counts,
                restarts=sum(pool.restarts for pool in self._pools.values()),
                seconds=self._seconds + running,
            )

    def close(self) -> None:
        """End the workers; a later grading starts new ones."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _start(
        self, answers: Sequence[str], reference: Any, stop_text: str = "", finished: bool | Sequence[bool] = False
    ) -> list[Grade | Future[tuple[str, Any]]]:
        references = as_references(reference)
        flags = [finished] * len(answers) if isinstance(finished, bool) else finished
        return [
            self._start_one(extract_answer(text, stop_text=stop_text, finished=flag, **self._extraction), references)
            for text, flag in zip(answers, flags, strict=True)
        ]

    def _start_one(self, answer: str | None, references: tuple[str, ...]) -> Grade | Future[tuple[str, Any]]:
        if answer is None:
            return NO_ANSWER
        if len(references) == 1:
            answer = fit_choice(answer, references[0])
        verdicts = [exact_verdict(reference, answer) for reference in references]
        if True in verdicts or None not in verdicts:
            self._count("exact")
            return RIGHT if True in verdicts else WRONG
        key = (references, answer if len(answer) < 256 else blake2b(answer.encode()).digest())
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                self._counts["cache_hits"] += 1
                return self._cache[key]
        future = self._pool(None).submit((references, answer))
        with self._lock:
            self._cache[key] = future
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return future

    def _pool(self, packed: bytes | None) -> Pool:
        with self._lock:
            if packed not in self._pools:
                self._pools[packed] = Pool(packed=packed, **self._limits)
            return self._pools[packed]

    def _finish(self, result: Grade | tuple[str, Any]) -> Grade:
        grade = result if isinstance(result, Grade) else _grade(*result)
        name = {Verdict.TIMEOUT: "timeouts", Verdict.ERROR: "errors"}.get(grade.verdict, grade.verdict.value)
        if name != "wrong":
            self._count(name)
        self._count("graded")
        return grade

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
            if self._busy == 1:
                self._busy_since = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                if self._busy == 0:
                    self._seconds += time.monotonic() - self._busy_since


def _grade(status: str, value: Any) -> Grade:
    if status == "timeout":
        return Grade(Verdict.TIMEOUT, 0.0, value)
    if status == "error":
        return Grade(Verdict.ERROR, 0.0, value)
    if isinstance(value, bool):
        return RIGHT if value else WRONG
    score, info = value
    return Grade(Verdict.RIGHT if score > 0 else Verdict.WRONG, score, info=info)

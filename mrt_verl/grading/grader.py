"""Grader: the one front for event loops and scripts. Extraction, exact paths and cache here; mathematics in workers."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from typing import Any

from mrt_verl.grading import outcomes
from mrt_verl.grading.accounts import Accounts
from mrt_verl.grading.comparison import as_references, exact_verdict, is_readable
from mrt_verl.grading.extraction import DEFAULT_THINKING, Thinking, extract_answer, tidy
from mrt_verl.grading.grades import NO_ANSWER, NO_REFERENCE, RIGHT, WRONG, Grade, GraderStats
from mrt_verl.grading.other_readings import comes_near, pairs_of
from mrt_verl.grading.pool import Pool
from mrt_verl.grading.presets import DEFAULT_RULES, Fallbacks, Rules, rules_of
from mrt_verl.grading.shared import SharedGrades

_LONG_ANSWER = 256


class Grader:
    """Grades answers against references, or by another outcome, under a deadline per answer.

    Safe for any number of concurrent callers, threads and event loops alike, and in forked children, which start
    workers of their own. Workers start with the first answer that needs one.

    Args:
        deadline_s: wall-clock seconds after which the worker on an answer is killed, > 0.
        workers: processes at most, per outcome in use, >= 1.
        memory_mb: what a worker may map beyond what it needs to start, in MB.
        cache_size: most verdicts remembered, >= 0; of one verdict that is some 500 bytes.
        fallbacks: what may stand for a missing box, see `extract_answer`; None for what the rules say.
        thinking: tags of the thinking block, None to search the whole response.
        rules: what graders disagree on, "default" or "math_verify", see presets.py.
    """

    def __init__(
        self,
        *,
        deadline_s: float = 5.0,
        workers: int = 1,
        memory_mb: int = 2048,
        cache_size: int = 100_000,
        fallbacks: Fallbacks | None = None,
        thinking: Thinking | None = DEFAULT_THINKING,
        rules: Rules | str = "default",
    ) -> None:
        if not deadline_s > 0 or workers < 1 or memory_mb < 1 or cache_size < 0:
            raise ValueError(
                f"{deadline_s=}, {workers=}, {memory_mb=}, {cache_size=}; allowed: deadline_s > 0, workers >= 1, "
                "memory_mb >= 1, cache_size >= 0"
            )
        self._limits: dict[str, Any] = {"deadline_s": deadline_s, "workers": workers, "memory_mb": memory_mb}
        self._rules = rules_of(rules)
        fallbacks = self._rules.fallbacks if fallbacks is None else fallbacks
        self._extraction: dict[str, Any] = {"fallbacks": fallbacks, "thinking": thinking}
        self._shared = SharedGrades(cache_size)
        self._accounts = Accounts()
        self._lock = threading.Lock()
        self._pools: dict[bytes | None, Pool] = {}
        # also at the interpreter's exit; the threads of a pool know nothing of the grader, so it can be collected
        weakref.finalize(self, _close_pools, self._pools)
        _GRADERS.add(self)

    async def grade(self, answers: Sequence[str], reference: Any, **how: Any) -> list[Grade]:
        """`grade_sync` for an event loop, which goes on while workers compute."""
        with self._accounts.busy():
            started = self._start(answers, reference, **how)
            grades = [one if isinstance(one, Grade) else await asyncio.wrap_future(one) for one in started]
        return self._recorded(answers, grades)

    def grade_sync(self, answers: Sequence[str], reference: Any, **how: Any) -> list[Grade]:
        """Grade response texts or forced answers, in order. Never raises because of an answer.

        Args:
            reference: the right answer, or several accepted ones.
            how: `stop_text` and `finished` of `extract_answer`; `finished` may be one bool per answer.
        """
        with self._accounts.busy():
            started = self._start(answers, reference, **how)
            grades = [one if isinstance(one, Grade) else one.result() for one in started]
        return self._recorded(answers, grades)

    def grade_pairs(
        self, answers: Sequence[str], references: Sequence[Any], *, finished: Sequence[bool], bare: bool = False
    ) -> list[Grade]:
        """`grade_sync` for texts with a reference each; workers get all that they are to decide before the first wait.

        Args:
            bare: the texts are answers, in which none has to be looked for.
        """
        with self._accounts.busy():
            started = [
                self._start_one(tidy(text) or None, as_references(reference))
                if bare
                else self._start([text], reference, "", flag)[0]
                for text, reference, flag in zip(answers, references, finished, strict=True)
            ]
            grades = [one if isinstance(one, Grade) else one.result() for one in started]
        return self._recorded(answers, grades)

    async def grade_outcome(self, compute_score: Callable[..., Any] | str | None, **arguments: Any) -> Grade:
        """Score one response as verl does, by `compute_score(data_source=, solution_str=, ground_truth=, extra_info=)`.

        Args:
            compute_score: sync or async, returning a number or a dict with "score"; a function, verl's partial of a
                custom one, "package.module:name", or None for verl's choice by data_source.

        Raises:
            TypeError: the function or an argument cannot be sent to a worker.
        """
        packed = outcomes.pack(outcomes.light(compute_score or outcomes.VERL_DEFAULT))
        task = outcomes.pack(arguments)
        with self._accounts.busy():
            grade = await asyncio.wrap_future(self._submit(packed, task))
        return self._recorded([str(arguments.get("solution_str", ""))], [grade])[0]

    def stats(self) -> GraderStats:
        """Counters since this grader was made."""
        return self._accounts.stats()

    @property
    def first_error(self) -> str:
        """What went wrong in the first grading that failed; empty without any."""
        return self._accounts.first_error

    def close(self) -> None:
        """End all workers; what they had under way becomes an error. A later grading starts new ones."""
        with self._lock:
            _close_pools(self._pools)

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _start(
        self, answers: Sequence[str], reference: Any, stop_text: str = "", finished: bool | Sequence[bool] = False
    ) -> "list[Grade | Future[Grade]]":
        references = as_references(reference)
        flags = [finished] * len(answers) if isinstance(finished, bool) else finished
        return [
            self._start_one(extract_answer(text, stop_text=stop_text, finished=flag, **self._extraction), references)
            for text, flag in zip(answers, flags, strict=True)
        ]

    def _start_one(self, answer: str | None, references: tuple[str, ...]) -> "Grade | Future[Grade]":
        if answer is None:
            return NO_ANSWER
        if not any(map(is_readable, references)):
            return NO_REFERENCE
        open_pairs = []
        verdict: bool | None = False
        for pair in self._pairs(references, answer):
            verdict = exact_verdict(*pair)
            if verdict or comes_near(*pair, self._rules.near_decimals):
                verdict = True
                break
            if verdict is None:
                open_pairs.append(pair)
        else:
            if open_pairs:
                grade, is_shared = self._shared.get(_key(open_pairs), lambda: self._submit(None, open_pairs))
                self._accounts.count("cache_hits", int(is_shared))
                return grade
        self._accounts.count("exact")
        return RIGHT if verdict else WRONG

    def _pairs(self, references: tuple[str, ...], answer: str) -> list[tuple[str, str]]:
        if self._rules is DEFAULT_RULES:
            return [(reference, answer) for reference in references]
        return [pair for reference in references for pair in pairs_of(reference, answer, self._rules)]

    def _submit(self, packed: bytes | None, task: Any) -> "Future[Grade]":
        with self._lock:
            if packed not in self._pools:
                self._pools[packed] = Pool(packed=packed, count=self._accounts.count, **self._limits)
            return self._pools[packed].submit(task)

    def _recorded(self, answers: Sequence[str], grades: list[Grade]) -> list[Grade]:
        for answer, grade in zip(answers, grades, strict=True):
            self._accounts.record(answer, grade)
        return grades

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._accounts = Accounts()
        self._shared.forget_under_way()
        for pool in self._pools.values():
            pool.abandon()
        self._pools.clear()


def _key(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str | bytes], ...]:
    """Long answers are remembered by their hash, so that a megabyte of text is not kept."""
    return tuple(
        (reference, answer if len(answer) <= _LONG_ANSWER else blake2b(answer.encode("utf-8", "replace")).digest())
        for reference, answer in pairs
    )


def _close_pools(pools: dict[bytes | None, Pool]) -> None:
    while pools:
        pools.popitem()[1].close()


_GRADERS: "weakref.WeakSet[Grader]" = weakref.WeakSet()


def _renew_after_fork() -> None:
    for grader in list(_GRADERS):
        grader._after_fork()


os.register_at_fork(after_in_child=_renew_after_fork)

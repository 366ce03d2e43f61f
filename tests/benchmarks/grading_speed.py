"""Grading figures, all from one run on one core, as one JSON line: `python tests/benchmarks/grading_speed.py`.

Rates are gradings per second. `cold`: nothing of the step was graded before; `later_step`: another step over the same
LaTeX problems, as in the next epoch; `repeated`: the first step again. verl and math-verify called directly grade a
part of the first step, after a warm-up.
"""

import json
import logging
import os
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from grading_workload import STOP_TEXT, Trace, pairs, pathological, step
from math_verify import parse, verify
from verl.utils.reward_score.math_verify import compute_score

from mrt_verl.grading import Grader, Verdict
from mrt_verl.grading.comparison import forget
from tests.builders import worker_pids

REPEATS = 3
WARM_UP = (("y^3+8", "(y+2)^3"), ("[0,9]", "(0,9)"), (r"\sin(y)", r"\cos(y)"), ("y=3", "z=4"), (r"\{7,8\}", r"\{8,9\}"))
"""Starts a worker and makes it import what sympy imports late; nothing of it occurs in the step."""
DEADLINE_S = 1.0


def hard(n: int) -> str:
    """An answer equal to n that only a worker can tell."""
    return rf"\boxed{{\sin^2 {n}+\cos^2 {n}+{n - 1}}}"


class OutOfTimeError(BaseException):
    """Not an Exception, so that sympy cannot swallow it."""


def directly(reference: str, answer: str, limit_s: float = 10.0) -> bool | None:
    """math-verify's verdict as its documentation has it called; None if it does not finish."""

    def give_up(*_: Any) -> None:
        raise OutOfTimeError

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        return verify(parse(reference, parsing_timeout=None), parse(answer, parsing_timeout=None), timeout_seconds=None)
    except OutOfTimeError:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def measure_rates() -> dict[str, float]:
    """An MRT step, graded three ways."""
    drawn = step(seed=0)
    flat = [(trace.reference, text) for trace in drawn for text in trace.texts]
    cold, later, warm = (
        statistics.median(rates) for rates in zip(*(_grader_rates(drawn) for _ in range(REPEATS)), strict=True)
    )
    # every 4th and 40th answer: all prompts are in it, in the order of the batch
    verl_rate = _rate(lambda pair: compute_score(pair[1], pair[0]), flat[::40])
    direct_rate = _rate(lambda pair: directly(rf"\boxed{{{pair[0]}}}", pair[1]), flat[::4])
    return {
        "gradings": len(flat),
        "distinct": len(set(flat)),
        "grader_cold_per_s": cold,
        "grader_later_step_per_s": later,
        "grader_repeated_per_s": warm,
        "verl_math_verify_per_s": verl_rate,
        "math_verify_per_s": direct_rate,
        "cold_over_verl": cold / verl_rate,
        "cold_over_direct": cold / direct_rate,
        "later_step_over_verl": later / verl_rate,
        "later_step_over_direct": later / direct_rate,
    }


def _grader_rates(drawn: Sequence[Trace]) -> tuple[float, ...]:
    """Gradings per second of a step never seen, of another one over the same LaTeX problems, of the first one again."""
    forget()
    with Grader() as grader:
        for reference, answer in WARM_UP:
            grader.grade_sync([rf"\boxed{{{answer}}}"], reference)

        def grade_all(traces: Sequence[Trace]) -> None:
            for trace in traces:
                grader.grade_sync([trace.response], trace.reference)
                grader.grade_sync(trace.forced, trace.reference, stop_text=STOP_TEXT)

        count = sum(len(trace.texts) for trace in drawn)
        return tuple(count * _rate(grade_all, [traces], warm_up=False) for traces in (drawn, step(seed=1), drawn))


def _rate(function: Callable[[Any], Any], items: Sequence[Any], warm_up: bool = True) -> float:
    if warm_up:
        for item in items[:5]:
            function(item)
    started = time.perf_counter()
    for item in items:
        function(item)
    return len(items) / (time.perf_counter() - started)


def measure_agreement() -> dict[str, Any]:
    """Our verdicts against math-verify's own, pair by pair.

    Pairs with a percent sign are listed apart: math-verify's parser fails on one inside a box and compares strings; the
    grader puts it outside, where math-verify reads it.
    """
    drawn = pairs()
    with Grader(deadline_s=10.0) as grader:
        ours = [grader.grade_sync([rf"\boxed{{{answer}}}"], reference)[0].verdict for reference, answer in drawn]
        exact = grader.stats().exact
    theirs = [directly(rf"\boxed{{{reference}}}", rf"\boxed{{{answer}}}") for reference, answer in drawn]
    finished = [
        (pair, own, other)
        for pair, own, other in zip(drawn, ours, theirs, strict=True)
        if other is not None and own is not Verdict.TIMEOUT
    ]
    differ = [(*pair, own.value, other) for pair, own, other in finished if (own is Verdict.RIGHT) != other]
    with_percent = [difference for difference in differ if "%" in difference[0] + difference[1]]
    return {
        "pairs": len(finished),
        "exact": exact,
        "right": sum(other for _, _, other in finished),
        "differences": [difference for difference in differ if difference not in with_percent],
        "differences_with_percent": with_percent,
    }


def measure_pathological() -> dict[str, Any]:
    """One pathological answer at a time, each followed by an innocent one."""
    slowest, innocent_wrong, verdicts = 0.0, 0, []
    with Grader(deadline_s=DEADLINE_S) as grader:
        grader.grade_sync([hard(42)], "42")
        before = _memory_mb(worker_pids(grader))
        for number, answer in enumerate(pathological()):
            started = time.perf_counter()
            verdicts.append(grader.grade_sync([rf"\boxed{{{answer}}}"], "42")[0].verdict)
            slowest = max(slowest, time.perf_counter() - started)
            innocent = grader.grade_sync([hard(number)], str(number))[0]
            innocent_wrong += innocent.verdict is not Verdict.RIGHT
        after = _memory_mb(worker_pids(grader))
    return {
        "answers": len(verdicts),
        "deadline_s": DEADLINE_S,
        "slowest_s": slowest,
        "timeouts": verdicts.count(Verdict.TIMEOUT),
        "errors": verdicts.count(Verdict.ERROR),
        "innocent_not_right": innocent_wrong,
        "workers_before_after": [len(before), len(after)],
        "worker_mb_before_after": [sum(before), sum(after)],
    }


def _memory_mb(pids: Sequence[int]) -> list[float]:
    return [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 for pid in pids]


def measure_kill() -> dict[str, int]:
    """kill -9 of the worker in the middle of a batch."""
    with Grader() as grader:
        grader.grade_sync([hard(42)], "42")
        (pid,) = worker_pids(grader)
        killer = threading.Timer(0.2, os.kill, (pid, signal.SIGKILL))
        killer.start()
        grades = [grader.grade_sync([hard(n)], str(n))[0] for n in range(1, 801)]
        killer.join()
        right = sum(grade.verdict is Verdict.RIGHT for grade in grades)
        return {"graded": len(grades), "right": right, "restarts": grader.stats().restarts}


def main() -> None:
    """Everything on one core, the workers included."""
    logging.disable(logging.WARNING)
    with suppress(AttributeError):  # not on every system
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    figures = {
        "rates": measure_rates(),
        "agreement": measure_agreement(),
        "pathological": measure_pathological(),
        "kill": measure_kill(),
    }
    print(json.dumps(figures, default=str))


if __name__ == "__main__":
    main()

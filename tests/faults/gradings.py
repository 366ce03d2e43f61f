"""A hundred thousand gradings, one in a hundred of hostile input: no wrong verdict, no orphan, and nothing that grows.

    python -m tests.faults.gradings --gradings 100000 --out outputs/soak

Nine in ten are comparisons, one in ten a call of a user's function, 64 under way at a time as in a reward worker. An
honest answer is right or wrong by construction; a hostile one is never right, and a function that misbehaves gets the
verdict of its misdeed. Prints verdicts by kind, what the grader counted, and resident memory, open files and threads
over the run; exit code 1 after a wrong verdict, where a text has run as code, or where a process is left behind. The
front end's caches fill up during the run: tests.faults.memory says how large they get.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.grading.outcomes import FileFunction
from tests.faults.case import PATIENCE
from tests.faults.soak import QUANTITIES, Sample, measure

AT_ONCE, HOSTILE_EVERY, FUNCTION_EVERY, TENTHS = 64, 100, 10, 10
DEADLINE_S = 2.0
"""Before PATIENCE."""

Asked = tuple[str, str, frozenset[Verdict]]
"""Reference, answer, and the verdicts that are not wrong."""
RIGHT, WRONG = frozenset({Verdict.RIGHT}), frozenset({Verdict.WRONG})
NOT_RIGHT = frozenset(Verdict) - RIGHT
UNKNOWN = {Verdict.TIMEOUT, Verdict.ERROR}

HONEST: Mapping[str, Callable[[int], Asked]] = {
    "identity, right": lambda n: (f"{n + 1}", rf"\sin^2 {n}+\cos^2 {n}+{n}", RIGHT),
    "identity, wrong": lambda n: (f"{n + 2}", rf"\sin^2 {n}+\cos^2 {n}+{n}", WRONG),
    "fraction, right": lambda n: (rf"\frac{{{n}}}{{7}}", rf"\frac{{{3 * n}}}{{21}}", RIGHT),
    "fraction, wrong": lambda n: (rf"\frac{{{n}}}{{7}}", rf"\frac{{{3 * n + 1}}}{{21}}", WRONG),
    "polynomial, right": lambda n: (f"(x+{n})^2", f"x^2+{2 * n}x+{n * n}", RIGHT),
    "polynomial, wrong": lambda n: (f"(x+{n})^2", f"x^2+{2 * n}x+{n * n + 1}", WRONG),
    "set, right": lambda n: (rf"\{{{n},{n + 1}\}}", rf"\{{{n + 1},{n}\}}", RIGHT),
    "set, wrong": lambda n: (rf"\{{{n},{n + 1}\}}", rf"\{{{n + 1},{n + 2}\}}", WRONG),
}
HOSTILE: Mapping[str, Callable[[int], str]] = {
    "tower of powers": lambda n: f"9^{{9^{{9^{{{n}}}}}}}",
    "sum without an end": lambda n: rf"\sum_{{k=1}}^{{10^{{12}}}} k^{{{n}}}",
    "integral": lambda n: rf"\int_0^1 e^{{\sin(x^{{{n}}})}} dx",
    "product": lambda n: rf"\prod_{{k=1}}^{{10^{{11}}}} (1+\frac{{1}}{{k^{{{n}}}}})",
    "factorial": lambda n: f"({n}^9)!!!",
    "binomial": lambda n: rf"\binom{{10^{{9}}+{n}}}{{5\cdot 10^8}}",
    "power of a sum": lambda n: rf"(x+y+z+{n})^{{3000}}-(x+y+z)^{{2999}}",
    "matrix": lambda n: rf"\begin{{pmatrix}}{'&'.join(map(str, range(n, n + 3000)))}\end{{pmatrix}}^{{999999}}",
    "600,000 characters": lambda n: rf"\sqrt{{{n}}}" + "+1" * 300_000,
    "brackets": lambda n: "(" * 50_000 + str(n) + ")" * 50_000,
    "fractions in fractions": lambda n: r"\frac{1}{" * 3000 + str(n) + "}" * 3000,
    "code": lambda n: f"__import__('os').system('touch owned{n}')",
    "code as sympy reads it": lambda n: rf"\operatorname{{open}}('owned{n}','w')+\sin {n}",
    "control characters": lambda n: f"\x00\x1b]0;owned\x07\ud800{n}\u202e\x9b31m",
}
FUNCTION = """
import os, subprocess, sys, time

def score(data_source, solution_str, ground_truth, extra_info=None):
    what = solution_str.split()[0]
    if what == "hangs":
        time.sleep(1000)
    if what == "leaves":
        os._exit(3)
    if what == "fills":
        [bytearray(10**7) for _ in range(10**4)]
    if what == "prints":
        print("y" * 10**6)
    if what == "raises":
        raise ValueError(solution_str)
    if what == "nan":
        return float("nan")
    if what == "child":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100003)"], start_new_session=True)
        time.sleep(1000)
    return float(solution_str == ground_truth)
"""
MISDEEDS: Mapping[str, frozenset[Verdict]] = {
    "hangs": frozenset({Verdict.TIMEOUT}),
    "leaves": frozenset({Verdict.ERROR}),
    "fills": frozenset({Verdict.ERROR, Verdict.TIMEOUT}),  # it may take longer than the deadline
    "prints": WRONG,
    "raises": frozenset({Verdict.ERROR}),
    "nan": frozenset({Verdict.ERROR}),
    "child": frozenset({Verdict.TIMEOUT}),
}


class Soak:
    """Asks one grader, and keeps what it said by kind."""

    def __init__(self, grader: Grader, function: FileFunction) -> None:
        self.verdicts: dict[str, Counter[str]] = {}
        self.wrong: list[str] = []
        self._grader, self._function = grader, function

    async def ask(self, number: int) -> None:
        """The grading of that number."""
        turn, is_hostile = number // HOSTILE_EVERY, number % HOSTILE_EVERY == HOSTILE_EVERY - 1
        if is_hostile and turn % FUNCTION_EVERY == 0:
            await self._misdeed(list(MISDEEDS)[turn // FUNCTION_EVERY % len(MISDEEDS)], number)
        elif is_hostile:
            kind = list(HOSTILE)[turn % len(HOSTILE)]
            await self._compare(f"hostile: {kind}", str(number), HOSTILE[kind](number), NOT_RIGHT)
        elif number % FUNCTION_EVERY == 0:
            wrong = number // FUNCTION_EVERY % 2
            grade = await self._call(f"{number}", f"{number + wrong}")
            self._keep(f"function, {'wrong' if wrong else 'right'}", number, grade, WRONG if wrong else RIGHT)
        else:
            kind = list(HONEST)[number % len(HONEST)]
            await self._compare(kind, *HONEST[kind](number))

    async def _compare(self, kind: str, reference: str, answer: str, allowed: frozenset[Verdict]) -> None:
        (grade,) = await self._grader.grade([rf"\boxed{{{answer}}}"], reference, finished=True)
        self._keep(kind, reference, grade, allowed)

    async def _misdeed(self, kind: str, number: int) -> None:
        grade = await self._call(f"{kind} {number}", str(number))
        self._keep(f"function that {kind}", number, grade, MISDEEDS[kind])

    async def _call(self, solution: str, truth: str) -> Grade:
        how = {"data_source": "soak", "solution_str": solution, "ground_truth": truth}
        return await self._grader.grade_outcome(self._function, **how)

    def _keep(self, kind: str, which: object, grade: Grade, allowed: frozenset[Verdict]) -> None:
        self.verdicts.setdefault(kind, Counter())[str(grade.verdict)] += 1
        # of an honest answer nothing may be known either: the machine was busy; it is counted, and no wrong verdict
        if grade.verdict not in allowed and not (grade.verdict in UNKNOWN and allowed in (RIGHT, WRONG)):
            self.wrong.append(f"{kind} ({which}): {grade.verdict} {grade.detail[:200]}")


async def run(gradings: int, out: Path, samples: list[Sample]) -> dict[str, Any]:
    """The figures of a run in a directory that holds no file named owned…; of one that is interrupted, so far."""
    (out / "score.py").write_text(FUNCTION)
    started = time.monotonic()
    with Grader(thinking=None, deadline_s=DEADLINE_S * PATIENCE) as grader:
        soak = Soak(grader, FileFunction(str(out / "score.py"), "score"))
        with contextlib.suppress(asyncio.CancelledError):
            for first in range(0, gradings, AT_ONCE):
                await asyncio.gather(*map(soak.ask, range(first, min(first + AT_ONCE, gradings))))
                samples.append({"piece": 0, "step": min(first + AT_ONCE, gradings), "kinds": measured(grader)})
        stats = grader.stats()
    return {
        "gradings": stats.graded,
        "seconds": time.monotonic() - started,
        "verdicts": {kind: dict(counts) for kind, counts in sorted(soak.verdicts.items())},
        "wrong": soak.wrong,
        "stats": {name: getattr(stats, name) for name in stats.__slots__},
        "run as code": sorted(path.name for path in Path.cwd().glob("owned*")),
        "left behind": left_behind(),
    }


def left_behind() -> int:
    """Processes that the function started and that outlive the grader."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += b"time.sleep(100003)" in path.read_bytes()
    return found


def measured(grader: Grader) -> dict[str, list[float]]:
    """QUANTITIES of this process and of its two kinds of children; one that is gone is left out."""
    found = {"front end": measure(os.getpid())}
    for packed, pool in list(grader._pools.items()):
        for pid in pool.pids():
            with contextlib.suppress(OSError, KeyError, ValueError):
                found["comparing child" if packed is None else "function's child"] = measure(pid)
    return found


def tables(figures: Mapping[str, Any], samples: Sequence[Sample]) -> list[str]:
    """Markdown."""
    names = [str(one) for one in Verdict]
    lines = [f"| input | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for kind, counts in figures["verdicts"].items():
        lines.append(f"| {kind} | {' | '.join(str(counts.get(name, 0)) for name in names)} |")
    kinds = sorted({kind for one in samples for kind in one["kinds"]})
    lines += ["", f"| gradings | {' | '.join(kinds)} |", "|---|" + "---|" * len(kinds)]
    for tenth in range(TENTHS + 1):
        one = samples[tenth * (len(samples) - 1) // TENTHS]
        cells = [", ".join(f"{value:.0f}" for value in one["kinds"].get(kind, [])) for kind in kinds]
        lines.append(f"| {one['step']} | {' | '.join(cells)} |")
    lines += ["", f"Each: {', '.join(QUANTITIES)}."]
    rate = figures["gradings"] / figures["seconds"]
    counted = ", ".join(f"{name} {round(value, 1)}" for name, value in figures["stats"].items())
    return [*lines, "", f"{rate:.0f} gradings a second; the grader counted: {counted}."]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gradings", type=int, default=100_000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    os.chdir(out)
    samples: list[Sample] = []
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored by all that a shell starts with `&`
    figures = asyncio.run(run(options.gradings, out, samples))
    (out / "gradings.json").write_text(json.dumps({"figures": figures, "samples": samples}) + "\n")
    lines = tables(figures, samples)
    (out / "gradings.md").write_text("\n".join(lines) + "\n")
    print("\n".join([*lines, *figures["wrong"][:20]]))
    bad = {name: figures[name] for name in ("run as code", "left behind")}
    print(f"wrong verdicts: {len(figures['wrong'])}; {bad}")
    return 1 if figures["wrong"] or any(bad.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

"""The grader against math-verify itself, called directly in this process with nothing of ours in between."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mrt_verl.grading import Grader, Verdict

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark(monkeypatch_module: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch_module.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / "grading_speed.py"))


@pytest.fixture(scope="module")
def monkeypatch_module() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def pairs() -> list[list[str]]:
    """The benchmark's, always the same: what reasoning-gym draws depends on Python's hash seed."""
    code = "import json; from grading_workload import pairs; print(json.dumps(pairs()))"
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(BENCHMARKS)}
    drawn = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: list[list[str]] = json.loads(drawn.stdout)
    return found


PLAIN = re.compile(
    r"(?:[-+*/^=(){}\[\],. ]|[0-9]|[a-z](?![a-z])|\\\\(?:d?frac|sqrt|pi|left|right|sin|binom|cdot)(?![a-z]))+"
)
"""Mathematics without words, units, percent signs and letters that a mutation made capital."""


@pytest.mark.filterwarnings("ignore")  # sympy's and reasoning-gym's own
def test_plain_mathematics_is_graded_as_by_math_verify(benchmark: dict[str, Any], pairs: list[list[str]]) -> None:
    """What we judge differently on purpose (words, `\\text`, hexadecimals, intervals) is listed in the benchmark."""
    pairs = [
        pair for pair in pairs if all(map(PLAIN.fullmatch, pair)) and not re.search("0x|[0-9] [0-9]", " ".join(pair))
    ]
    with Grader(deadline_s=10.0) as grader:
        ours = [grader.grade_sync([rf"\boxed{{{answer}}}"], reference)[0].verdict for reference, answer in pairs]
    theirs = [benchmark["directly"](rf"\boxed{{{reference}}}", rf"\boxed{{{answer}}}") for reference, answer in pairs]
    finished = [one for one in zip(pairs, ours, theirs, strict=True) if one[2] is not None]
    assert len(finished) >= 1_000
    assert sum(other for _, _, other in finished) > 300
    differing = [(pair, own) for pair, own, other in finished if (own is Verdict.RIGHT) != other]
    # six of a thousand: tiny numbers that it takes for 0, an exponent 2.0, a point against a list
    assert len(differing) <= len(finished) // 100, differing

"""The grader against math-verify itself, called directly in this process with nothing of ours in between."""

import runpy
import threading
from pathlib import Path
from typing import Any

import pytest

from mrt_verl.grading import Grader, Verdict

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark(monkeypatch_module: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch_module.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / "grading.py"))


@pytest.fixture(scope="module")
def monkeypatch_module() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.filterwarnings("ignore")  # sympy's and reasoning-gym's own
def test_verdicts_equal_math_verifys_on_5000_pairs(benchmark: dict[str, Any]) -> None:
    pairs = [pair for pair in benchmark["pairs"]() if "%" not in pair[0] + pair[1]]
    ours: list[Verdict] = []

    def grade_all() -> None:
        with Grader(deadline_s=10.0) as grader:
            ours.extend(
                grader.grade_sync([rf"\boxed{{{answer}}}"], reference)[0].verdict for reference, answer in pairs
            )

    thread = threading.Thread(target=grade_all)
    thread.start()
    theirs = [benchmark["directly"](rf"\boxed{{{reference}}}", rf"\boxed{{{answer}}}") for reference, answer in pairs]
    thread.join()
    finished = [
        (pair, own, other)
        for pair, own, other in zip(pairs, ours, theirs, strict=True)
        if other is not None and own is not Verdict.TIMEOUT
    ]
    assert len(finished) >= 5_000
    assert sum(other for _, _, other in finished) > 1_500
    # what has no answer (a mutant with unbalanced braces) is not right either
    assert [(pair, own) for pair, own, other in finished if (own is Verdict.RIGHT) != other] == []
    assert not any(own is Verdict.ERROR for own in ours)


@pytest.mark.parametrize(
    ("reference", "answer", "equal"),
    [("$50$%", r"\boxed{50}", True), ("$50$%", "$0.5$", True), ("$50$%", r"\boxed{5}", False)],
)
def test_math_verify_reads_a_percent_sign_outside_of_the_formula(
    benchmark: dict[str, Any], reference: str, answer: str, equal: bool
) -> None:
    """The reason for moving it there; inside a box the same sign ends in a comparison of strings."""
    assert benchmark["directly"](reference, answer) is equal
    assert benchmark["directly"](r"\boxed{50\%}", r"\boxed{50}") is False

"""Answers graded as a mathematician reads them, kind by kind, with controls that must stay wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mrt_verl.grading import Grader, Verdict
from tests.cases.grading_kinds import KINDS

CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(deadline_s=60.0) as grader:
        yield grader


@pytest.mark.parametrize("kind", KINDS)
def test_kind(grader: Grader, kind: str) -> None:
    wrong_verdicts = []
    for reference, right, wrong in KINDS[kind]:
        answers = [reference, *right, *wrong]
        expected = [Verdict.RIGHT] * (1 + len(right)) + [Verdict.WRONG] * len(wrong)
        grades = grader.grade_sync([rf"\boxed{{{answer}}}" for answer in answers], reference)
        wrong_verdicts += [
            (reference, answer, grade.verdict.value)
            for answer, grade, verdict in zip(answers, grades, expected, strict=True)
            if grade.verdict is not verdict
        ]
    assert wrong_verdicts == []


def test_pairs(grader: Grader) -> None:
    expected, misjudged, count = "", [], 0
    for line in (CASES / "grading_pairs.txt").read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("# "):
            expected = line[2:]
            continue
        reference, _, answer = line.partition(" | ")
        verdict = grader.grade_sync([rf"\boxed{{{answer}}}"], reference)[0].verdict
        count += 1
        if verdict != expected:
            misjudged.append((reference, answer, verdict.value))
    assert count > 850
    assert misjudged == []

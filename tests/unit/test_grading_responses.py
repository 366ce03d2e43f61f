"""The answer that a whole response gives, graded: phrases, tags, boxes, forced answers."""

from collections.abc import Iterator

import pytest

from mrt_verl.grading import Grader, Verdict
from tests.cases.grading_responses import FORCED, RESPONSES

STOP_TEXT = "\n\nTime is up.\n</think>\n\nThe final answer is \\boxed{"


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(deadline_s=60.0) as grader:
        yield grader


@pytest.mark.parametrize("kind", RESPONSES)
def test_responses(grader: Grader, kind: str) -> None:
    misjudged = []
    for reference, right, others in RESPONSES[kind]:
        grades = grader.grade_sync([*right, *others], reference, finished=True)
        misjudged += [
            (reference, text, grade.verdict.value)
            for number, (text, grade) in enumerate(zip([*right, *others], grades, strict=True))
            if (grade.verdict is Verdict.RIGHT) != (number < len(right)) or not grade.is_known
        ]
    assert misjudged == []


def test_forced_answers(grader: Grader) -> None:
    misjudged = []
    for reference, right, others in FORCED:
        grades = grader.grade_sync([*right, *others], reference, finished=True, stop_text=STOP_TEXT)
        misjudged += [
            (reference, text, grade.verdict.value)
            for number, (text, grade) in enumerate(zip([*right, *others], grades, strict=True))
            if (grade.verdict is Verdict.RIGHT) != (number < len(right)) or not grade.is_known
        ]
    assert misjudged == []

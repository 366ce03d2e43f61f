"""Answers from public bug reports, each graded as its report says a mathematician would."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mrt_verl.grading import Grader

CASES = Path(__file__).parents[1] / "cases" / "grading_public.jsonl"
OPEN_BOX = "\n</think>\n\nThe final answer is \\boxed{"


def load() -> list[dict[str, Any]]:
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(deadline_s=60.0) as grader:
        yield grader


@pytest.mark.parametrize("case", load(), ids=lambda case: f"{case['id']}-{case['kind']}")
def test_case(grader: Grader, case: dict[str, Any]) -> None:
    given = case["input"]
    text = given["text"] if "text" in given else rf"\boxed{{{given['answer']}}}"
    stop_text = OPEN_BOX if given.get("stop_text_ends_in_open_box") else ""
    (grade,) = grader.grade_sync([text], given["reference"], stop_text=stop_text, finished=given["finished"])
    assert grade.verdict == case["expected"]

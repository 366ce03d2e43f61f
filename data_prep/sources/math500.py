"""MATH500: 500 problems of MATH's test split, for evaluation."""

from typing import Any

from data_prep.problems import Row, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    extra = {"id": to_text(row, "unique_id"), "level": to_text(row, "level"), "subject": to_text(row, "subject")}
    return to_text(row, "problem"), to_answer(row, "answer"), extra


SOURCE = hub_source(
    name="math500",
    summary="500 problems of MATH's test split",
    repository="HuggingFaceH4/MATH-500",
    splits={"test": "test"},
    columns=("unique_id", "problem", "answer", "level", "subject"),
    convert=convert,
    data_source="HuggingFaceH4/MATH-500",
    ability="math",
    is_evaluation=True,
    check_answers=False,
)

"""AIME 2024: 30 problems, for evaluation."""

from typing import Any

from data_prep.problems import Row, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    return to_text(row, "problem"), to_answer(row, "answer"), {"id": to_text(row, "id")}


SOURCE = hub_source(
    name="aime_2024",
    summary="30 problems",
    repository="HuggingFaceH4/aime_2024",
    splits={"test": "train"},
    columns=("id", "problem", "answer"),
    convert=convert,
    data_source="aime_2024",
    ability="math",
    is_evaluation=True,
    check_answers=False,
)

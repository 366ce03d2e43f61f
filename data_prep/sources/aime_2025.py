"""AIME 2025: 30 problems, for evaluation."""

from typing import Any

from data_prep.problems import Row, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    return to_text(row, "problem"), to_answer(row, "answer"), {"id": to_text(row, "id")}


SOURCE = hub_source(
    name="aime_2025",
    summary="30 problems",
    repository="math-ai/aime25",
    splits={"test": "test"},
    columns=("id", "problem", "answer"),
    convert=convert,
    data_source="aime_2025",
    ability="math",
    is_evaluation=True,
    check_answers=False,
)

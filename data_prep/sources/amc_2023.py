"""AMC 2023: 40 problems with whole-number answers instead of choices, for evaluation."""

from typing import Any

from data_prep.problems import Row, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    return to_text(row, "question"), to_answer(row, "answer"), {"id": to_text(row, "id")}


SOURCE = hub_source(
    name="amc_2023",
    summary="40 problems",
    repository="math-ai/amc23",
    splits={"test": "test"},
    columns=("id", "question", "answer"),
    convert=convert,
    data_source="amc_2023",
    ability="math",
    is_evaluation=True,
    check_answers=False,
)

"""MinervaMATH: 272 undergraduate problems in the sciences, for evaluation."""

from typing import Any

from data_prep.problems import Row, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    return to_text(row, "question"), to_answer(row, "answer"), {}


SOURCE = hub_source(
    name="minerva_math",
    summary="272 undergraduate science problems",
    repository="math-ai/minervamath",
    splits={"test": "test"},
    columns=("question", "answer"),
    convert=convert,
    data_source="minerva_math",
    ability="math",
    is_evaluation=True,
    check_answers=False,
)

"""DeepScaleR-Preview: some 40,000 competition problems with final answers."""

from typing import Any

from data_prep.problems import Row, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    return to_text(row, "problem"), to_answer(row, "answer"), {}


SOURCE = hub_source(
    name="deepscaler",
    summary="DeepScaleR-Preview: 40,000 competition problems",
    repository="agentica-org/DeepScaleR-Preview-Dataset",
    splits={"train": "train"},
    columns=("problem", "answer"),
    convert=convert,
    data_source="deepscaler",
    ability="math",
)

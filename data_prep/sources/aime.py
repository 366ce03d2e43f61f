"""AIME 1983-2023: 919 problems for training; the table's 2024 problems are an evaluation set and left out."""

from typing import Any

from data_prep.problems import Row, Unusable, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source

LAST_YEAR = 2023


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    year = to_text(row, "Year")
    if not year.isdecimal():
        raise Unusable("Year", "not a year", year)
    if int(year) > LAST_YEAR:
        raise Unusable("Year", f"after {LAST_YEAR}", year)
    return to_text(row, "Question"), to_answer(row, "Answer"), {"id": to_text(row, "ID"), "year": int(year)}


SOURCE = hub_source(
    name="aime",
    summary="AIME 1983-2023: 919 problems",
    repository="di-zhang-fdu/AIME_1983_2024",
    splits={"train": "train"},
    columns=("ID", "Year", "Question", "Answer"),
    convert=convert,
    data_source="aime_1983_2023",
    ability="math",
)

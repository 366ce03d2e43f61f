"""Omni-MATH: the subset of its 4,428 olympiad problems whose answers can be checked, for evaluation.

`--limit N` takes a part of it by seed.
"""

from typing import Any

from data_prep.problems import Row, Unusable, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    difficulty = row["difficulty"]
    if isinstance(difficulty, bool) or not isinstance(difficulty, int | float):
        raise Unusable("difficulty", "not a number", difficulty)
    return to_text(row, "problem"), to_answer(row, "answer").strip("$"), {"difficulty": float(difficulty)}


SOURCE = hub_source(
    name="omni_math",
    summary="those of 4,428 olympiad problems whose answers can be checked",
    repository="KbsdJames/Omni-MATH",
    splits={"test": "test"},
    columns=("problem", "answer", "difficulty"),
    convert=convert,
    data_source="omni_math",
    ability="math",
    is_evaluation=True,
)

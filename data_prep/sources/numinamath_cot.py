r"""NuminaMath-CoT: the first edition, 860,000 problems with solutions; the answer is the last \boxed{} of the solution.

Its `test` split of 100 problems is no benchmark of the field; it is read as such all the same.
"""

from typing import Any

from data_prep.problems import Row, Unusable, to_text
from data_prep.references import to_boxed_answer
from data_prep.sources.hub import hub_source
from data_prep.sources.numinamath import add_set_option

_SYNTHETIC = ("synthetic_math", "synthetic_amc", "orca_math")


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    origin = to_text(row, "source")
    if origin in _SYNTHETIC:
        raise Unusable("source", "a synthetic problem", origin)
    solution = to_text(row, "solution")
    answer = to_boxed_answer(solution, "solution")
    return to_text(row, "problem"), answer, {"origin": origin}


SOURCE = hub_source(
    name="numinamath_cot",
    summary="NuminaMath, first edition: 860,000 problems with solutions",
    repository="AI-MO/NuminaMath-CoT",
    splits={"train": "train", "test": "test"},
    columns=("source", "problem", "solution"),
    convert=convert,
    add_options=add_set_option,
    data_source="numinamath",
    ability="math",
)

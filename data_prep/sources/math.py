r"""MATH (Hendrycks et al.): 7,500 + 5,000 competition problems; the answer is the last \boxed{} of the solution."""

from typing import Any

from data_prep.problems import Row, to_text
from data_prep.references import to_boxed_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    solution = to_text(row, "solution")
    answer = to_boxed_answer(solution, "solution")
    return to_text(row, "problem"), answer, {"level": to_text(row, "level"), "subject": to_text(row, "type")}


SOURCE = hub_source(
    name="math",
    summary="MATH: 7,500 + 5,000 competition problems",
    repository="EleutherAI/hendrycks_math",
    configs=(
        "algebra",
        "counting_and_probability",
        "geometry",
        "intermediate_algebra",
        "number_theory",
        "prealgebra",
        "precalculus",
    ),
    splits={"train": "train", "test": "test"},
    columns=("problem", "level", "type", "solution"),
    convert=convert,
    data_source="DigitalLearningGmbH/MATH-lighteval",
    ability="math",
)

"""GSM8K: grade-school word problems; the answer follows `####` in the worked solution."""

from typing import Any

from data_prep.problems import Row, to_text
from data_prep.references import to_boxed_answer
from data_prep.sources.hub import hub_source


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    solution = to_text(row, "answer")
    answer = to_boxed_answer(solution, "answer", missing="no #### with an answer after it")
    return to_text(row, "question"), answer.replace(",", ""), {}


SOURCE = hub_source(
    name="gsm8k",
    summary="7,473 + 1,319 grade-school word problems",
    repository="openai/gsm8k",
    configs=("main",),
    splits={"train": "train", "test": "test"},
    columns=("question", "answer"),
    convert=convert,
    data_source="openai/gsm8k",
    ability="math",
)

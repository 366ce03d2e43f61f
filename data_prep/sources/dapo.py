"""DAPO-Math-17k: 17,000 problems with whole-number answers; the hub's table repeats each about a hundred times.

Its rows are in verl's schema already, with an instruction of their own around the problem, which is taken off here.
"""

import re
from typing import Any

from data_prep.problems import Row, Unusable, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source

_HEAD = re.compile(r"\A[^\n]*\bAnswer: \$Answer\b[^\n]*\n+")
_TAIL = re.compile(r"\n+[^\n]*\"Answer:\"[^\n]*\Z")


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    messages, reward_model = row["prompt"], row["reward_model"]
    if not messages or not isinstance(messages[-1], dict):
        raise Unusable("prompt", "no messages", messages)
    if not isinstance(reward_model, dict):
        raise Unusable("reward_model", "not a struct", reward_model)
    content = to_text({"prompt": messages[-1].get("content")}, "prompt")
    answer = to_answer({"reward_model": reward_model.get("ground_truth")}, "reward_model")
    question = _TAIL.sub("", _HEAD.sub("", content)).strip()
    if not question:
        raise Unusable("prompt", "nothing but its instruction", content)
    return question, answer, {}


SOURCE = hub_source(
    name="dapo",
    summary="DAPO-Math-17k: 17,000 problems with whole-number answers",
    repository="BytedTsinghua-SIA/DAPO-Math-17k",
    splits={"train": "train"},
    columns=("prompt", "reward_model"),
    convert=convert,
    data_source="math_dapo",
    ability="math",
)

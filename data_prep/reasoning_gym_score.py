"""The outcome of reasoning-gym rows as verl calls it; the file to name in `reward.custom_reward_function.path`."""

import ast
import functools
from typing import Any

import reasoning_gym  # at the top: it takes seconds, which no answer's deadline should pay

from mrt_verl.grading import extract_answer


def compute_score(data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any]) -> dict[str, Any]:
    """1.0 if the task's own scorer gives the boxed answer full marks; part marks count as wrong.

    Args:
        extra_info: `task`, `answer` and `metadata` as data_prep's reasoning_gym source writes them.
    """
    answer = extract_answer(solution_str, finished=True)
    entry = {"answer": extra_info["answer"] or None, "metadata": ast.literal_eval(extra_info["metadata"])}
    is_right = answer is not None and _scorer(extra_info["task"])(answer, entry) >= 1.0
    return {"score": float(is_right), "acc": float(is_right)}


@functools.lru_cache(maxsize=8)
def _scorer(task: str) -> Any:
    return reasoning_gym.get_score_answer_fn(task)

"""A reward function as a run's `reward.custom_reward_function` names it."""

from typing import Any


def compute_score(data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None) -> float:
    """Right where the reference is boxed, and half of that in a long response; sees whole responses."""
    assert data_source == "sums"
    is_right = f"\\boxed{{{ground_truth}}}" in solution_str
    return is_right * (0.5 if len(solution_str) > 200 else 1.0)

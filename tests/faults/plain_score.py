"""The search task's outcome without our grader, for a training with no code of ours."""

from typing import Any


def compute_score(data_source: str, solution_str: str, ground_truth: Any, **_: Any) -> float:
    """1.0 where the box holds the reference as it is spelled."""
    return float(solution_str.rpartition("\\boxed{")[2].partition("}")[0].strip() == str(ground_truth).strip())

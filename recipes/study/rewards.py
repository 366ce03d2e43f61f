"""The length penalty of arm `grpo_length`, on the outcome that all arms share."""

from typing import Any

from recipes.tools import outcome

LENGTH_WEIGHT = 0.2
"""What a right answer loses at most for its length."""
LENGTH_SCALE = 400.0
"""Characters of a response at which it loses all of LENGTH_WEIGHT; some 160 tokens of this task."""


async def compute_score(data_source: str, solution_str: str, ground_truth: Any, **_: Any) -> dict[str, float]:
    """The outcome, of which a right answer loses up to LENGTH_WEIGHT in proportion to its length; `acc` loses none."""
    right = await outcome.compute_score(data_source, solution_str, ground_truth)
    penalty = LENGTH_WEIGHT * min(1.0, len(solution_str) / LENGTH_SCALE)
    return {"score": right * (1.0 - penalty), "acc": right}

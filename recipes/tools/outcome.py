"""The outcome of the GRPO arms: MRT's own grading as a function that verl's reward managers can call.

With it the arms of a recipe differ in what they train on, not in who grades. A response whose thinking is never closed
has no answer, as with MRT. For models whose chat template opens the thinking, or who open it themselves.
"""

from typing import Any

from mrt_verl.grading import Grader, Thinking

DEADLINE_S = 5.0
"""As mrt.grade_timeout_s."""
_grader = Grader(deadline_s=DEADLINE_S, thinking=Thinking(expected=True))


async def compute_score(data_source: str, solution_str: str, ground_truth: Any, **_: Any) -> float:
    """1.0 if the final answer equals `ground_truth`, else 0.0 (wrong, no answer, timeout, error)."""
    return (await _grader.grade([solution_str], ground_truth))[0].score

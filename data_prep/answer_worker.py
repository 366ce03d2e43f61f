"""What runs in a grading worker to check answers; only a worker imports this, because it imports math-verify."""

import logging

from math_verify import parse  # type: ignore[import-untyped]

logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its own timeout is off; the worker's kills


def count_objects(solution_str: str, **_: object) -> float:
    """Mathematical objects that math-verify finds in a boxed answer; it may never return."""
    parsed = parse(f"\\boxed{{{solution_str}}}", parsing_timeout=None)
    if not parsed or isinstance(parsed[0], str):  # its parser fails on a percent sign inside a box
        parsed = parse(f"${solution_str}$", parsing_timeout=None, fallback_mode="no_fallback")
    return float(sum(not isinstance(one, str) for one in parsed))


count_objects("\\frac{1}{2}")  # its parser builds its tables at the first call, which no answer's deadline should pay

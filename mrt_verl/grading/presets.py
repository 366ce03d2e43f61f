r"""Points on which graders disagree, as named switches, and two presets of them: ours, and Math-Verify's.

`Grader(rules="math_verify")` decides these points as that package's maintainers intend; everything else, and the answer
to whether two formulas are equal, stays ours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mrt_verl.grading.extraction import DEFAULT_FALLBACKS

Fallbacks = Sequence[str | re.Pattern[str]]
LAST_VALUE = re.compile(
    r"(?<!\\)\$\$?((?:\\.|[^$\\])+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]"
    r"|(?<![\w.,^{])(-?[0-9]+(?:[.,][0-9]+)*(?:/[0-9]+)?"
    r"(?:\s?(?:\\?%|[Pp]ercent(?:age)?\b|[Pp]ct\b))?)",
    re.DOTALL,
)
"""The last formula between delimiters or the last number of a text, whichever stands later, without a unit."""


@dataclass(frozen=True, slots=True)
class Rules:
    r"""What may be decided in more than one way; the defaults are a mathematician's.

    `fallbacks`: what may stand for a missing box in a response.
    `reads_prose`: a reference or a box that holds sentences holds its answer somewhere in them, as a response does.
    `decimal_comma`: `1,22` may be 1.22.
    `near_decimals`: a decimal is right if both values, rounded to so many places, are equal; None: never.
    `last_side`: a chain of equations says what its last side says, whatever the others are.
    `bare_tuples`: `1, 3` and `{1,3}` may be (1, 3).
    `inequality_for_set`: `1 < x < 2` is right for the reference `x \in (1, 2)`.
    """

    fallbacks: Fallbacks = DEFAULT_FALLBACKS
    reads_prose: bool = False
    decimal_comma: bool = False
    near_decimals: int | None = None
    last_side: bool = False
    bare_tuples: bool = False
    inequality_for_set: bool = True


DEFAULT_RULES = Rules()
PRESETS = {
    "default": DEFAULT_RULES,
    "math_verify": Rules(
        fallbacks=(*DEFAULT_FALLBACKS, LAST_VALUE),
        reads_prose=True,
        decimal_comma=True,
        near_decimals=6,
        last_side=True,
        bare_tuples=True,
        inequality_for_set=False,
    ),
}


def rules_of(given: Rules | str) -> Rules:
    """The rules of that name, or those given.

    Raises:
        ValueError: there is no preset of that name.
    """
    if isinstance(given, Rules):
        return given
    if given not in PRESETS:
        raise ValueError(f"rules={given!r}; allowed: {', '.join(PRESETS)}, or a Rules object")
    return PRESETS[given]

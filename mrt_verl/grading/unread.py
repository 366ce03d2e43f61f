r"""Formulas that our reader does not know, such as sums and integrals, by math-verify's parser and sympy, in a worker.

math-verify's own comparison rounds to six decimals and drops what it cannot read. So its parser alone is used, only on
texts without words, and what it finds must be equal by sympy or to 40 digits.
"""

import re
from collections.abc import Sequence
from typing import Any

from mrt_verl.grading.text.unicode import fold_unicode
from mrt_verl.grading.text.wrappers import strip_wrappers

_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}|\\text|\\mbox")
_UNKNOWN = re.compile(r"\\(?:ldots|dots|cdots|boxed|begin)")
DIGITS = 50
_PLAINLY = 1e-3
"""Relative difference of two sides that are not the same number rounded."""


def same_unread(reference: str, answer: str) -> bool:
    """Whether two texts are the same formula to sympy; False for whatever it does not read."""
    one, other = (strip_wrappers(fold_unicode(text)) for text in (reference, answer))
    if one == other:
        return True
    if any(_WORD.search(text) or _UNKNOWN.search(text) or len(text) > 400 for text in (one, other)):
        return False
    (*before, one), (*other_before, other) = _sides(one), _sides(other)
    names = ["=".join(sides) for sides in (before, other_before)]
    if all(names) and names[0] != names[1]:
        return False
    left, right = _parsed(one), _parsed(other)
    if left is None or right is None or _contradicts(before, left) or _contradicts(other_before, right):
        return False
    return _equal(left, right)


def _sides(text: str) -> list[str]:
    """What stands between the `=` outside of braces, without spaces but in the last one."""
    sides, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0 and character == "=":
            sides.append("".join(text[start:position].split()))
            start = position + 1
    return [*sides, text[start:]]


def _contradicts(sides: Sequence[str], value: Any) -> bool:
    """Whether one of the sides before it is plainly another number: then the chain says nothing."""
    last = _approximately(value)
    if last is None:
        return False
    numbers = [_approximately(_parsed(side)) for side in sides if side]
    return any(one is not None and abs(one - last) > _PLAINLY * max(abs(one), abs(last)) for one in numbers)


def _approximately(value: Any) -> complex | None:
    if value is None or value.free_symbols:
        return None
    for evaluated in (lambda: value, value.doit):
        try:
            return complex(evaluated().evalf(15))
        except (TypeError, ValueError, ArithmeticError, NotImplementedError):
            continue  # a limit has a value once it is done, an unknown function has none
    return None


def _parsed(text: str) -> Any:
    from math_verify import LatexExtractionConfig, parse  # type: ignore[import-untyped]
    from sympy import Expr  # type: ignore[import-untyped]

    found = parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=None, fallback_mode="no_fallback")
    return found[0] if found and isinstance(found[0], Expr) else None


def _equal(one: Any, other: Any) -> bool:
    from sympy import simplify

    one, other = one.doit(), other.doit()
    if one == other:
        return True
    if one.free_symbols | other.free_symbols:
        return bool(simplify(one - other) == 0)
    left, right = (value.evalf(DIGITS) for value in (one, other))
    if not (left.is_number and right.is_number and left.is_finite and right.is_finite):
        return False
    return bool(abs(left - right) <= max(abs(left), abs(right)) * 10 ** (10 - DIGITS))

r"""Formulas that our reader does not know, such as sums and integrals, by math-verify's parser and sympy, in a worker.

math-verify's own comparison rounds to six decimals and drops what it cannot read. So its parser alone is used, only on
texts without words, and what it finds must be equal by sympy or to 40 digits.
"""

import re
from typing import Any

from mrt_verl.grading.text.unicode import fold_unicode
from mrt_verl.grading.text.wrappers import strip_wrappers

_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}|\\text|\\mbox")
_UNKNOWN = re.compile(r"\\(?:ldots|dots|cdots|boxed|begin)")
DIGITS = 50


def same_unread(reference: str, answer: str) -> bool:
    """Whether two texts are the same formula to sympy; False for whatever it does not read."""
    one, other = (strip_wrappers(fold_unicode(text)) for text in (reference, answer))
    if one == other:
        return True
    if any(_WORD.search(text) or _UNKNOWN.search(text) or len(text) > 400 for text in (one, other)):
        return False
    name, one = _right_side(one)
    other_name, other = _right_side(other)
    if name and other_name and name != other_name:
        return False
    left, right = _parsed(one), _parsed(other)
    return left is not None and right is not None and _equal(left, right)


def _right_side(text: str) -> tuple[str, str]:
    """What stands before and after the last `=` outside of braces; nothing before it if there is none."""
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        depth += (text[position] == "}") - (text[position] == "{")
        if depth == 0 and text[position] == "=":
            return "".join(text[:position].split()), text[position + 1 :]
    return "", text


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

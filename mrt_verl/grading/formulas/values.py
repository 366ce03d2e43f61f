r"""Equality of two formulas, exactly where that is possible; and of a decimal and an exact value.

The rule for decimals: two decimals are equal only digit for digit (0.5000004 is not 0.5). A reference that is not
written as a decimal is exact, and no decimal that only comes near is right (1.4142136 is not \sqrt 2). A reference
that is a decimal states its precision: an exact answer is right if it rounds to the reference's digits, but only where
the reference looks like a rounded value of it, not like an exact one of its own. So an irrational answer needs three
significant digits (3.14 and \pi), and a fraction needs two and a denominator smaller than the decimal's own (0.33 and
1/3, but not 0.25 and 24/97, because 0.25 is 1/4).
"""

import math
from fractions import Fraction
from functools import lru_cache

from mrt_verl.grading.formulas.nodes import REMEMBERED, Limits, Node, TooBig, Unreadable
from mrt_verl.grading.formulas.normal import normal
from mrt_verl.grading.formulas.numerics import agree, differ, real_value, variables
from mrt_verl.grading.formulas.polynomials import Opaque, Quotient, difference, is_dependent, times

MIN_DIGITS = 3
MIN_DIGITS_OF_FRACTION = 2


class Depth:
    """Whether undecided values are decided with many digits; set only in a worker, since that may take for ever."""

    is_deep = False


def same_value(one: Node, other: Node) -> bool | None:
    """Whether two formulas are equal; None if exact rules and floats cannot tell."""
    if one == other:
        return True
    if one[0] == other[0] == "n":
        return False
    return _same_value(one, other, Limits.bits, Depth.is_deep)


@lru_cache(maxsize=REMEMBERED)
def _same_value(one: Node, other: Node, _bits: int, deep: bool) -> bool | None:
    if _has_infinity(one) or _has_infinity(other):
        return False
    try:
        left = difference(_normal(one, _bits), _normal(other, _bits))
        if not left:
            return True
        if not is_dependent(left):
            return False
        if _is_call(one) or _is_call(other):
            return False
    except (Opaque, TooBig):
        pass
    except Unreadable:
        return False
    if differ(one, other):
        return False
    if not deep:
        return None
    return agree(one, other)


@lru_cache(maxsize=REMEMBERED)
def _normal(node: Node, _bits: int) -> Quotient:
    return normal(node)


def _has_infinity(node: Node) -> bool:
    return any(part == ("c", "oo") or (isinstance(part, tuple) and _has_infinity(part)) for part in node) or node == (
        "c",
        "oo",
    )


def _is_call(node: Node) -> bool:
    return node[:2] == ("f", "call") or any(isinstance(part, tuple) and _is_call(part) for part in node)


def same_ratio(one: Node, other: Node, only_positive: bool = False) -> bool | None:
    """Whether one is a constant other than 0, or a positive one, times the other."""
    try:
        (left, below_left), (right, below_right) = _normal(one, Limits.bits), _normal(other, Limits.bits)
        first = times((left, {frozenset(): Fraction(1)}), (below_right, {frozenset(): Fraction(1)}))[0]
        second = times((right, {frozenset(): Fraction(1)}), (below_left, {frozenset(): Fraction(1)}))[0]
    except (Opaque, TooBig, Unreadable):
        return None
    if first.keys() != second.keys() or not first:
        return False
    ratios = {first[monomial] / second[monomial] for monomial in first}
    return len(ratios) == 1 and (not only_positive or min(ratios) > 0)


def rounds_to(exact: Node, decimal: Fraction, decimals: int, digits: int) -> bool:
    """Whether an exact value gives the reference's decimal at the precision that the reference states."""
    half = Fraction(1, 2 * 10**decimals)
    if exact[0] == "n":
        value = exact[1]
        is_simple = digits >= MIN_DIGITS_OF_FRACTION and value.denominator < decimal.denominator
        return is_simple and abs(value - decimal) <= half and value.denominator > 1
    if digits < MIN_DIGITS or digits > 12 or variables(exact):
        return False
    value = real_value(exact)
    return value is not None and math.isfinite(value) and abs(value - float(decimal)) < float(half) * (1 - 1e-6)

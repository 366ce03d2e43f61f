r"""Trees of formulas, numbers folded while they are built.

A node is a tuple: ("n", Fraction), ("s", name), ("c", "pi" | "e" | "i" | "oo"), ("+", nodes), ("*", nodes),
("/", top, bottom), ("^", base, exponent), ("f", function, *arguments).
"""

from collections.abc import Sequence
from fractions import Fraction
from math import factorial
from typing import Any

Node = tuple[Any, ...]


class Unreadable(Exception):
    """The tokens are no formula that this reader knows."""


class TooBig(Exception):
    """The exact value has more digits or terms than the limits allow."""


class Limits:
    """How large exact numbers and polynomials may get: small in the process that trains, without bound in a worker."""

    bits = 40_000
    terms = 150
    depth = 40


REMEMBERED = 2048
"""Readings and values that are kept for the next comparison. A step repeats the answers of its own prompts alone; and
the longest formulas that are read take 120 KB each, so that hostile ones fill some 130 MB at most."""
ZERO: Node = ("n", Fraction(0))
ONE: Node = ("n", Fraction(1))
HALF = ("n", Fraction(1, 2))


def number(text: str) -> Fraction:
    """The exact value of a numeral.

    Raises:
        TooBig: its exponent or its digits pass the limit.
    """
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > 4_000 or (exponent and len(exponent.lstrip("+-0")) > 4):
        raise TooBig
    return Fraction(text)


def check_size(value: Fraction) -> Fraction:
    """The value itself, if it is within the limits."""
    if value.numerator.bit_length() + value.denominator.bit_length() > Limits.bits:
        raise TooBig
    return value


def rational(node: Node) -> Fraction | None:
    """The value of a number node, None for any other."""
    return node[1] if node[0] == "n" else None


def power(base: Node, exponent: Node) -> Node:
    """base^exponent, folded if both are numbers and the exponent is an integer."""
    b, n = rational(base), rational(exponent)
    if b is not None and n is not None and n.denominator == 1:
        if b == 0 and n <= 0:
            raise Unreadable("0 to a power that is not positive")
        bits = b.numerator.bit_length() + b.denominator.bit_length()
        if b not in (0, 1, -1) and (abs(n) > Limits.bits or bits * abs(n) > 4 * Limits.bits):
            raise TooBig
        return ("n", check_size(b ** int(n)))
    return ("^", base, exponent)


def add(nodes: Sequence[Node]) -> Node:
    """The sum, folded if all are numbers."""
    if len(nodes) == 1:
        return nodes[0]
    if all(node[0] == "n" for node in nodes):
        return ("n", check_size(sum((node[1] for node in nodes), Fraction(0))))
    return ("+", tuple(nodes))


def multiply(one: Node, other: Node) -> Node:
    """The product, folded if both are numbers."""
    if one[0] == "n" and other[0] == "n":
        return ("n", check_size(one[1] * other[1]))
    return ("*", (one, other))


def divide(top: Node, bottom: Node) -> Node:
    """The quotient, folded if both are numbers."""
    if bottom == ZERO:
        raise Unreadable("division by zero")
    if top[0] == "n" and bottom[0] == "n":
        return ("n", check_size(top[1] / bottom[1]))
    return ("/", top, bottom)


def negate(node: Node) -> Node:
    """The node times -1."""
    return multiply(("n", Fraction(-1)), node)


def fact(node: Node) -> Node:
    """n!, folded for small numbers."""
    n = rational(node)
    if n is None:
        return ("f", "factorial", node)
    if n.denominator != 1 or n < 0:
        raise Unreadable("factorial of no natural number")
    if n > Limits.bits // 8:
        raise TooBig
    return ("n", Fraction(factorial(int(n))))


def choose(n: Node, k: Node) -> Node:
    """The binomial coefficient, folded for numbers."""
    top, bottom = rational(n), rational(k)
    if top is None or bottom is None:
        return ("f", "binom", n, k)
    if top.denominator != 1 or bottom.denominator != 1 or bottom < 0 or top < 0:
        raise Unreadable("binomial of no natural numbers")
    if bottom > top:
        return ZERO
    bottom = min(bottom, top - bottom)
    if bottom * (top.numerator.bit_length()) > Limits.bits:
        raise TooBig
    value = 1
    for step in range(int(bottom)):
        value = value * (int(top) - step) // (step + 1)
    return ("n", Fraction(value))


def root(inside: Node, degree: Node) -> Node:
    """The degree-th root; of odd degree it is real for negative numbers."""
    n = rational(degree)
    if n is None or n.denominator != 1 or n < 1:
        return ("^", inside, ("/", ONE, degree))
    value = rational(inside)
    if (value is not None and value >= 0) or n == 1:
        exact = _exact_root(value, int(n)) if value is not None else None
        if exact is not None:
            return ("n", exact)
    if n % 2 == 1 and value is not None and value < 0:
        return negate(root(("n", -value), degree))
    return ("^", inside, ("n", 1 / n))


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    parts = []
    for part in (value.numerator, value.denominator):
        if part.bit_length() > 4_000:
            return None
        guess = _integer_root(part, degree)
        if guess**degree != part:
            return None
        parts.append(guess)
    return Fraction(parts[0], parts[1])


def _integer_root(value: int, degree: int) -> int:
    if value < 2:
        return value
    if degree >= value.bit_length():
        return 1
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better

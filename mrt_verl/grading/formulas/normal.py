r"""Exact normal forms: quotients of polynomials in variables, pi, e, i, roots of primes and functions.

A monomial is a frozenset of (generator, exponent), a polynomial a dict from monomials to non-zero Fractions, a normal
form a pair (numerator, denominator). Roots of primes obey p^(1/n)^n = p and i^2 = -1, so that two numbers made of
rationals, roots and i are equal exactly if their cross-multiplied difference vanishes; the same holds for rational
functions. Generators that may depend on each other (functions, nested roots) are marked: for them a difference that
does not vanish says nothing.
"""

from fractions import Fraction
from typing import Any

from mrt_verl.grading.formulas.nodes import Node, Unreadable
from mrt_verl.grading.formulas.polynomials import (
    EMPTY_MONOMIAL,
    UNIT_POLYNOMIAL,
    Opaque,
    Quotient,
    constant,
    generator,
    inverse,
    plus,
    times,
)
from mrt_verl.grading.formulas.radicals import factors, raised


def normal(node: Node) -> Quotient:
    """The normal form of a formula.

    Raises:
        Unreadable: it has no value.
        Opaque: it has none that this module finds.
        TooBig: it passes the limits.
    """
    kind = node[0]
    if kind == "n":
        return constant(node[1])
    if kind == "s":
        return generator("v:" + node[1])
    if kind == "c":
        if node[1] == "oo":
            raise Opaque
        return generator(node[1])
    if kind == "+":
        total = constant(0)
        for part in node[1]:
            total = plus(total, normal(part))
        return total
    if kind == "*":
        total = constant(1)
        for part in node[1]:
            total = times(total, normal(part))
        return total
    if kind == "/":
        return times(normal(node[1]), inverse(normal(node[2])))
    if kind == "^":
        return _powered(node[1], node[2])
    return _function(node[1], node[2:])


def _powered(base: Node, exponent: Node) -> Quotient:
    above = normal(exponent)
    value = as_rational(above)
    below = normal(base)
    if value is not None:
        return raised(below, value)
    if above[1] != UNIT_POLYNOMIAL:
        raise Opaque
    bases = _positive_bases(below)
    total = constant(1)
    for monomial, coefficient in above[0].items():
        if monomial == EMPTY_MONOMIAL:
            total = times(total, raised(below, coefficient))
            continue
        if any(name == "i" for name, _ in monomial):
            raise Opaque
        for name, multiplicity in bases:
            total = times(total, generator(("pow", name, monomial), coefficient * multiplicity))
    return total


def _positive_bases(base: Quotient) -> list[tuple[Any, Fraction]]:
    """The base of a power with a symbolic exponent, as positive numbers or one variable with multiplicities."""
    if len(base[0]) != 1 or base[1] != UNIT_POLYNOMIAL:
        raise Opaque
    ((monomial, coefficient),) = base[0].items()
    if coefficient <= 0 or (len(monomial) > 1 and any(type(name) is str for name, _ in monomial)):
        raise Opaque
    found: list[tuple[Any, Fraction]] = []
    for name, exponent in monomial:
        if not (
            name in ("pi", "e") or (type(name) is str and name.startswith("v:") and exponent == 1) or name[0] == "r"
        ):
            raise Opaque
        found.append((name[1] if type(name) is tuple else name, exponent))
    for part, sign in ((coefficient.numerator, 1), (coefficient.denominator, -1)):
        found += [(prime, Fraction(multiplicity * sign)) for prime, multiplicity in factors(part)]
    return found


def as_rational(one: Quotient) -> Fraction | None:
    """The value of a normal form that is a rational number."""
    numerator, denominator = one
    if denominator is not UNIT_POLYNOMIAL and list(denominator) != [EMPTY_MONOMIAL]:
        return None
    if not numerator:
        return Fraction(0)
    if list(numerator) == [EMPTY_MONOMIAL]:
        return numerator[EMPTY_MONOMIAL] / denominator[EMPTY_MONOMIAL]
    return None


_SINES = {
    Fraction(0): (Fraction(0), 1),
    Fraction(1, 6): (Fraction(1, 2), 1),
    Fraction(1, 4): (Fraction(1, 2), 2),
    Fraction(1, 3): (Fraction(1, 2), 3),
    Fraction(1, 2): (Fraction(1), 1),
}
"""sin(pi t) = factor * sqrt(radicand)."""


def _function(name: str, arguments: tuple[Node, ...]) -> Quotient:
    forms = [normal(argument) for argument in arguments]
    if name in ("sin", "cos", "tan", "cot", "sec", "csc"):
        exact = _trigonometric(name, forms[0])
        if exact is not None:
            return exact
    if name == "ln":
        return _logarithm(forms[0])
    if name == "abs":
        value = as_rational(forms[0])
        if value is not None:
            return constant(abs(value))
    key = tuple((frozenset(top.items()), frozenset(bottom.items())) for top, bottom in forms)
    return generator(("fn", name, key))


def _trigonometric(name: str, form: Quotient) -> Quotient | None:
    """The value at multiples of pi/6 and pi/4."""
    turns = _multiple_of_pi(form)
    if turns is None:
        return None
    sine, cosine = _sine(turns), _sine(turns + Fraction(1, 2))
    if sine is None or cosine is None:
        return None
    top, bottom = {
        "sin": (sine, None),
        "cos": (cosine, None),
        "tan": (sine, cosine),
        "cot": (cosine, sine),
        "sec": (constant(1), cosine),
        "csc": (constant(1), sine),
    }[name]
    return top if bottom is None else times(top, inverse(bottom))


def _multiple_of_pi(form: Quotient) -> Fraction | None:
    if not form[0]:
        return Fraction(0)
    if form[1] != UNIT_POLYNOMIAL or list(form[0]) != [frozenset({("pi", Fraction(1))})]:
        return None
    return next(iter(form[0].values()))


def _sine(turns: Fraction) -> Quotient | None:
    turns %= 2
    sign = -1 if turns >= 1 else 1
    turns %= 1
    turns = min(turns, 1 - turns)
    if turns not in _SINES:
        return None
    factor, radicand = _SINES[turns]
    return times(constant(sign * factor), raised(constant(radicand), Fraction(1, 2)))


def _logarithm(form: Quotient) -> Quotient:
    """The logarithm of a positive constant as the sum over its factors; of anything else a generator."""
    numerator, denominator = form
    if len(numerator) == 1 and denominator == UNIT_POLYNOMIAL:
        ((monomial, coefficient),) = numerator.items()
        constants = all(name in ("e", "pi") or name[0] == "r" for name, _ in monomial)
        if coefficient > 0 and constants:
            total = constant(0)
            for name, exponent in monomial:
                part = constant(1) if name == "e" else generator(("ln", name if name == "pi" else name[1]))
                total = plus(total, times(constant(exponent), part))
            for whole, sign in ((coefficient.numerator, 1), (coefficient.denominator, -1)):
                for prime, multiplicity in factors(whole):
                    total = plus(total, times(constant(sign * multiplicity), generator(("ln", prime))))
            return total
    if not numerator:
        raise Unreadable("the logarithm of 0")
    return generator(("fn", "ln", (frozenset(numerator.items()), frozenset(denominator.items()))))

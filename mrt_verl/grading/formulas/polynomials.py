"""Polynomials over the rationals in generators that obey relations."""

from fractions import Fraction
from typing import Any

from mrt_verl.grading.formulas.nodes import Limits, TooBig, Unreadable, check_size

Monomial = frozenset[tuple[Any, Fraction]]
Polynomial = dict[Monomial, Fraction]
Quotient = tuple[Polynomial, Polynomial]
EMPTY_MONOMIAL: Monomial = frozenset()
UNIT_POLYNOMIAL: Polynomial = {EMPTY_MONOMIAL: Fraction(1)}


class Opaque(Exception):
    """No normal form, although the formula may have a value."""


def constant(value: Fraction | int) -> Quotient:
    """A rational number."""
    return ({EMPTY_MONOMIAL: Fraction(value)} if value else {}, UNIT_POLYNOMIAL)


def generator(name: Any, exponent: Fraction = Fraction(1)) -> Quotient:
    """One generator to a power."""
    return {frozenset({(name, exponent)}): Fraction(1)}, UNIT_POLYNOMIAL


def is_dependent(polynomial: Polynomial) -> bool:
    """Whether generators occur that may depend on each other."""
    return any(type(name) is tuple and name[0] != "r" for monomial in polynomial for name, _ in monomial)


def difference(one: Quotient, other: Quotient) -> Polynomial:
    """The numerator of one - other; empty if they are equal."""
    if one[1] == other[1]:
        return _add(one[0], other[0], -1)
    return _add(multiply_polynomials(one[0], other[1]), multiply_polynomials(other[0], one[1]), -1)


def _add(one: Polynomial, other: Polynomial, sign: int = 1) -> Polynomial:
    total = dict(one)
    for monomial, coefficient in other.items():
        value = total.get(monomial, 0) + sign * coefficient
        if value:
            total[monomial] = value
        else:
            total.pop(monomial, None)
    if len(total) > Limits.terms:
        raise TooBig
    return total


def _multiply_monomials(one: Monomial, other: Monomial) -> tuple[Monomial, Fraction, list[tuple[Any, int]]]:
    """Product, its rational factor, and roots of polynomials that became whole."""
    if not one or not other:
        return one or other, Fraction(1), []
    exponents = dict(one)
    factor, whole = Fraction(1), []
    for name, exponent in other:
        total = exponents.get(name, Fraction(0)) + exponent
        if name == "i":
            times = int(total) % 4
            factor *= -1 if times >= 2 else 1
            total = Fraction(times % 2)
        elif type(name) is tuple and name[0] == "r":
            steps = total.__floor__()
            if steps:
                factor *= Fraction(name[1]) ** steps
                total -= steps
        elif type(name) is tuple and name[0] == "root" and total.denominator == 1 and total:
            whole.append((name, int(total)))
            total = Fraction(0)
        if total:
            exponents[name] = total
        else:
            exponents.pop(name, None)
    return frozenset(exponents.items()), factor, whole


def multiply_polynomials(one: Polynomial, other: Polynomial) -> Polynomial:
    if len(one) * len(other) > 12 * Limits.terms:
        raise TooBig
    total: Polynomial = {}
    for left, left_coefficient in one.items():
        for right, right_coefficient in other.items():
            monomial, factor, whole = _multiply_monomials(left, right)
            coefficient = left_coefficient * right_coefficient * factor
            if whole:
                product: Polynomial = {monomial: coefficient}
                for name, times in whole:
                    for _ in range(abs(times)):
                        if times < 0:
                            raise Opaque
                        product = multiply_polynomials(product, dict(name[1]))
                total = _add(total, product)
                continue
            value = total.get(monomial, 0) + coefficient
            if value:
                total[monomial] = check_size(value)
            else:
                total.pop(monomial, None)
    if len(total) > Limits.terms:
        raise TooBig
    return total


def times(one: Quotient, other: Quotient) -> Quotient:
    """The product."""
    return multiply_polynomials(one[0], other[0]), _denominators(one[1], other[1])


def plus(one: Quotient, other: Quotient) -> Quotient:
    """The sum."""
    if one[1] == other[1]:
        return _add(one[0], other[0]), one[1]
    numerator = _add(multiply_polynomials(one[0], other[1]), multiply_polynomials(other[0], one[1]))
    return numerator, _denominators(one[1], other[1])


def _denominators(one: Polynomial, other: Polynomial) -> Polynomial:
    if one is UNIT_POLYNOMIAL or one == UNIT_POLYNOMIAL:
        return other
    return one if other == UNIT_POLYNOMIAL else multiply_polynomials(one, other)


def inverse(one: Quotient) -> Quotient:
    """1/one; a numerator of one term goes into the exponents."""
    if not one[0]:
        raise Unreadable("division by zero")
    if len(one[0]) == 1:
        ((monomial, coefficient),) = one[0].items()
        turned = power_of_monomial(monomial, Fraction(-1))
        return multiply_polynomials(
            turned, {key: value / coefficient for key, value in one[1].items()}
        ), UNIT_POLYNOMIAL
    return one[1], one[0]


def power_of_monomial(monomial: Monomial, exponent: Fraction) -> Polynomial:
    """An integer power of a monomial, or any power of one of positive constants."""
    total: Polynomial = UNIT_POLYNOMIAL
    for name, its in monomial:
        total = multiply_polynomials(total, reduced_power(name, its * exponent))
    return total


def reduced_power(name: Any, exponent: Fraction) -> Polynomial:
    """name^exponent with the relations of i, of primes' roots and of nested roots applied."""
    if name == "i":
        times = int(exponent) % 4
        return {frozenset({("i", Fraction(1))}) if times % 2 else EMPTY_MONOMIAL: Fraction(-1 if times >= 2 else 1)}
    if type(name) is tuple and name[0] == "r":
        steps = exponent.__floor__()
        rest = exponent - steps
        return {frozenset({(name, rest)}) if rest else EMPTY_MONOMIAL: check_size(Fraction(name[1]) ** steps)}
    if type(name) is tuple and name[0] == "root" and exponent.denominator == 1 and exponent > 0:
        return integer_power(dict(name[1]), int(exponent))
    return {frozenset({(name, exponent)}): Fraction(1)} if exponent else UNIT_POLYNOMIAL


def integer_power(base: Polynomial, exponent: int) -> Polynomial:
    if len(base) > 1 and exponent > 64:
        raise TooBig
    total = UNIT_POLYNOMIAL
    while exponent:
        if exponent & 1:
            total = multiply_polynomials(total, base)
        exponent >>= 1
        if exponent:
            base = multiply_polynomials(base, base)
    return total

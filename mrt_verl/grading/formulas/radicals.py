"""Powers of quotients of polynomials; positive constants come out of a root."""

from fractions import Fraction
from functools import lru_cache

from mrt_verl.grading.formulas.nodes import Limits, TooBig, Unreadable
from mrt_verl.grading.formulas.polynomials import (
    EMPTY_MONOMIAL,
    UNIT_POLYNOMIAL,
    Monomial,
    Opaque,
    Polynomial,
    Quotient,
    constant,
    generator,
    integer_power,
    inverse,
    multiply_polynomials,
    power_of_monomial,
    reduced_power,
    times,
)

_MAX_PRIME = 2_000


def raised(base: Quotient, exponent: Fraction) -> Quotient:
    """base^exponent for a rational exponent, principal branch."""
    if not base[0]:
        if exponent <= 0:
            raise Unreadable("0 to a power that is not positive")
        return constant(0)
    if exponent.denominator == 1:
        if exponent < 0:
            return raised(inverse(base), -exponent)
        if len(base[0]) == 1 and len(base[1]) == 1:
            return _raised_term(base, exponent)
        return integer_power(base[0], int(exponent)), integer_power(base[1], int(exponent))
    return _fractional(base, exponent)


def _raised_term(base: Quotient, exponent: Fraction) -> Quotient:
    ((monomial, coefficient),) = base[0].items()
    ((below, bottom),) = base[1].items()
    if abs(exponent) * (coefficient.numerator.bit_length() + coefficient.denominator.bit_length()) > 4 * Limits.bits:
        raise TooBig
    top = multiply_polynomials(
        power_of_monomial(monomial, exponent), {EMPTY_MONOMIAL: (coefficient / bottom) ** int(exponent)}
    )
    return multiply_polynomials(top, power_of_monomial(below, -exponent)), UNIT_POLYNOMIAL


def _fractional(base: Quotient, exponent: Fraction) -> Quotient:
    """A root: positive constants come out of it, what is left is a generator of its own."""
    if base[1] != UNIT_POLYNOMIAL:
        base = times(base, inverse((base[1], UNIT_POLYNOMIAL))) if len(base[1]) == 1 else base
    if len(base[0]) == 1 and base[1] == UNIT_POLYNOMIAL:
        ((monomial, coefficient),) = base[0].items()
        outside, inside = _split(monomial, exponent)
        if coefficient < 0 and not inside and exponent.denominator == 2:
            outside = multiply_polynomials(
                outside, {frozenset({("i", Fraction(1))}): Fraction((-1) ** (exponent.numerator // 2))}
            )
            coefficient = -coefficient
        if coefficient > 0 and not inside:
            return multiply_polynomials(outside, _rational_power(coefficient, exponent)), UNIT_POLYNOMIAL
        if coefficient > 0:
            outside = multiply_polynomials(outside, _rational_power(coefficient, exponent))
            coefficient = Fraction(1)
        rest: Polynomial = {inside: coefficient}
        return multiply_polynomials(
            outside, {frozenset({(("root", frozenset(rest.items())), exponent)}): Fraction(1)}
        ), UNIT_POLYNOMIAL
    if base[1] != UNIT_POLYNOMIAL:
        top, bottom = (frozenset(part.items()) for part in base)
        return generator(("fn", "power", top, bottom, exponent))
    content = _content(base[0])
    rest = {monomial: value / content for monomial, value in base[0].items()}
    opaque = generator(("root", frozenset(rest.items())), exponent)
    return times((_rational_power(content, exponent), UNIT_POLYNOMIAL), opaque)


def _content(polynomial: Polynomial) -> Fraction:
    """The positive rational factor that leaves coprime integers."""
    from math import gcd, lcm

    top = gcd(*(value.numerator for value in polynomial.values()))
    return Fraction(top, lcm(*(value.denominator for value in polynomial.values())))


def _split(monomial: Monomial, exponent: Fraction) -> tuple[Polynomial, Monomial]:
    """The factors whose power is known by multiplying exponents, and the others."""
    outside, inside = UNIT_POLYNOMIAL, set()
    for name, its in monomial:
        positive = name in ("pi", "e") or (type(name) is tuple and name[0] in ("r", "ln+"))
        if positive or (type(name) is str and its == 1 and name.startswith("v:") and len(monomial) == 1):
            outside = multiply_polynomials(outside, reduced_power(name, its * exponent))
        else:
            inside.add((name, its))
    return outside, frozenset(inside)


def _rational_power(value: Fraction, exponent: Fraction) -> Polynomial:
    total = UNIT_POLYNOMIAL
    for part, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime, multiplicity in factors(part):
            total = multiply_polynomials(total, reduced_power(("r", prime), exponent * multiplicity * sign))
    return total


@lru_cache(maxsize=4096)
def factors(value: int) -> tuple[tuple[int, int], ...]:
    """Prime factors with multiplicities.

    Raises:
        Opaque: a factor is left that trial division cannot split.
    """
    found = []
    prime = 2
    while prime * prime <= value and prime < _MAX_PRIME:
        multiplicity = 0
        while value % prime == 0:
            value //= prime
            multiplicity += 1
        if multiplicity:
            found.append((prime, multiplicity))
        prime += 1 if prime == 2 else 2
    if value > 1:
        if value >= _MAX_PRIME**2:
            raise Opaque
        found.append((value, 1))
    return tuple(found)

r"""Exact normal forms: quotients of polynomials over the rationals in variables, pi, e, i, roots of primes and functions.

A monomial is a frozenset of (generator, exponent), a polynomial a dict from monomials to non-zero Fractions, a normal
form a pair (numerator, denominator). Roots of primes obey p^(1/n)^n = p and i^2 = -1, so that two numbers made of
rationals, roots and i are equal exactly if their cross-multiplied difference vanishes; the same holds for rational
functions. Generators that may depend on each other (functions, nested roots) are marked: for them a difference that
does not vanish says nothing.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Any

from mrt_verl.grading.expressions import Limits, Node, TooBig, Unreadable, check_size

Monomial = frozenset[tuple[Any, Fraction]]
Polynomial = dict[Monomial, Fraction]
Quotient = tuple[Polynomial, Polynomial]

_ONE: Monomial = frozenset()
_UNIT: Polynomial = {_ONE: Fraction(1)}
_MAX_PRIME = 2_000


class Opaque(Exception):
    """No normal form, although the formula may have a value."""


def constant(value: Fraction | int) -> Quotient:
    """A rational number."""
    return ({_ONE: Fraction(value)} if value else {}, _UNIT)


def generator(name: Any, exponent: Fraction = Fraction(1)) -> Quotient:
    """One generator to a power."""
    return {frozenset({(name, exponent)}): Fraction(1)}, _UNIT


def is_dependent(polynomial: Polynomial) -> bool:
    """Whether generators occur that may depend on each other."""
    return any(type(name) is tuple and name[0] != "r" for monomial in polynomial for name, _ in monomial)


def difference(one: Quotient, other: Quotient) -> Polynomial:
    """The numerator of one - other; empty if they are equal."""
    if one[1] == other[1]:
        return _add(one[0], other[0], -1)
    return _add(_multiply(one[0], other[1]), _multiply(other[0], one[1]), -1)


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


def _multiply(one: Polynomial, other: Polynomial) -> Polynomial:
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
                        product = _multiply(product, dict(name[1]))
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
    return _multiply(one[0], other[0]), _denominators(one[1], other[1])


def plus(one: Quotient, other: Quotient) -> Quotient:
    """The sum."""
    if one[1] == other[1]:
        return _add(one[0], other[0]), one[1]
    numerator = _add(_multiply(one[0], other[1]), _multiply(other[0], one[1]))
    return numerator, _denominators(one[1], other[1])


def _denominators(one: Polynomial, other: Polynomial) -> Polynomial:
    if one is _UNIT or one == _UNIT:
        return other
    return one if other == _UNIT else _multiply(one, other)


def inverse(one: Quotient) -> Quotient:
    """1/one; a numerator of one term goes into the exponents."""
    if not one[0]:
        raise Unreadable("division by zero")
    if len(one[0]) == 1:
        ((monomial, coefficient),) = one[0].items()
        turned = _power_of_monomial(monomial, Fraction(-1))
        return _multiply(turned, {key: value / coefficient for key, value in one[1].items()}), _UNIT
    return one[1], one[0]


def _power_of_monomial(monomial: Monomial, exponent: Fraction) -> Polynomial:
    """An integer power of a monomial, or any power of one of positive constants."""
    total: Polynomial = _UNIT
    for name, its in monomial:
        total = _multiply(total, _reduced(name, its * exponent))
    return total


def _reduced(name: Any, exponent: Fraction) -> Polynomial:
    """name^exponent with the relations of i, of primes' roots and of nested roots applied."""
    if name == "i":
        times = int(exponent) % 4
        return {frozenset({("i", Fraction(1))}) if times % 2 else _ONE: Fraction(-1 if times >= 2 else 1)}
    if type(name) is tuple and name[0] == "r":
        steps = exponent.__floor__()
        rest = exponent - steps
        return {frozenset({(name, rest)}) if rest else _ONE: check_size(Fraction(name[1]) ** steps)}
    if type(name) is tuple and name[0] == "root" and exponent.denominator == 1 and exponent > 0:
        return _integer_power(dict(name[1]), int(exponent))
    return {frozenset({(name, exponent)}): Fraction(1)} if exponent else _UNIT


def _integer_power(base: Polynomial, exponent: int) -> Polynomial:
    if len(base) > 1 and exponent > 64:
        raise TooBig
    total = _UNIT
    while exponent:
        if exponent & 1:
            total = _multiply(total, base)
        exponent >>= 1
        if exponent:
            base = _multiply(base, base)
    return total


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
        return _integer_power(base[0], int(exponent)), _integer_power(base[1], int(exponent))
    return _fractional(base, exponent)


def _raised_term(base: Quotient, exponent: Fraction) -> Quotient:
    ((monomial, coefficient),) = base[0].items()
    ((below, bottom),) = base[1].items()
    if abs(exponent) * (coefficient.numerator.bit_length() + coefficient.denominator.bit_length()) > 4 * Limits.bits:
        raise TooBig
    top = _multiply(_power_of_monomial(monomial, exponent), {_ONE: (coefficient / bottom) ** int(exponent)})
    return _multiply(top, _power_of_monomial(below, -exponent)), _UNIT


def _fractional(base: Quotient, exponent: Fraction) -> Quotient:
    """A root: positive constants come out of it, what is left is a generator of its own."""
    if base[1] != _UNIT:
        base = times(base, inverse((base[1], _UNIT))) if len(base[1]) == 1 else base
    if len(base[0]) == 1 and base[1] == _UNIT:
        ((monomial, coefficient),) = base[0].items()
        outside, inside = _split(monomial, exponent)
        if coefficient < 0 and not inside and exponent.denominator == 2:
            outside = _multiply(outside, {frozenset({("i", Fraction(1))}): Fraction((-1) ** (exponent.numerator // 2))})
            coefficient = -coefficient
        if coefficient > 0 and not inside:
            return _multiply(outside, _rational_power(coefficient, exponent)), _UNIT
        if coefficient > 0:
            outside = _multiply(outside, _rational_power(coefficient, exponent))
            coefficient = Fraction(1)
        rest: Polynomial = {inside: coefficient}
        return _multiply(outside, {frozenset({(("root", frozenset(rest.items())), exponent)}): Fraction(1)}), _UNIT
    if base[1] != _UNIT:
        top, bottom = (frozenset(part.items()) for part in base)
        return generator(("fn", "power", top, bottom, exponent))
    content = _content(base[0])
    rest = {monomial: value / content for monomial, value in base[0].items()}
    opaque = generator(("root", frozenset(rest.items())), exponent)
    return times((_rational_power(content, exponent), _UNIT), opaque)


def _content(polynomial: Polynomial) -> Fraction:
    """The positive rational factor that leaves coprime integers."""
    from math import gcd, lcm

    top = gcd(*(value.numerator for value in polynomial.values()))
    return Fraction(top, lcm(*(value.denominator for value in polynomial.values())))


def _split(monomial: Monomial, exponent: Fraction) -> tuple[Polynomial, Monomial]:
    """The factors whose power is known by multiplying exponents, and the others."""
    outside, inside = _UNIT, set()
    for name, its in monomial:
        positive = name in ("pi", "e") or (type(name) is tuple and name[0] in ("r", "ln+"))
        if positive or (type(name) is str and its == 1 and name.startswith("v:") and len(monomial) == 1):
            outside = _multiply(outside, _reduced(name, its * exponent))
        else:
            inside.add((name, its))
    return outside, frozenset(inside)


def _rational_power(value: Fraction, exponent: Fraction) -> Polynomial:
    total = _UNIT
    for part, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime, multiplicity in factors(part):
            total = _multiply(total, _reduced(("r", prime), exponent * multiplicity * sign))
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
    if above[1] != _UNIT:
        raise Opaque
    bases = _positive_bases(below)
    total = constant(1)
    for monomial, coefficient in above[0].items():
        if monomial == _ONE:
            total = times(total, raised(below, coefficient))
            continue
        if any(name == "i" for name, _ in monomial):
            raise Opaque
        for name, multiplicity in bases:
            total = times(total, generator(("pow", name, monomial), coefficient * multiplicity))
    return total


def _positive_bases(base: Quotient) -> list[tuple[Any, Fraction]]:
    """The base of a power with a symbolic exponent, as positive numbers or one variable with multiplicities."""
    if len(base[0]) != 1 or base[1] != _UNIT:
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
    if denominator is not _UNIT and list(denominator) != [_ONE]:
        return None
    if not numerator:
        return Fraction(0)
    if list(numerator) == [_ONE]:
        return numerator[_ONE] / denominator[_ONE]
    return None


_SINES = {
    Fraction(0): (0, 1),
    Fraction(1, 6): (Fraction(1, 2), 1),
    Fraction(1, 4): (Fraction(1, 2), 2),
    Fraction(1, 3): (Fraction(1, 2), 3),
    Fraction(1, 2): (1, 1),
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
    if form[1] != _UNIT or list(form[0]) != [frozenset({("pi", Fraction(1))})]:
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
    return times(constant(sign * Fraction(factor)), raised(constant(radicand), Fraction(1, 2)))


def _logarithm(form: Quotient) -> Quotient:
    """The logarithm of a positive constant as the sum over its factors; of anything else a generator."""
    numerator, denominator = form
    if len(numerator) == 1 and denominator == _UNIT:
        ((monomial, coefficient),) = numerator.items()
        constants = all(name in ("e", "pi") or name[0] == "r" for name, _ in monomial)
        if coefficient > 0 and constants:
            total = constant(0)
            for name, exponent in monomial:
                part = constant(1) if name == "e" else generator(("ln", name if name == "pi" else name[1]))
                total = plus(total, times(constant(exponent), part))
            for part, sign in ((coefficient.numerator, 1), (coefficient.denominator, -1)):
                for prime, multiplicity in factors(part):
                    total = plus(total, times(constant(sign * multiplicity), generator(("ln", prime))))
            return total
    if not numerator:
        raise Unreadable("the logarithm of 0")
    return generator(("fn", "ln", (frozenset(numerator.items()), frozenset(denominator.items()))))

r"""Polynomials and rational functions, and the ways people write them."""

import math
import random
from typing import Any

import sympy

from spelling.family import SUPERSCRIPT, Family

X = sympy.Symbol("x")


def polynomial(coefficients: tuple[int, ...], name: str = "x", style: str = "latex") -> str:
    """A polynomial from its coefficients, constant first, in LaTeX, Python or with superscripts."""
    terms = []
    for power in range(len(coefficients) - 1, -1, -1):
        factor = coefficients[power]
        if factor:
            terms.append(f"{'-' if factor < 0 else '+'}{_term(abs(factor), power, name, style)}")
    text = "".join(terms).removeprefix("+")
    return text.replace("+", " + ").replace("-", " - ").strip() if style == "spaced" else text or "0"


def _term(size: int, power: int, name: str, style: str) -> str:
    if power == 0:
        return str(size)
    raised = {"python": f"**{power}", "unicode": str(power).translate(SUPERSCRIPT), "caret": f"^{power}"}
    factor = "" if size == 1 else f"{size}*" if style == "python" else str(size)
    return f"{factor}{name}" + (
        "" if power == 1 else raised.get(style, f"^{{{power}}}" if power > 9 or size % 2 else f"^{power}")
    )


def spell_polynomial(value: tuple[int, ...], rng: random.Random) -> list[str]:
    """A polynomial in x: expanded in four styles, its terms turned round, factored, as `y = …`."""
    expression = sum(factor * X**power for power, factor in enumerate(value))
    ways = [polynomial(value, style=style) for style in ("latex", "python", "unicode", "caret", "spaced")]
    ways += [
        sympy.latex(sympy.factor(expression)),
        str(sympy.factor(expression)),
        f"y = {polynomial(value)}",
        f"f(x)={polynomial(value)}",
    ]
    upwards = "+".join(
        f"({factor}x^{power})" if power else f"({factor})" for power, factor in enumerate(value) if factor
    )
    return [*ways, upwards, rf"x \cdot ({polynomial(value[1:])})+({value[0]})"]


def _polynomial_slips(value: tuple[int, ...], rng: random.Random) -> list[tuple[int, ...]]:
    flipped = tuple(-one for one in value)
    slips = [flipped, tuple(reversed(value)), (value[0] + 1, *value[1:]), (*value[:-1], value[-1] + 1), (0, *value)]
    return [one for one in slips if any(one)]


def _polynomial_decoys(value: tuple[int, ...], rng: random.Random) -> list[str]:
    at_two = sum(factor * 2**power for power, factor in enumerate(value))
    return [
        polynomial(value, "t"),
        str(at_two),
        f"x = {at_two}",
        f"({polynomial(value)})^2",
        f"{polynomial(value)} + y",
    ]


def spell_ratio(value: tuple[Any, ...], rng: random.Random) -> list[str]:
    """(ax + b)/(cx + d) from (a, b, c, d)."""
    a, b, c, d = value
    top, bottom = polynomial((b, a)), polynomial((d, c))
    ways = [
        rf"\frac{{{top}}}{{{bottom}}}",
        f"({top})/({bottom})",
        rf"\dfrac{{{top}}}{{{bottom}}}",
        rf"\frac{{{polynomial((2 * b, 2 * a))}}}{{{polynomial((2 * d, 2 * c))}}}",
    ]
    ways += [
        rf"\frac{{{polynomial((-b, -a))}}}{{{polynomial((-d, -c))}}}",
        rf"\left({top}\right)/\left({bottom}\right)",
    ]
    return [
        *ways,
        rf"\frac{{{b}+{a}x}}{{{bottom}}}",
        f"({polynomial((b, a), style='python')})/({polynomial((d, c), style='python')})",
    ]


def _ratio_slips(value: tuple[int, ...], rng: random.Random) -> list[tuple[int, ...]]:
    a, b, c, d = value
    return [one for one in ((c, d, a, b), (a, b + 1, c, d), (a, -b, c, d), (a, b, c, d + 1)) if one[0] and one[2]]


def _ratio_decoys(value: tuple[int, ...], rng: random.Random) -> list[str]:
    a, b, c, d = value
    top, bottom = polynomial((b, a)), polynomial((d, c))
    return [
        f"{top}/{bottom}" if b and d else top,
        rf"\frac{{{a}}}{{{c}}}" if a * d != b * c else "x",
        f"({top})({bottom})",
    ]


def _rational(rng: random.Random) -> tuple[int, ...]:
    while True:
        a, b, c, d = (rng.randrange(-6, 7) for _ in range(4))
        if a and b and c and d and a * d != b * c and abs(math.gcd(math.gcd(a, b), math.gcd(c, d))) == 1:
            return abs(a), b, abs(c), d


def _polynomial(rng: random.Random) -> tuple[int, ...]:
    return (*(rng.randrange(-7, 8) for _ in range(rng.randrange(1, 4))), rng.randrange(1, 5))


def _quotient(value: tuple[int, ...]) -> sympy.Expr:
    a, b, c, d = value
    return (a * X + b) / (c * X + d)


def _equal_ratios(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return bool(sympy.cancel(_quotient(one) - _quotient(other)) == 0)


def _equal_polynomials(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return bool(sympy.Poly(one[::-1], X) == sympy.Poly(other[::-1], X))


FUNCTIONS = (
    Family(
        "polynomial", _polynomial, spell_polynomial, _polynomial_slips, _polynomial_decoys, equal=_equal_polynomials
    ),
    Family("rational function", _rational, spell_ratio, _ratio_slips, _ratio_decoys, equal=_equal_ratios),
)

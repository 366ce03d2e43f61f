"""Values of formulas at fixed points: as floats here, with many digits by mpmath only in a worker."""

import cmath
import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from zlib import crc32

from mrt_verl.grading.formulas.nodes import Node

POINTS = 4
CLOSE = 1e-7
DIGITS = 60


def variables(node: Node) -> frozenset[str]:
    """Names of the variables in a formula."""
    if node[0] == "s":
        return frozenset({node[1]})
    if node[0] in ("n", "c"):
        return frozenset()
    parts: Iterable[Any] = node[1] if node[0] in "+*" else node[1:]
    return frozenset().union(*(variables(part) for part in parts if isinstance(part, tuple)))


@lru_cache(maxsize=4096)
def point(name: str, number: int) -> float:
    """The value of a variable at a point: between 0.3 and 2.7, negative at every other one."""
    value = 0.3 + 2.4 * (crc32(f"{number}:{name}".encode()) / 2**32)
    return -value if number % 2 else value


class Field:
    """The functions that an evaluation needs: cmath's or mpmath's."""

    def __init__(self, module: Any, number: Callable[[Any], Any], gamma: Callable[[Any], Any]) -> None:
        self.module, self.number, self.gamma = module, number, gamma


def _float_gamma(value: complex) -> complex:
    if value.imag or value.real > 170:
        raise OverflowError
    return complex(math.gamma(value.real))


FLOATS = Field(cmath, complex, _float_gamma)


@lru_cache(maxsize=1)
def many_digits() -> Field:
    """mpmath with DIGITS digits; for a worker, because nothing bounds its time."""
    import mpmath  # type: ignore[import-untyped]

    mpmath.mp.dps = DIGITS + 20
    return Field(mpmath, lambda value: mpmath.mpf(value.numerator) / value.denominator, mpmath.gamma)


def evaluate(node: Node, values: Mapping[str, float], field: Field = FLOATS) -> Any:
    """The value of a formula.

    Raises:
        ArithmeticError, ValueError: it has none here, or floats cannot hold it.
    """
    kind = node[0]
    if kind == "n":
        value = node[1]
        if field is FLOATS:
            return complex(value)
        return field.number(value)
    if kind == "s":
        value = values[node[1]]
        return complex(value) if field is FLOATS else field.module.mpc(value)
    if kind == "c":
        return _constant(node[1], field)
    if kind == "+":
        total = evaluate(node[1][0], values, field)
        for part in node[1][1:]:
            total = total + evaluate(part, values, field)
        return total
    if kind == "*":
        return evaluate(node[1][0], values, field) * evaluate(node[1][1], values, field)
    if kind == "/":
        return evaluate(node[1], values, field) / evaluate(node[2], values, field)
    if kind == "^":
        return _power(evaluate(node[1], values, field), evaluate(node[2], values, field), node, field)
    return _function(node[1], [evaluate(argument, values, field) for argument in node[2:]], field)


def _constant(name: str, field: Field) -> Any:
    if name == "oo":
        raise ValueError("infinity")
    if field is FLOATS:
        return {"pi": complex(math.pi), "e": complex(math.e), "i": 1j}[name]
    return {"pi": +field.module.pi, "e": +field.module.e, "i": field.module.mpc(0, 1)}[name]


def _power(base: Any, exponent: Any, node: Node, field: Field) -> Any:
    if base == 0:
        if exponent.real > 0:
            return base * 0
        raise ZeroDivisionError
    if exponent.imag == 0 and exponent.real == int(exponent.real) and abs(exponent.real) < 1e6:
        return base ** int(exponent.real)
    return base**exponent if field is FLOATS else field.module.power(base, exponent)


_RECIPROCALS = {"cot": "tan", "sec": "cos", "csc": "sin", "coth": "tanh"}
_NAMES = {
    **{"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh"},
    **{"arctanh": "atanh"},
}
_INVERTED = {"arccot": "atan", "arcsec": "acos", "arccsc": "asin"}


def _function(name: str, arguments: list[Any], field: Field) -> Any:
    module, value = field.module, arguments[0]
    if name == "log":  # the base is not told: an unknown factor, the same everywhere
        return module.log(value) * evaluate(("s", "log base"), {"log base": point("log base", 0)}, field)
    if name in _RECIPROCALS:
        return 1 / getattr(module, _RECIPROCALS[name])(value)
    if name in _INVERTED:
        return getattr(module, _INVERTED[name])(1 / value)
    if name == "abs":
        return abs(value) + 0 * value
    if name == "factorial":
        return field.gamma(value + 1)
    if name in ("binom", "perm"):
        n, k = arguments
        below = field.gamma(n - k + 1) * (field.gamma(k + 1) if name == "binom" else 1)
        return field.gamma(n + 1) / below
    if name in ("floor", "ceil"):
        if value.imag:
            raise ValueError(name)
        return value * 0 + (math.floor(value.real) if name == "floor" else math.ceil(value.real))
    if name == "sgn":
        return value * 0 + (value.real > 0) - (value.real < 0)
    if name == "Re":
        return value.real + 0 * value
    if name == "Im":
        return value.imag + 0 * value
    if name == "call":
        raise ValueError("a function without a definition")
    return getattr(module, _NAMES.get(name, name))(value)


def real_value(node: Node) -> float | None:
    """The value of a real constant as a float, None for anything else."""
    if node[0] == "n":
        try:
            return float(node[1])
        except OverflowError:
            return None
    try:
        value = evaluate(node, {})
    except (ArithmeticError, ValueError, KeyError, AttributeError):
        return None
    return value.real if abs(value.imag) <= 1e-9 * abs(value) and math.isfinite(value.real) else None


def float_values(node: Node, names: Iterable[str]) -> list[complex | None]:
    """Values at all points, None where floats do not give one."""
    found: list[complex | None] = []
    for number in range(POINTS):
        try:
            value = evaluate(node, {name: point(name, number) for name in names})
            found.append(value if cmath.isfinite(value) else None)
        except (ArithmeticError, ValueError, AttributeError, TypeError):
            found.append(None)
    return found


def differ(one: Node, other: Node) -> bool:
    """Whether two formulas surely have different values, by floats."""
    names = variables(one) | variables(other)
    for left, right in zip(float_values(one, names), float_values(other, names), strict=True):
        if left is not None and right is not None and abs(left - right) > CLOSE * max(abs(left), abs(right)):
            return True
    return False


def agree(one: Node, other: Node) -> bool:
    """Whether two formulas have the same values to many digits, at every point where either has one; for a worker.

    Raises:
        ValueError: neither has a value anywhere.
    """
    field = many_digits()
    names = variables(one) | variables(other)
    known = 0
    for number in range(POINTS if names else 1):
        values = []
        for node in (one, other):
            try:
                values.append(evaluate(node, {name: point(name, number) for name in names}, field))
            except (ArithmeticError, ValueError, AttributeError, TypeError):
                values.append(None)
        left, right = values
        if left is None and right is None:
            continue
        if left is None or right is None:
            return False
        if abs(left - right) > field.module.mpf(10) ** -DIGITS * max(abs(left), abs(right)):
            return False
        known += 1
    if not known:
        raise ValueError("no value anywhere")
    return True

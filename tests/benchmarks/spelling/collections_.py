# ruff: noqa: RUF001 - spellings are Unicode
r"""Tuples, sets and matrices, and the ways people write them."""

import random
from fractions import Fraction
from typing import Any

from spelling.family import Family
from spelling.numbers import spell_fraction

Matrix = tuple[tuple[Fraction, ...], ...]


def number(value: Fraction, rng: random.Random) -> str:
    """One spelling of a coordinate."""
    if value.denominator == 1:
        return str(value.numerator)
    ways = [one for one in spell_fraction(value, rng) if not set(one) & set("⁄÷") and r"\div" not in one]
    return rng.choice(ways)


def _numbers(values: Any, rng: random.Random) -> list[str]:
    return [number(value, rng) for value in values]


def spell_tuple(value: tuple[Fraction, ...], rng: random.Random) -> list[str]:
    """A point, its coordinates spelled anew in every way."""
    ways = []
    for opened, separator, closed in (
        ("(", ",", ")"), ("(", ", ", ")"), (r"\left(", ",", r"\right)"), (r"\left( ", r",\ ", r" \right)"),
        ("(", r",\,", ")"),
        ("（", "，", "）"), (r"\big(", ",", r"\big)"), ("(", " , ", ")"), (r"\left(", r",\;", r"\right)"),
    ):  # fmt: skip
        ways.append(opened + separator.join(_numbers(value, rng)) + closed)
    return ways


def _tuple_slips(value: tuple[Fraction, ...], rng: random.Random) -> list[tuple[Fraction, ...]]:
    place = rng.randrange(len(value))
    nudged = tuple(one + (number == place) for number, one in enumerate(value))
    negated = tuple(-one if number == place else one for number, one in enumerate(value))
    return [value[::-1], nudged, negated, value[:-1] if len(value) > 2 else (*value, value[0]), (*value, Fraction(0))]


def _tuple_decoys(value: tuple[Fraction, ...], rng: random.Random) -> list[str]:
    texts = _numbers(value, rng)
    return [r"\{" + ",".join(texts) + r"\}", "+".join(texts), texts[0], f"({', '.join(texts)}), (9, 9)"]


def spell_set(value: frozenset[Fraction], rng: random.Random) -> list[str]:
    """A set, its elements in any order."""
    ways = []
    for opened, separator, closed in (
        (r"\{", ",", r"\}"), (r"\{", ", ", r"\}"), (r"\left\{", ",", r"\right\}"), (r"\lbrace ", ", ", r"\rbrace"),
        ("{", ", ", "}"),
        (r"\{ ", r",\ ", r" \}"), ("", ", ", ""), ("", ",", ""), (r"\{", "，", r"\}"),
    ):  # fmt: skip
        ways.append(opened + separator.join(_shuffled(value, rng)) + closed)
    texts = _shuffled(value, rng)
    ways.append(", ".join(texts[:-1]) + r" \text{ and } " + texts[-1])
    ways.append(", ".join(texts[:-1]) + " and " + texts[-1])
    ways.append(r" \text{ or } ".join(f"x={text}" for text in texts))
    ways.append(", ".join(f"x = {text}" for text in texts))
    return ways


def _shuffled(value: frozenset[Fraction], rng: random.Random) -> list[str]:
    return _numbers(rng.sample(sorted(value), len(value)), rng)


def _set_slips(value: frozenset[Fraction], rng: random.Random) -> list[frozenset[Fraction]]:
    one = rng.choice(sorted(value))
    others = value - {one}
    return [
        others if len(others) > 1 else value | {one + 1},
        others | {one + 1},
        others | {-one},
        value | {max(value) + 1},
    ]


def _set_decoys(value: frozenset[Fraction], rng: random.Random) -> list[str]:
    texts = _shuffled(value, rng)
    ends = sorted(value)
    return [
        texts[0],
        f"[{ends[0]}, {ends[-1]}]",
        f"x = {texts[0]}",
        "+".join(texts),
        r"\emptyset",
        f"({texts[0]}, {texts[0]})",
    ]


def spell_matrix(value: Matrix, rng: random.Random) -> list[str]:
    """A matrix in LaTeX's environments and as nested lists."""
    ways = []
    for environment in ("pmatrix", "bmatrix", "pmatrix", "bmatrix", "Bmatrix"):
        for cell, row in (("&", r"\\"), (" & ", r" \\ "), (" & ", r" \\" + "\n")):
            ways.append(_environment(value, rng, environment, cell, row))
    rows = r" \\ ".join(" & ".join(_numbers(row, rng)) for row in value)
    columns = "c" * len(value[0])
    ways.append(rf"\left(\begin{{array}}{{{columns}}} {rows} \end{{array}}\right)")
    ways.append(rf"\left[\begin{{array}}{{{columns}}} {rows} \end{{array}}\right]")
    ways.append("[" + ", ".join("[" + ", ".join(_numbers(row, rng)) + "]" for row in value) + "]")
    return [*ways, "[" + ",".join("[" + ",".join(_numbers(row, rng)) + "]" for row in value) + "]"]


def _environment(value: Matrix, rng: random.Random, name: str, cell: str, row: str) -> str:
    cells = row.join(cell.join(_numbers(one, rng)) for one in value)
    return rf"\begin{{{name}}} {cells} \end{{{name}}}"


def _matrix_slips(value: Matrix, rng: random.Random) -> list[Matrix]:
    nudged = ((value[0][0] + 1, *value[0][1:]), *value[1:])
    negated = (*value[:-1], (*value[-1][:-1], -value[-1][-1]))
    return [
        tuple(zip(*value, strict=True)),
        nudged,
        negated,
        value[::-1],
        tuple(row[::-1] for row in value),
        value[:-1],
    ]


def _matrix_decoys(value: Matrix, rng: random.Random) -> list[str]:
    flat = [number(one, rng) for row in value for one in row]
    return [r"\{" + ", ".join(flat) + r"\}", flat[0], "+".join(flat), "0"]


def _coordinate(rng: random.Random) -> Fraction:
    return Fraction(rng.randrange(-12, 13), rng.choice([1, 1, 1, 2, 3, 4, 5]))


def _point(rng: random.Random) -> tuple[Fraction, ...]:
    return tuple(_coordinate(rng) for _ in range(rng.choice([2, 2, 3])))


def _set(rng: random.Random) -> frozenset[Fraction]:
    while len(value := frozenset(_coordinate(rng) for _ in range(rng.choice([2, 3, 4])))) < 2:
        pass
    return value


def _matrix(rng: random.Random) -> Matrix:
    width = rng.choice([2, 2, 3])
    return tuple(tuple(_coordinate(rng) for _ in range(width)) for _ in range(2))


COLLECTIONS = (
    Family("tuple", _point, spell_tuple, _tuple_slips, _tuple_decoys),
    Family("set", _set, spell_set, _set_slips, _set_decoys),
    Family("matrix", _matrix, spell_matrix, _matrix_slips, _matrix_decoys),
)

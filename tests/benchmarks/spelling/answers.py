# ruff: noqa: RUF001 - spellings are Unicode
r"""Answers of several parts: choices, named values, plus-minus, lists of points, vectors, ratios, remainders, times."""

import random
from typing import Any

from spelling.family import Family

LETTERS = "ABCDE"


def spell_choices(value: frozenset[str], rng: random.Random) -> list[str]:
    """Several choice letters, in any order."""
    letters = sorted(value)
    mixed = rng.sample(letters, len(letters))
    ways = [
        ", ".join(letters),
        ",".join(letters),
        "".join(letters),
        ", ".join(mixed),
        ", ".join(f"({one})" for one in mixed),
    ]
    ways += [
        " and ".join([", ".join(letters[:-1]), letters[-1]]),
        rf"\text{{{', '.join(letters)}}}",
        "、".join(letters),
    ]
    return [*ways, r" \text{ and } ".join([", ".join(letters[:-1]), letters[-1]]), f"({', '.join(letters)})"]


def _choices_slips(value: frozenset[str], rng: random.Random) -> list[frozenset[str]]:
    more = [value | {one} for one in LETTERS if one not in value]
    fewer = [value - {one} for one in value if len(value) > 2]
    swapped = [value - {rng.choice(sorted(value))} | {one} for one in LETTERS if one not in value]
    return [*more, *fewer, *swapped]


def _choices_decoys(value: frozenset[str], rng: random.Random) -> list[str]:
    return [sorted(value)[0], f"({sorted(value)[-1]})", str(len(value))]


Named = tuple[tuple[str, int], ...]


def spell_named(value: Named, rng: random.Random) -> list[str]:
    """x = 3, y = 4."""
    given = [f"{name}={number}" for name, number in value]
    spaced = [f"{name} = {number}" for name, number in value]
    ways = [", ".join(given), ", ".join(spaced), ",".join(given), r",\quad ".join(spaced), ", ".join(reversed(spaced))]
    ways += [r" \text{ and } ".join(spaced), " and ".join(spaced), "; ".join(given)]
    names, numbers = ",".join(name for name, _ in value), ",".join(str(number) for _, number in value)
    return [*ways, f"({names})=({numbers})", f"({names.replace(',', ', ')}) = ({numbers.replace(',', ', ')})"]


def _named_slips(value: Named, rng: random.Random) -> list[Named]:
    names, numbers = [name for name, _ in value], [number for _, number in value]
    turned = tuple(zip(names, numbers[::-1], strict=True))
    nudged = ((names[0], numbers[0] + 1), *value[1:])
    negated = (*value[:-1], (names[-1], -numbers[-1]))
    return [turned, nudged, negated]


def _named_decoys(value: Named, rng: random.Random) -> list[str]:
    (name, number), *_ = value
    return [f"{name}={number}", str(number), "+".join(str(one) for _, one in value)]


def spell_plus_minus(value: int, rng: random.Random) -> list[str]:
    """The number and its negative."""
    ways = [rf"\pm {value}", rf"\pm{value}", f"±{value}", rf"x = \pm {value}", f"± {value}"]
    ways += [f"{value}, -{value}", rf"\{{-{value}, {value}\}}", f"-{value}, {value}", rf"\{{{value},-{value}\}}"]
    return [*ways, f"{value} and -{value}", rf"x={value} \text{{ or }} x=-{value}", rf"{value} \text{{ or }} -{value}"]


def _plus_minus_decoys(value: int, rng: random.Random) -> list[str]:
    return [
        str(value),
        f"-{value}",
        f"x={value}",
        rf"\mp {value + 1}",
        f"{value}, {value}",
        f"(-{value}, {value})",
        f"|{value}|",
        "0",
    ]


Points = frozenset[tuple[int, int]]


def spell_points(value: Points, rng: random.Random) -> list[str]:
    """Several pairs, in any order."""
    ways = []
    for opened, between, closed in (
        *(("", ", ", ""), ("", ",", ""), ("", "; ", ""), (r"\{", ", ", r"\}"), ("", r" \text{ and } ", "")),
        *((r"\left\{", ",", r"\right\}"), ("", " and ", ""), ("", r",\ ", ""), ("", r" \text{ or } ", "")),
    ):
        points = [f"({one},{' ' * rng.randrange(2)}{other})" for one, other in rng.sample(sorted(value), len(value))]
        ways.append(opened + between.join(points) + closed)
    return [*ways, "(x,y)=" + ",".join(f"({one},{other})" for one, other in sorted(value))]


def _points_slips(value: Points, rng: random.Random) -> list[Points]:
    one = rng.choice(sorted(value))
    rest = value - {one}
    return [
        rest | {one[::-1]},
        rest | {(one[0] + 1, one[1])},
        rest | {(one[0], -one[1])},
        value | {(99, 98)},
        rest | {(0, 99)},
    ]


def _points_decoys(value: Points, rng: random.Random) -> list[str]:
    flat = ", ".join(f"{one}, {other}" for one, other in sorted(value))
    (one, other), *_ = sorted(value)
    return [flat, rf"\{{{flat}\}}", f"({flat})", f"({one},{other})"]


def spell_vector(value: tuple[int, ...], rng: random.Random) -> list[str]:
    """A vector: as a column, a row, in angle brackets, as a tuple."""
    column = r" \\ ".join(map(str, value))
    ways = [rf"\begin{{{name}}} {column} \end{{{name}}}" for name in ("pmatrix", "bmatrix")]
    ways += [
        f"({', '.join(map(str, value))})",
        rf"\langle {', '.join(map(str, value))} \rangle",
        f"({','.join(map(str, value))})",
    ]
    ways += [
        rf"\left(\begin{{array}}{{c}} {column} \end{{array}}\right)",
        rf"\left\langle {','.join(map(str, value))} \right\rangle",
    ]
    return ways


def _vector_slips(value: tuple[int, ...], rng: random.Random) -> list[tuple[int, ...]]:
    place = rng.randrange(len(value))
    nudged = tuple(one + (number == place) for number, one in enumerate(value))
    return [value[::-1], nudged, tuple(-one for one in value), (*value[1:], value[0]), value[:-1]]


def spell_ratio_of(value: tuple[int, int], rng: random.Random) -> list[str]:
    """A ratio in lowest terms."""
    one, other = value
    return [
        f"{one}:{other}",
        f"{one} : {other}",
        rf"{one} \colon {other}",
        f"{one}∶{other}",
        rf"{one}{{:}}{other}",
        f"{one}：{other}",
    ]


def spell_remainder(value: tuple[int, int], rng: random.Random) -> list[str]:
    """A quotient with its remainder."""
    quotient, rest = value
    ways = [
        rf"{quotient} \text{{ R }} {rest}",
        rf"{quotient}\text{{ R }}{rest}",
        f"{quotient} R {rest}",
        f"{quotient} R{rest}",
    ]
    return [
        *ways,
        rf"{quotient} \text{{ remainder }} {rest}",
        f"{quotient} remainder {rest}",
        rf"{quotient}\ \mathrm{{R}}\ {rest}",
    ]


def spell_time(value: tuple[int, int], rng: random.Random) -> list[str]:
    """A time of day."""
    hour, minute = value
    return [
        f"{hour}:{minute:02d}",
        rf"\text{{{hour}:{minute:02d}}}",
        f"{hour}{{:}}{minute:02d}",
        f" {hour}:{minute:02d} ",
        f"{hour} : {minute:02d}",
    ]


MONTHS = ("January", "March", "April", "June", "July", "September", "October", "December")


def spell_date(value: tuple[str, int], rng: random.Random) -> list[str]:
    """A month and a day."""
    month, day = value
    return [
        f"{month} {day}",
        rf"\text{{{month} {day}}}",
        rf"\text{{{month}}} {day}",
        f"{month}~{day}",
        rf"\text{{{month} }}{day}",
        f"{month} {day}.",
    ]


def _pair_slips(value: tuple[int, int], rng: random.Random) -> list[tuple[int, int]]:
    one, other = value
    return [(other, one), (one + 1, other), (one, other + 1), (10 * one, other), (one, other * 10 + 1)]


def _pair_decoys(value: tuple[Any, int], rng: random.Random) -> list[str]:
    one, other = value
    return [str(one), str(other), f"({one}, {other})", f"{one}, {other}", f"{one}.{other}", rf"\{{{one}, {other}\}}"]


def _points(rng: random.Random) -> Points:
    while len(value := frozenset((rng.randrange(-9, 10), rng.randrange(10, 20)) for _ in range(3))) < 3:
        pass
    return value


def _named(rng: random.Random) -> Named:
    names = rng.choice(["xy", "ab", "xyz", "mn", "pq", "abc"])
    return tuple((name, rng.choice([-1, 1]) * rng.randrange(1, 30)) for name in names)


def _coprime(rng: random.Random) -> tuple[int, int]:
    one = rng.randrange(1, 30)
    return one, one + rng.choice([1, -1]) if one > 2 else one + 1


ANSWERS = (
    Family(
        "choices",
        lambda rng: frozenset(rng.sample(LETTERS, rng.choice([2, 2, 3]))),
        spell_choices,
        _choices_slips,
        _choices_decoys,
    ),
    Family("named values", _named, spell_named, _named_slips, _named_decoys),
    Family(
        "plus-minus",
        lambda rng: rng.randrange(1, 40),
        spell_plus_minus,
        lambda value, rng: [value + 1, 10 * value],
        _plus_minus_decoys,
    ),
    Family(
        "points",
        _points,
        spell_points,
        _points_slips,
        _points_decoys,
    ),
    Family(
        "vector",
        lambda rng: tuple(rng.choice([-1, 1]) * rng.randrange(1, 20) for _ in range(rng.choice([2, 3, 3]))),
        spell_vector,
        _vector_slips,
        lambda value, rng: [str(sum(value)), rf"\{{{', '.join(map(str, value))}\}}"],
    ),
    Family("ratio", _coprime, spell_ratio_of, _pair_slips, _pair_decoys),
    Family(
        "remainder",
        lambda rng: (rng.randrange(11, 90), rng.randrange(1, 9)),
        spell_remainder,
        _pair_slips,
        _pair_decoys,
    ),
    Family(
        "time",
        lambda rng: (rng.randrange(1, 13), rng.randrange(0, 60)),
        spell_time,
        lambda value, rng: [(value[0] % 12 + 1, value[1]), (value[0], (value[1] + 7) % 60)],
        _pair_decoys,
    ),
    Family(
        "date",
        lambda rng: (rng.choice(MONTHS), rng.randrange(1, 29)),
        spell_date,
        lambda value, rng: [(value[0], value[1] + 1), (rng.choice(MONTHS), value[1])],
        lambda value, rng: [value[0], str(value[1])],
    ),
)

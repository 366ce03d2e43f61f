# ruff: noqa: RUF001 - spellings are Unicode
r"""Exponentials, cube roots, sines, binomials, lines, residues, the empty set, powers of ten, and their spellings."""

import math
import random

from spelling.family import SUPERSCRIPT, Family, signed


def spell_exponential(value: tuple[int, int], rng: random.Random) -> list[str]:
    """e^a + b, a > 0, b not 0."""
    power, add = value
    sign, size = "-" if add < 0 else "+", abs(add)
    ways = [
        f"e^{{{power}}}{sign}{size}",
        f"e^{{{power}}} {sign} {size}",
        rf"\exp({power}){sign}{size}",
        f"exp({power}) {sign} {size}",
    ]
    ways += [
        f"{add}+e^{{{power}}}",
        rf"\mathrm{{e}}^{{{power}}}{sign}{size}",
        f"e**{power} {sign} {size}",
        f"e^({power}){sign}{size}",
    ]
    return [
        *ways,
        f"{add} + exp({power})",
        f"e{str(power).translate(SUPERSCRIPT)}{sign}{size}",
        rf"(e^{{{power}}}{sign}{size})",
    ]


def _exponential_decoys(value: tuple[int, int], rng: random.Random) -> list[str]:
    power, add = value
    number = math.exp(power) + add
    return [
        f"{number:.2f}",
        f"{number:.4f}",
        f"e^{{{power}{add:+d}}}",
        f"{add}e^{{{power}}}",
        f"x^{{{power}}}{add:+d}",
        f"e^{{{power}}}",
    ]


def spell_cube_root(value: tuple[int, int], rng: random.Random) -> list[str]:
    """a times the cube root of b, b free of cubes."""
    factor, inside = value
    times, plain = (str(factor), f"{factor}*") if factor > 1 else ("", "")
    dot = rf"{factor} \cdot " if factor > 1 else ""
    ways = [
        rf"{times}\sqrt[3]{{{inside}}}",
        rf"\sqrt[3]{{{factor**3 * inside}}}",
        rf"{dot}{inside}^{{1/3}}",
        f"{plain}{inside}^(1/3)",
    ]
    return [
        *ways,
        rf"{dot}{inside}^{{\frac{{1}}{{3}}}}",
        f"{times}∛{inside}",
        f"{plain}{inside}**(1/3)",
        rf"\sqrt[3]{{{inside}}} \cdot {factor}",
    ]


def _cube_root_decoys(value: tuple[int, int], rng: random.Random) -> list[str]:
    factor, inside = value
    number = factor * inside ** (1 / 3)
    return [
        f"{number:.3f}",
        f"{number:.6f}",
        rf"{factor}\sqrt{{{inside}}}",
        rf"{factor}\sqrt[4]{{{inside}}}",
        rf"\sqrt[3]{{{inside}}}+{factor}",
    ]


def spell_sine(value: tuple[str, int, int], rng: random.Random) -> list[str]:
    """a sin(bx), or of another function."""
    name, factor, inside = value
    times, plain = (str(factor), f"{factor}*") if factor > 1 else ("", "")
    inner = f"{inside}x" if inside > 1 else "x"
    ways = [
        rf"{times}\{name} {inner}",
        rf"{times}\{name}({inner})",
        rf"{times}\{name}{{{inner}}}",
        f"{times}{name}({inner})",
    ]
    ways += [
        rf"{times}\{name}\left({inner}\right)",
        f"{plain}{name}({inner.replace('x', '*x') if inside > 1 else inner})",
    ]
    return [
        *ways,
        rf"\{name}({inner}) \cdot {factor}",
        rf"{times}\operatorname{{{name}}}({inner})",
        rf"f(x)={times}\{name} {inner}",
    ]


def _sine_slips(value: tuple[str, int, int], rng: random.Random) -> list[tuple[str, int, int]]:
    name, factor, inside = value
    others = [other for other in ("sin", "cos", "tan") if other != name]
    return [
        (others[0], factor, inside),
        (others[1], factor, inside),
        (name, factor + 1, inside),
        (name, factor, inside + 1),
    ]


def spell_binomial(value: tuple[int, int], rng: random.Random) -> list[str]:
    """The number of ways to choose k of n."""
    n, k = value
    ways = [
        rf"\binom{{{n}}}{{{k}}}",
        str(math.comb(n, k)),
        rf"\dbinom{{{n}}}{{{k}}}",
        rf"{{{n} \choose {k}}}",
        rf"\binom{{{n}}}{{{n - k}}}",
    ]
    return [
        *ways,
        rf"\frac{{{n}!}}{{{k}! \cdot {n - k}!}}",
        f"{n}!/({k}!*{n - k}!)",
        rf"\frac{{{n}!}}{{{k}!\,{n - k}!}}",
    ]


def _binomial_slips(value: tuple[int, int], rng: random.Random) -> list[tuple[int, int]]:
    n, k = value
    return [(n + 1, k), (n, k - 1), (n - 1, k)]


def spell_line(value: tuple[int, int], rng: random.Random) -> list[str]:
    """y = ax + b, both not 0."""
    slope, add = value
    times = "" if slope == 1 else "-" if slope == -1 else str(slope)
    tail, spaced = f"{add:+d}", f"{'+' if add > 0 else '-'} {abs(add)}"
    ways = [
        f"y={times}x{tail}",
        f"y = {times}x {spaced}",
        f"y = {add}{signed(slope, 'x') if abs(slope) == 1 else f'{slope:+d}x'}",
    ]
    if slope == 1:
        ways[-1] = f"y = {add}+x"
    ways += [f"y = {slope}*x {spaced}", f"{times}x{tail}=y", rf"y={slope}\cdot x{tail}"]
    return ways


def _line_slips(value: tuple[int, int], rng: random.Random) -> list[tuple[int, int]]:
    slope, add = value
    return [(-slope, add), (slope, -add), (slope + 1 or 2, add), (add, slope), (slope, add + 1 or 2)]


def _line_decoys(value: tuple[int, int], rng: random.Random) -> list[str]:
    slope, add = value
    turned = [] if slope == -1 else [f"x={slope}y{add:+d}"]
    return [
        *turned,
        f"y={slope}x",
        f"y={add}",
        f"y={slope}x^2{add:+d}",
        f"y>{slope}x{add:+d}",
        f"y^2={slope}x{add:+d}",
    ]


def spell_residue(value: tuple[int, int], rng: random.Random) -> list[str]:
    """A residue with its modulus."""
    rest, modulus = value
    ways = [
        rf"{rest} \pmod{{{modulus}}}",
        rf"{rest} \pmod {modulus}" if modulus < 10 else rf"{rest} \pmod{{{modulus}}}",
    ]
    ways += [
        rf"{rest} \bmod {modulus}",
        rf"x \equiv {rest} \pmod{{{modulus}}}",
        f"{rest} (mod {modulus})",
        rf"{rest} \text{{ (mod }} {modulus})",
    ]
    return [
        *ways,
        rf"{rest}\ (\mathrm{{mod}}\ {modulus})",
        rf"n \equiv {rest} \pmod{{{modulus}}}",
        f"{rest} mod {modulus}",
    ]


def _residue_slips(value: tuple[int, int], rng: random.Random) -> list[tuple[int, int]]:
    rest, modulus = value
    return [((rest + 1) % modulus, modulus), (rest, modulus + 1), (rest, 2 * modulus), ((rest + 2) % modulus, modulus)]


NOTHING = (r"\emptyset", r"\varnothing", "∅", r"\{\}", r"\{ \}", r"\text{empty set}", r"\left\{\right\}")


def _nothing_decoys(value: str, rng: random.Random) -> list[str]:
    number = rng.randrange(1, 50)
    return [
        "0",
        r"\{0\}",
        r"\{\emptyset\}",
        r"\mathbb{R}",
        str(number),
        rf"\{{{number}\}}",
        f"({number}, {number + 1})",
        r"\infty",
        f"x={number}",
    ]


def spell_scientific(value: tuple[str, int], rng: random.Random) -> list[str]:
    """A mantissa and a power of ten."""
    mantissa, power = value
    ways = [
        rf"{mantissa} \times 10^{{{power}}}",
        rf"{mantissa}\cdot 10^{{{power}}}",
        f"{mantissa}e{power}",
        f"{mantissa}E{power}",
    ]
    ways += [
        f"{mantissa} × 10^{power}",
        f"{mantissa} x 10^{power}",
        f"{mantissa}*10^{power}",
        f"{mantissa}*10**{power}",
    ]
    return [
        *ways,
        f"{mantissa}×10{str(power).translate(SUPERSCRIPT)}",
        rf"{mantissa}0 \times 10^{{{power}}}",
        rf"{mantissa} \times {{10}}^{{{power}}}",
    ]


def _scientific_slips(value: tuple[str, int], rng: random.Random) -> list[tuple[str, int]]:
    mantissa, power = value
    return [
        (mantissa, power + 1),
        (mantissa, -power),
        (f"{mantissa}1", power),
        (mantissa[::-1], power),
        (mantissa, power - 3),
    ]


CALCULUS = (
    Family(
        "exponential",
        lambda rng: (rng.randrange(2, 20), rng.choice([-1, 1]) * rng.randrange(1, 20)),
        spell_exponential,
        lambda value, rng: [(value[0] + 1, value[1]), (value[0], -value[1]), (value[0], value[1] - 20)],
        _exponential_decoys,
    ),
    Family(
        "cube root",
        lambda rng: (rng.randrange(1, 6), rng.choice([2, 3, 5, 6, 7, 10, 11, 13])),
        spell_cube_root,
        lambda value, rng: [(value[0] + 1, value[1]), (value[0], value[1] + 1)],
        _cube_root_decoys,
        equal=lambda one, other: one[0] ** 3 * one[1] == other[0] ** 3 * other[1],
    ),
    Family(
        "trigonometric",
        lambda rng: (rng.choice(["sin", "cos", "tan"]), rng.randrange(1, 6), rng.randrange(1, 5)),
        spell_sine,
        _sine_slips,
    ),
    Family(
        "binomial",
        lambda rng: (rng.randrange(8, 15), rng.randrange(2, 4)),
        spell_binomial,
        _binomial_slips,
        lambda value, rng: [rf"\frac{{{value[0]}}}{{{value[1]}}}", f"({value[0]}, {value[1]})", f"{value[0]}!"],
        equal=lambda one, other: math.comb(*one) == math.comb(*other),
    ),
    Family(
        "line",
        lambda rng: (rng.choice([-1, 1]) * rng.randrange(1, 9), rng.choice([-1, 1]) * rng.randrange(1, 20)),
        spell_line,
        _line_slips,
        _line_decoys,
    ),
    Family(
        "residue",
        lambda rng: (rng.randrange(1, 7), rng.randrange(8, 40)),
        spell_residue,
        _residue_slips,
        lambda value, rng: [str(value[0] + 1), str(value[1])],
        lambda value, rng: [str(value[0])],
    ),
    Family("nothing", lambda rng: "nothing", lambda value, rng: list(NOTHING), lambda value, rng: [], _nothing_decoys),
    Family(
        "scientific",
        lambda rng: (
            f"{rng.randrange(1, 10)}.{rng.randrange(1, 100)}".rstrip("0"),
            rng.choice([-1, 1]) * rng.randrange(4, 34),
        ),
        spell_scientific,
        _scientific_slips,
        equal=lambda one, other: float(one[0]) == float(other[0]) and one[1] == other[1],
    ),
)

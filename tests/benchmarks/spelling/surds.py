r"""Roots, multiples of pi, complex numbers and logarithms, and the ways people write them."""

import math
import random
from fractions import Fraction

from spelling.family import Family, signed


def _with_factor(factor: int, text: str, times: str = "") -> str:
    return text if factor == 1 else f"-{text}" if factor == -1 else f"{factor}{times}{text}"


def spell_root(value: tuple[int, int], rng: random.Random) -> list[str]:
    """a·√b with b free of squares, from (a, b)."""
    factor, radicand = value
    size, inside = abs(factor), factor * factor * radicand
    ways = [_with_factor(factor, rf"\sqrt{{{radicand}}}"), _with_factor(factor, rf" \sqrt{{{radicand}}}", r" \cdot")]
    ways += [_with_factor(factor, f"sqrt({radicand})", "*"), _with_factor(factor, f"√{radicand}")]
    ways += [_with_factor(factor, rf"\sqrt {radicand}" if radicand < 10 else rf"\sqrt{{{radicand}}}")]
    ways += [signed(factor, way) for way in (rf"\sqrt{{{inside}}}", f"sqrt({inside})", f"√({inside})", f"√{inside}")]
    ways += [_with_factor(factor, rf"\cdot {radicand}^{{1/2}}") if size > 1 else signed(factor, f"{radicand}^{{1/2}}")]
    ways += [signed(factor, rf"\frac{{{size * radicand}}}{{\sqrt{{{radicand}}}}}")]
    ways += [_with_factor(factor, rf"{radicand}^{{\frac{{1}}{{2}}}}", r"\times ")]
    ways += [
        _with_factor(factor, rf"\sqrt{{{radicand}}}"),
        rf"{factor}\sqrt{{{radicand}}}",
        f"({factor})*{radicand}**(1/2)",
    ]
    return ways


def _root_slips(value: tuple[int, int], rng: random.Random) -> list[tuple[int, int]]:
    factor, radicand = value
    return [(factor + 1, radicand) if factor != -1 else (2, radicand), (-factor, radicand), (factor, radicand + 1)]


def _root_decoys(value: tuple[int, int], rng: random.Random) -> list[str]:
    factor, radicand = value
    number = factor * math.sqrt(radicand)
    rounded = [f"{number:.{digits}f}" for digits in (1, 2, 3, 4, 6, 8, 10)]
    texts = [
        f"{factor}+\\sqrt{{{radicand}}}",
        rf"\sqrt[3]{{{radicand}}}",
        rf"{factor}{radicand}",
        rf"\pm {abs(factor)}\sqrt{{{radicand}}}",
    ]
    return [*rounded, *texts, rf"\approx {number:.2f}", rf"{factor}, \sqrt{{{radicand}}}", f"{factor * radicand}"]


def spell_surd(value: tuple[int, int, int], rng: random.Random) -> list[str]:
    """(a + √b)/c from (a, b, c)."""
    add, radicand, under = value
    root, plain = rf"\sqrt{{{radicand}}}", f"sqrt({radicand})"
    ways = [rf"\frac{{{add}+{root}}}{{{under}}}", rf"\frac{{{root}+{add}}}{{{under}}}", f"({add}+{plain})/{under}"]
    ways += [rf"\frac{{{add}}}{{{under}}}+\frac{{{root}}}{{{under}}}", rf"\frac{{1}}{{{under}}}({add}+{root})"]
    ways += [
        rf"\dfrac{{{add} + {root}}}{{{under}}}",
        f"({add}+√{radicand})/{under}",
        f"{plain}/{under} + {add}/{under}",
    ]
    return [*ways, rf"\frac{{1}}{{{under}}}\left({root}+{add}\right)", rf"\left({add}+{root}\right)/{under}"]


def _surd_slips(value: tuple[int, int, int], rng: random.Random) -> list[tuple[int, int, int]]:
    add, radicand, under = value
    return [(-add, radicand, under), (add + 1, radicand, under), (add, radicand + 1, under), (add, radicand, under + 1)]


def _surd_decoys(value: tuple[int, int, int], rng: random.Random) -> list[str]:
    add, radicand, under = value
    number = (add + math.sqrt(radicand)) / under
    pm = rf"\frac{{{add}\pm\sqrt{{{radicand}}}}}{{{under}}}"
    return [
        f"{number:.2f}",
        f"{number:.4f}",
        pm,
        rf"\frac{{{add}-\sqrt{{{radicand}}}}}{{{under}}}",
        f"{add}+√{radicand}/{under}",
    ]


def spell_pi(value: Fraction, rng: random.Random) -> list[str]:
    """A rational multiple of pi."""
    top, bottom = abs(value.numerator), value.denominator
    count = "" if top == 1 else str(top)
    pi = rng.choice([r"\pi", r"\pi ", "π"])
    if bottom == 1:
        ways = [
            f"{count}{pi}",
            f"{count}π",
            f"{top}*pi",
            f"{count} pi",
            rf"{top} \cdot \pi",
            rf"\pi \cdot {top}",
            f"{top}.0\\pi",
        ]
    else:
        ways = [rf"\frac{{{count}{pi}}}{{{bottom}}}", rf"\frac{{{top}}}{{{bottom}}}\pi", f"{count}π/{bottom}"]
        ways += [
            f"{top}*pi/{bottom}",
            rf"\dfrac{{{top}\pi}}{{{bottom}}}",
            rf"{count}\pi/{bottom}",
            f"{count}pi/{bottom}",
        ]
        ways += [
            rf"\frac{{\pi}}{{{bottom}}}" if top == 1 else rf"{top} \cdot \frac{{\pi}}{{{bottom}}}",
            f"({top}/{bottom})π",
        ]
        ways += [
            rf"\frac{{{2 * top}\pi}}{{{2 * bottom}}}",
            rf"\pi \cdot \frac{{{top}}}{{{bottom}}}",
            f"pi*{top}/{bottom}",
        ]
    return [signed(value, way) for way in ways]


def _pi_decoys(value: Fraction, rng: random.Random) -> list[str]:
    number = float(value) * math.pi
    texts = [
        f"{number:.2f}",
        f"{number:.5f}",
        str(value),
        f"{float(value * 180):g}",
        rf"\frac{{{value.numerator}}}{{{value.denominator}\pi}}",
    ]
    return [*texts, rf"{value}\pi^2", rf"{value}+\pi", f"{float(value) * 3.14:.4f}"]


def spell_complex(value: tuple[int, int], rng: random.Random) -> list[str]:
    """a + bi, both parts not 0."""
    real, imaginary = value
    sign, size = ("-" if imaginary < 0 else "+"), abs(imaginary)
    part = "" if size == 1 else str(size)
    ways = [
        f"{real}{sign}{part}i",
        f"{real} {sign} {part}i",
        rf"{real}{sign}{part}\mathrm{{i}}",
        f"{real}.0 {sign} {size}.0i",
    ]
    ways += [f"{signed(imaginary, part)}i + {real}" if real > 0 else f"{signed(imaginary, part)}i - {-real}"]
    ways += [
        f"{real}{sign}{size}*i",
        f"{real} {sign} {size}*I",
        f"({real}{sign}{part}i)",
        rf"{real}{sign}{size}\cdot i",
    ]
    return [*ways, rf"{real} {sign} i \cdot {size}", rf"{real}{sign}i{size}" if size > 1 else f"{real}{sign}i"]


def _complex_slips(value: tuple[int, int], rng: random.Random) -> list[tuple[int, int]]:
    real, imaginary = value
    return [(real, -imaginary), (imaginary, real), (real + 1, imaginary), (-real, imaginary), (real, 2 * imaginary)]


def _complex_decoys(value: tuple[int, int], rng: random.Random) -> list[str]:
    real, imaginary = value
    return [
        f"({real},{imaginary})",
        f"{real}",
        f"{real + imaginary}",
        f"{real}+{imaginary}x",
        f"{imaginary}i",
        rf"{real}\pm {abs(imaginary)}i",
    ]


def spell_log(value: tuple[int, int], rng: random.Random) -> list[str]:
    """a·ln b from (a, b)."""
    factor, inside = value
    ways = [
        _with_factor(factor, rf"\ln {inside}", ""),
        _with_factor(factor, rf"\ln({inside})"),
        rf"\ln({inside**factor})",
    ]
    ways += [_with_factor(factor, f"ln({inside})"), _with_factor(factor, rf"\ln{{{inside}}}"), rf"\ln {inside**factor}"]
    return [
        *ways,
        f"{factor}*ln({inside})",
        rf"{factor} \cdot \ln {inside}",
        rf"\ln \left({inside}^{{{factor}}}\right)",
        f"ln {inside**factor}",
    ]


def _log_decoys(value: tuple[int, int], rng: random.Random) -> list[str]:
    factor, inside = value
    number = factor * math.log(inside)
    return [
        f"{number:.2f}",
        f"{number:.4f}",
        str(factor * inside),
        rf"\log_2 {inside}",
        rf"\ln {factor}",
        rf"e^{{{inside}}}",
    ]


def _squarefree(rng: random.Random) -> int:
    return rng.choice([2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 17, 19, 21, 22, 23, 26, 29, 30])


def _log_slips(value: tuple[int, int], rng: random.Random) -> list[tuple[int, int]]:
    factor, inside = value
    return [(factor + 1, inside), (factor, inside + 1), (inside, factor) if factor > 1 else (2, inside)]


def _equal_roots(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] * abs(one[0]) * one[1] == other[0] * abs(other[0]) * other[1]


SURDS = (
    Family(
        "root",
        lambda rng: (rng.choice([-1, 1, 1, 1]) * rng.randrange(1, 12), _squarefree(rng)),
        spell_root,
        _root_slips,
        _root_decoys,
        equal=_equal_roots,
    ),
    Family(
        "surd",
        lambda rng: (rng.randrange(1, 9), _squarefree(rng), rng.randrange(2, 8)),
        spell_surd,
        _surd_slips,
        _surd_decoys,
    ),
    Family(
        "multiple of pi",
        lambda rng: Fraction(rng.randrange(1, 20), rng.choice([1, 1, 2, 3, 4, 6, 8])),
        spell_pi,
        lambda value, rng: [value + 1, 2 * value, value / 2, -value],
        _pi_decoys,
    ),
    Family(
        "complex number",
        lambda rng: (rng.choice([-1, 1]) * rng.randrange(1, 15), rng.choice([-1, 1]) * rng.randrange(1, 12)),
        spell_complex,
        _complex_slips,
        _complex_decoys,
    ),
    Family(
        "logarithm",
        lambda rng: (rng.randrange(1, 5), rng.choice([2, 3, 5, 6, 7, 10])),
        spell_log,
        _log_slips,
        _log_decoys,
        equal=lambda one, other: bool(one[1] ** one[0] == other[1] ** other[0]),
    ),
)

# ruff: noqa: RUF001 - spellings are Unicode
r"""Integers, fractions, decimals, percentages and powers, and the ways people write them."""

import random
from decimal import Decimal
from fractions import Fraction

import sympy

from spelling.family import ARABIC, FULL_WIDTH, SUPERSCRIPT, VULGAR, Family, signed


def spell_integer(value: int, rng: random.Random) -> list[str]:
    """Digits of several scripts, and sums, products and quotients that come to the same."""
    part, factor = rng.randrange(2, 9), rng.randrange(2, 7)
    ways = [str(value), str(value), f"{value}.0", f"{value}.00", rf"\frac{{{factor * value}}}{{{factor}}}"]
    ways += [str(value).translate(FULL_WIDTH), str(value).replace("-", "−"), str(value).replace("-", "–")]
    ways += [f"{value - part}+{part}", rf"{{{value}}}", rf"\mathbf{{{value}}}", f"{factor * value}/{factor}"]
    if value >= 0:
        ways += [f"+{value}", str(value).translate(ARABIC), rf"\sqrt{{{value * value}}}"]
    divisors = [one for one in range(2, 10) if value and value % one == 0]
    return (
        ways
        + [rf"{one} \cdot {value // one}" for one in divisors if value > 0]
        + [rf"{one} \times {value // one}" for one in divisors if value > 0]
    )


def _integer_decoys(value: int, rng: random.Random) -> list[str]:
    other = value + rng.randrange(1, 5)
    texts = [rf"\ge {value}", f"> {value}", rf"{value}\text{{ or more}}", f"{value} or {other}", f"{other}={value}"]
    texts += [f"{value}, {other}", rf"\{{{value},{other}\}}", f"({value},{other})", f"{value}.0004", f"{value}x"]
    texts += [rf"{value}\pi", rf"{value}i", f"{value}_{{7}}" if value > 6 else f"{value}+x"]
    texts += [f"{value}.5", f"{value}e3", rf"{value}^{{-1}}", rf"\approx {value}.2", rf"\text{{not }} {value}"]
    return texts


def _integer_slips(value: int, rng: random.Random) -> list[int]:
    swapped = int(str(abs(value))[::-1])
    return [value + 1, value - 1, -value, 10 * value, value + 100, swapped, 2 * value, value * value]


def spell_fraction(value: Fraction, rng: random.Random) -> list[str]:
    """A fraction as `\\frac`, as a quotient, unreduced, as a decimal that ends, as a mixed number."""
    top, bottom = abs(value.numerator), value.denominator
    factor = rng.randrange(2, 6)
    ways = [rf"\frac{{{top}}}{{{bottom}}}", rf"\dfrac{{{top}}}{{{bottom}}}", rf"\tfrac{{{top}}}{{{bottom}}}"]
    ways += [f"{top}/{bottom}", f"{top} / {bottom}", rf"{{{top} \over {bottom}}}", f"{top}÷{bottom}", f"{top}⁄{bottom}"]
    ways += [rf"\frac{{{factor * top}}}{{{factor * bottom}}}", rf"{top} \div {bottom}", rf"\cfrac{{{top}}}{{{bottom}}}"]
    if top < 10 and bottom < 10:
        ways += [rf"\frac{top}{bottom}", rf"\frac {top} {bottom}", rf"\frac{{{top}}}{bottom}"]
    if (top, bottom) in VULGAR:
        ways += [VULGAR[top, bottom]] * 2
    if 100_000 % bottom == 0:
        ways += [str(float(Fraction(top, bottom)))] * 2
    spelled = [signed(value, way) for way in ways]
    if value < 0:
        spelled += [rf"\frac{{-{top}}}{{{bottom}}}", rf"\frac{{{top}}}{{-{bottom}}}", f"(-{top})/{bottom}"]
    return spelled


def _fraction_slips(value: Fraction, rng: random.Random) -> list[Fraction]:
    top, bottom = value.numerator, value.denominator
    near = [Fraction(bottom, top), Fraction(top + 1, bottom), Fraction(top, bottom + 1), -value, value + 1]
    return [*near, value * 10, Fraction(top), Fraction(1, bottom), value / 2]


def _fraction_decoys(value: Fraction, rng: random.Random) -> list[str]:
    top, bottom = value.numerator, value.denominator
    texts = [f"{top}, {bottom}", f"({top},{bottom})", f"{top}:{bottom}1", rf"\frac{{{top}}}{{{bottom}}} x"]
    if 100_000 % bottom:
        texts += [f"{float(value):.2f}", f"{float(value):.3f}", f"{float(value):.4f}", f"{float(value):.5f}"] * 2
    return texts


def spell_mixed(value: Fraction, rng: random.Random) -> list[str]:
    """A mixed number, in LaTeX and plain, beside the improper fraction."""
    whole, rest = divmod(value, 1)
    top, bottom = rest.numerator, rest.denominator
    ways = [rf"{whole}\frac{{{top}}}{{{bottom}}}", rf"{whole} \frac{{{top}}}{{{bottom}}}", f"{whole} {top}/{bottom}"]
    ways += [
        rf"{whole}\dfrac{{{top}}}{{{bottom}}}",
        rf"{whole}\,\tfrac{{{top}}}{{{bottom}}}",
        f"{whole} + {top}/{bottom}",
    ]
    ways += [rf"{whole}\frac{top}{bottom}", rf"{whole} \text{{ and }} \frac{{{top}}}{{{bottom}}}"]
    if (top, bottom) in VULGAR:
        ways += [f"{whole}{VULGAR[top, bottom]}", f"{whole} {VULGAR[top, bottom]}"]
    return ways + rng.sample(spell_fraction(value, rng), 2)


def _mixed_slips(value: Fraction, rng: random.Random) -> list[Fraction]:
    whole, rest = divmod(value, 1)
    return [whole * rest, value + 1, whole + 1 / rest, rest + 10 * whole, Fraction(whole), rest]


def spell_decimal(value: Fraction, rng: random.Random) -> list[str]:
    """A decimal that ends: with zeros, without the leading one, scientific, as a fraction."""
    size = Decimal(abs(value).numerator) / Decimal(value.denominator)
    digits = f"{size:f}"
    power = size.adjusted()
    mantissa = f"{size.scaleb(-power).normalize():f}"
    ways = [digits, digits, digits, f"{digits}0" if "." in digits else f"{digits}.0", f"{mantissa}e{power}"]
    scientific = [rf"{mantissa} \times 10^{{{power}}}", rf"{mantissa} \cdot 10^{{{power}}}", f"{mantissa}×10^{power}"]
    scientific += [f"{mantissa} * 10^({power})", f"{mantissa} × 10{str(power).translate(SUPERSCRIPT)}"]
    ways += [*scientific, f"{mantissa}E{power}"] if power else []  # any base to the power of 0 is 1
    ways += [digits.removeprefix("0") if digits.startswith("0.") else digits]
    top, bottom = abs(value.numerator), value.denominator
    ways += [rf"\frac{{{top}}}{{{bottom}}}", f"{top}/{bottom}"] if bottom > 1 else []
    return [signed(value, way) for way in ways]


def _decimal_slips(value: Fraction, rng: random.Random) -> list[Fraction]:
    steps = [Fraction(1, 100), Fraction(1, 1000), Fraction(1, 10**5), Fraction(1, 10**7)]
    return [value + rng.choice(steps), value - rng.choice(steps), value * 10, value / 10, -value, value + 1, 1 - value]


def spell_thousands(value: int, rng: random.Random) -> list[str]:
    """A long number in the usual groupings."""
    grouped = f"{value:,}"
    separators = (",", "{,}", r"\,", " ", "\u202f", "\u00a0", r"\;", ",\\!", r"{\,}", "'", "\u2009", "~", r"\ ")
    return [str(value)] * 3 + [grouped.replace(",", separator) for separator in separators]


def _thousands_slips(value: int, rng: random.Random) -> list[int]:
    return [value + 1, value + 1000, value * 10, value // 10, value * 1000, value // 1000, int(str(value)[::-1])]


def _thousands_decoys(value: int, rng: random.Random) -> list[str]:
    groups = f"{value:,}".split(",")
    texts = ["(" + ", ".join(groups) + ")", r"\{" + ", ".join(groups) + r"\}", ";".join(groups)]
    return [*texts, f"{groups[0]}.{groups[1]}5", "+".join(groups)]


def spell_percent(value: Fraction, rng: random.Random) -> list[str]:
    """A percentage with its sign or word."""
    text = str(value) if value.denominator == 1 else str(float(value))
    ways = [rf"{text}\%", f"{text}%", f"{text} %", rf"{text} \%", f"{text} percent", rf"{text}\text{{ percent}}"]
    return [
        *ways,
        f"{text}％",
        rf"{text}\text{{%}}",
        f"{text} per cent",
        rf"{text}.0\%" if "." not in text else f"{text}0%",
    ]


def _percent_slips(value: Fraction, rng: random.Random) -> list[Fraction]:
    return [value + 1, value * 10, 100 - value, value / 10, value + Fraction(1, 2)]


REPEATING = Fraction(1, 3), Fraction(2, 3), Fraction(1, 9), Fraction(4, 9), Fraction(7, 9), Fraction(5, 11)


def spell_repeating(value: Fraction, rng: random.Random) -> list[str]:
    """A repeating decimal under its bar or with dots, beside the fraction."""
    whole, rest = divmod(value, 1)
    width = 1 if rest.denominator in (3, 9) else 2
    period = str(int(rest * (10**width - 1))).zfill(width)
    ways = [rf"{whole}.\overline{{{period}}}", rf"{whole}.{period}\overline{{{period}}}", rf"{whole}.\bar{{{period}}}"]
    if width == 1:
        ways += [rf"{whole}.\dot{{{period}}}", rf"{whole}.\overline{period}"]
    return [*ways, rf"{whole}.\overline{{{period}{period}}}", rf"\frac{{{value.numerator}}}{{{value.denominator}}}"]


def _repeating_decoys(value: Fraction, rng: random.Random) -> list[str]:
    return [f"{float(value):.2f}", f"{float(value):.4f}", f"{float(value):.6f}", f"{float(value):.8f}"]


def _repeating_slips(value: Fraction, rng: random.Random) -> list[Fraction]:
    return [value + Fraction(1, 9), value + 1, value + 2, value * 10, value + Fraction(1, 99)]


def spell_power(value: tuple[int, int], rng: random.Random) -> list[str]:
    """A power far from 1: (base, exponent), exponent negative or positive."""
    base, exponent = value
    ways = [
        rf"{base}^{{{exponent}}}",
        f"{base}^({exponent})",
        f"{base}**({exponent})",
        f"{base * base}^{{{exponent}/2}}",
    ]
    if exponent % 2 == 0:
        ways += [rf"{base * base}^{{{exponent // 2}}}"]
    if exponent < 0:
        ways += [
            rf"\frac{{1}}{{{base}^{{{-exponent}}}}}",
            f"1/{base}^{{{-exponent}}}",
            rf"\left(\frac{{1}}{{{base}}}\right)^{{{-exponent}}}",
        ]
    else:
        ways += [rf"{base} \cdot {base}^{{{exponent - 1}}}", rf"{base}^{{{exponent - 3}}}\times {base**3}"]
    return ways


def _power_slips(value: tuple[int, int], rng: random.Random) -> list[tuple[int, int]]:
    base, exponent = value
    return [(base, exponent + 1), (base, exponent - 1), (base + 1, exponent), (base, -exponent), (base, 10 * exponent)]


def _terminating(rng: random.Random) -> Fraction:
    return Fraction(rng.choice([-1, 1, 1, 1]) * rng.randrange(1, 99_999), 10 ** rng.randrange(2, 5))


def _proper(rng: random.Random) -> Fraction:
    while (value := Fraction(rng.randrange(1, 40), rng.randrange(2, 40))).denominator == 1:
        pass
    return value * rng.choice([-1, 1, 1])


def _mixed(rng: random.Random) -> Fraction:
    bottom = rng.randrange(2, 10)
    while sympy.gcd(top := rng.randrange(1, bottom), bottom) != 1:
        pass
    return rng.randrange(1, 30) + Fraction(top, bottom)


NUMBERS = (
    Family(
        "integer",
        lambda rng: rng.choice([-1, 1, 1, 1]) * rng.randrange(2, 3000),
        spell_integer,
        _integer_slips,
        _integer_decoys,
    ),
    Family("fraction", _proper, spell_fraction, _fraction_slips, _fraction_decoys),
    Family("mixed number", _mixed, spell_mixed, _mixed_slips),
    Family("decimal", _terminating, spell_decimal, _decimal_slips),
    Family(
        "thousands", lambda rng: rng.randrange(1_100, 9 * 10**9), spell_thousands, _thousands_slips, _thousands_decoys
    ),
    Family(
        "percentage",
        lambda rng: Fraction(rng.randrange(1, 400), rng.choice([1, 1, 2, 4])),
        spell_percent,
        _percent_slips,
        loose=lambda value, rng: [str(value) if value.denominator == 1 else str(float(value)), str(float(value / 100))],
    ),
    Family(
        "repeating decimal",
        lambda rng: rng.randrange(0, 4) + rng.choice(REPEATING),
        spell_repeating,
        _repeating_slips,
        _repeating_decoys,
    ),
    Family(
        "power",
        lambda rng: (rng.randrange(2, 8), rng.choice([-1, 1]) * rng.randrange(12, 120)),
        spell_power,
        _power_slips,
    ),
)

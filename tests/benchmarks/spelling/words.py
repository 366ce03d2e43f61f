r"""Quantities with units, choices, words and numbers in a base, and the ways people write them."""

import random

from spelling.family import Family

UNITS: tuple[tuple[str, ...], ...] = (
    ("cm", "m", "km", "inches"), ("kg", "g", "lb"), ("km/h", "m/s", "miles per hour"), ("hours", "minutes", "seconds"),
    (r"cm^2", r"cm^3", "cm"), ("m^2", "km^2"), ("dollars", "cents"), ("apples", "pears"), ("degrees", "radians"),
)  # fmt: skip


def spell_quantity(value: tuple[int, int, int], rng: random.Random) -> list[str]:
    """A number with its unit, from (number, row of `UNITS`, column of it)."""
    count, unit = value[0], UNITS[value[1]][value[2]]
    base, _, power = unit.partition("^")
    raised = f"^{power}" if power else ""
    ways = [
        rf"{count} \text{{ {base}}}{raised}",
        rf"{count}\text{{ {base}}}{raised}",
        rf"{count} \, \mathrm{{{base}}}{raised}",
    ]
    ways += [
        f"{count} {unit}",
        rf"{count}~\text{{{base}}}{raised}",
        rf"{count}\ \text{{{base}}}{raised}",
        rf"{count}\,\text{{{base}}}{raised}",
    ]
    if unit == "dollars":
        ways += [rf"\${count}", f"${count}", rf"\$ {count}", rf"\text{{\$}}{count}", f"{count} USD", f"US\\${count}"]
    if unit == "degrees":
        ways += [rf"{count}^\circ", rf"{count}^{{\circ}}", f"{count}°", rf"{count}\degree"]
    if power:
        ways += [f"{count} {base}{'²' if power == '2' else '³'}", rf"{count}\text{{ {base}}}^{{{power}}}"]
        ways += [f"{count} {'square' if power == '2' else 'cubic'} {base}"]
    return ways


def _quantity_slips(value: tuple[int, int, int], rng: random.Random) -> list[tuple[int, int, int]]:
    count, row, column = value
    others = [(count, row, other) for other in range(len(UNITS[row])) if other != column]
    return [*others, *others, (count + 1, row, column), (count * 10, row, column), (-count, row, column)]


def spell_choice(value: str, rng: random.Random) -> list[str]:
    """A choice letter."""
    bold = [
        rf"\text{{{value}}}",
        rf"\textbf{{({value})}}",
        rf"\textbf{{{value}}}",
        rf"\mathrm{{({value})}}",
        rf"\mathbf{{{value}}}",
    ]
    said = [
        f"Option {value}",
        f"option ({value})",
        rf"\text{{Choice }}{value}",
        rf"\text{{Answer: {value}}}",
        f"Choice {value}.",
    ]
    return [
        value,
        value,
        f"({value})",
        f"{value}.",
        f"{value})",
        *bold,
        *said,
        rf"\boxed{{{value}}}",
        f"**{value}**",
        f"\\text{{({value})}}",
    ]


def _choice_decoys(value: str, rng: random.Random) -> list[str]:
    other = rng.choice([one for one in "ABCDE" if one != value])
    return [
        f"{value}, {other}",
        f"({value})({other})",
        f"{value} or {other}",
        f"{other}{value}",
        f"{value}. {other}.",
        f"not {value}",
    ]


WORDS = (
    *("Yes", "No", "True", "False", "isosceles triangle", "Monday", "blue", "Evelyn", "hyperbola", "infinitely many"),
    *("east", "listen", "parallel", "undefined", "odd", "circle", "Tuesday", "no solution", "stop", "even"),
)


def spell_word(value: str, rng: random.Random) -> list[str]:
    """A word or two, set as text, with a full stop, in capitals."""
    ways = [
        value,
        value,
        rf"\text{{{value}}}",
        rf"\textbf{{{value}}}",
        rf"\mathrm{{{value}}}",
        f"{value}.",
        value.lower(),
        value.upper(),
    ]
    return [
        *ways,
        f"**{value}**",
        f'"{value}"',
        rf"\text{{{value}.}}",
        rf"\mbox{{{value}}}",
        rf"\textit{{{value.capitalize()}}}",
    ]


def _word_decoys(value: str, rng: random.Random) -> list[str]:
    letters = value.replace(" ", "")
    mixed = "".join(rng.sample(letters, len(letters)))
    anagram = mixed if mixed != letters else letters[::-1]
    other = rng.choice([one for one in WORDS if one != value])
    cut = [value[:-1]] if len(value) > 3 else []
    return [anagram, letters[::-1], f"not {value}", f"{value} or {other}", *cut]


def spell_based(value: tuple[str, int], rng: random.Random) -> list[str]:
    """Digits in a base, which is written."""
    digits, base = value
    ways = [f"{digits}_{{{base}}}", f"({digits})_{{{base}}}", rf"\text{{{digits}}}_{{{base}}}", f"{digits}_{{{base}}}"]
    return [*ways, *([f"{digits}_{base}", f"({digits})_{base}"] if base < 10 else []), rf"{digits}_{{\text{{{base}}}}}"]


def _based_slips(value: tuple[str, int], rng: random.Random) -> list[tuple[str, int]]:
    digits, base = value
    turned = [] if digits == digits[::-1] else [(digits[::-1], base)]
    return [(digits, base + 1), (digits + "0", base), ("1" + digits, base), *turned]


def _based(rng: random.Random) -> tuple[str, int]:
    base = rng.choice([2, 2, 3, 4, 5, 6, 7, 8, 9])
    return str(rng.randrange(1, base)) + "".join(str(rng.randrange(base)) for _ in range(rng.randrange(2, 6))), base


def _quantity(rng: random.Random) -> tuple[int, int, int]:
    row = rng.randrange(len(UNITS))
    return rng.randrange(2, 500), row, rng.randrange(len(UNITS[row]))


def _other_letter(value: str, rng: random.Random) -> list[str]:
    return [one for one in "ABCDE" if one != value]


WORDY = (
    Family("quantity", _quantity, spell_quantity, _quantity_slips, loose=lambda value, rng: [str(value[0])]),
    Family("choice", lambda rng: rng.choice("ABCDE"), spell_choice, _other_letter, _choice_decoys),
    Family(
        "word",
        lambda rng: rng.choice(WORDS),
        spell_word,
        lambda value, rng: [one for one in WORDS if one != value],
        _word_decoys,
    ),
    Family("base", _based, spell_based, _based_slips, lambda value, rng: [value[0] + "1", value[0][:-1]]),
)

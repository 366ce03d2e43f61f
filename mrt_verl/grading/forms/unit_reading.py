r"""Units of measurement, currencies and counted nouns after (or before) a number.

A unit is a factor and dimensions. One that is missing on either side is forgiven by the comparison, a different one is
not; `50 cm` and `0.5 m` are the same length.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

from mrt_verl.grading.forms.units import (
    CURRENCIES,
    DEGREE,
    LETTERS,
    MULTIPLES,
    NO_NOUNS,
    PERCENT,
    PERCENT_WORDS,
    SINGULAR_PLURALS,
    UNITS,
    Unit,
)
from mrt_verl.grading.text.tokens import Token


def multiple(word: str) -> Fraction | None:
    """What a number is multiplied by if this word follows, as in "2.5 million"."""
    return MULTIPLES.get(word.lower())


def is_percent(token: Token) -> bool:
    """Whether the token is a percent sign or its word."""
    return token.value.lower() in PERCENT_WORDS and token.kind in "wo"


def is_currency(token: Token) -> bool:
    """Whether the token is a currency that may stand before its number."""
    return token.value == "$" or (token.kind == "w" and UNITS.get(token.value, PERCENT).name in CURRENCIES)


def read_unit(tokens: Sequence[Token], after_number: bool) -> Unit | None:
    """The unit that all of these tokens are, None if they are none.

    Args:
        after_number: whether a plain number stands before them; only then a lone letter may be a unit.
    """
    if len(tokens) == 1 and is_percent(tokens[0]):
        return PERCENT
    if [token.value.lower() for token in tokens] == ["per", "cent"]:
        return PERCENT
    if tokens and tokens[0].value == "\\frac":
        tokens = _one_line(tokens)
    if not tokens:
        return None
    degree = _degree(tokens)
    if degree is not None:
        return degree
    first = tokens[0]
    if first.kind == "l" and not (after_number and first.value in LETTERS and (first.spaced or len(tokens) > 2)):
        return None
    return _product(tokens) or (_noun(tokens) if after_number else None)


def _one_line(tokens: Sequence[Token]) -> list[Token]:
    """`\\frac{km}{h}` as km/h."""
    values = [token.value for token in tokens]
    line = [token for token in tokens[1:] if token.value not in "{}"]
    middle = next((n for n in range(1, len(values) - 1) if values[n : n + 2] == ["}", "{"]), None)
    if middle is None:
        return line
    before = sum(value not in "{}" for value in values[1:middle])
    return [*line[:before], Token("o", "/"), *line[before:]]


def _degree(tokens: Sequence[Token]) -> Unit | None:
    values = [token.value for token in tokens if token.value not in "{}"]
    if values and values[0].lower() in ("degrees", "degree", "deg") and len(values) == 2:
        values = ["^", "\\circ", values[1]]
    if values[:2] not in (["^", "\\circ"], ["^", "o"]) and values[:1] != ["\\degree"]:
        return None
    rest = [value for value in values[1 if values[0] == "\\degree" else 2 :]]
    if not rest:
        return DEGREE
    if len(rest) == 1 and rest[0].lower() in ("c", "celsius", "f", "fahrenheit"):
        scale = "celsius" if rest[0].lower().startswith("c") else "fahrenheit"
        return Unit(Fraction(1), frozenset({(scale, 1)}), scale)
    return None


def _product(tokens: Sequence[Token]) -> Unit | None:
    """Units joined by `/`, `per`, `*` or nothing, each with an exponent or a `square` or `cubic` before it."""
    factor = Fraction(1)
    dimensions: dict[str, int] = {}
    sign, power, position = 1, 1, 0
    tokens = [part for token in tokens for part in _apart(token)]
    while position < len(tokens):
        value = tokens[position].value
        position += 1
        if value in ("/", "per", "a", "an", "每") and dimensions:
            sign = -1
        elif value == "." or (value in ("*", "\\cdot", "\\times", "-") and dimensions):
            continue
        elif value.lower() in _POWERS:
            power = _POWERS[value.lower()]
        else:
            unit = UNITS.get(value) or (UNITS.get(value.lower()) if len(value) > 2 else None)
            exponent, position = _exponent(tokens, position)
            if unit is None or exponent is None:
                return None
            exponent *= sign * power
            power = 1
            factor *= unit.factor**exponent
            for base, its in unit.dimensions:
                dimensions[base] = dimensions.get(base, 0) + its * exponent
    if not dimensions:
        return None
    names = " ".join(token.value for token in tokens)
    return Unit(factor, frozenset((base, its) for base, its in dimensions.items() if its), names)


_POWERS = {"square": 2, "sq": 2, "平方": 2, "cubic": 3, "cu": 3, "立方": 3}


def _apart(token: Token) -> list[Token]:
    """`平方米` as square and metre."""
    prefix = token.value[:2]
    return [Token("w", prefix), Token("w", token.value[2:])] if prefix in ("平方", "立方") else [token]


def _exponent(tokens: Sequence[Token], position: int) -> tuple[int | None, int]:
    """The exponent at `position` (1 without one), and where it ends."""
    values = [token.value for token in tokens[position : position + 6]]
    if values[:1] == ["^"]:
        found = re.match(r"\^\{?(-?[0-9]{1,2})\}?", "".join(values))
        if found is None:
            return None, position
        used = 0
        text = ""
        while text != found.group() and used < len(values):
            text += values[used]
            used += 1
        return (int(found.group(1)), position + used) if text == found.group() else (None, position)
    if values[:1] in (["2"], ["3"]):  # "cm2"
        return int(values[0]), position + 1
    return 1, position


def _noun(tokens: Sequence[Token]) -> Unit | None:
    """Things that are counted: one to three words, the last one a plural."""
    words = [token.value.lower() for token in tokens]
    if len(words) > 3 or not all(token.kind == "w" and token.value.isalpha() for token in tokens):
        return None
    if any(len(word) < 3 or word in NO_NOUNS or word in UNITS for word in words[:-1]) or words[-1] in NO_NOUNS:
        return None
    last = words[-1]
    if len(last) < 4 or not (last in SINGULAR_PLURALS or last.endswith("s") or last == "way"):
        return None
    singular = last[:-1] if last.endswith("s") else last
    return Unit(Fraction(1), frozenset({(" ".join([*words[:-1], singular]), 1)}), " ".join(words))

r"""Ways to write one number: thousands separators, repeating decimals, other bases, number words."""

import re
from collections.abc import Sequence
from fractions import Fraction

from mrt_verl.grading.formulas.nodes import Unreadable
from mrt_verl.grading.text.tokens import Token

_SEPARATORS = (
    r"\{,\}",
    r"\\,",
    r"\\ ",
    r"\\;",
    r"\\:",
    r"\\!",
    r",\\!\s?",
    r"\{,\}\\!",
    "'",
    r"\s",
    "_",
    "~",
    r"\{\s\}",
    r"\{\\,\}",
)
_ANYWHERE = [
    re.compile(rf"(?<![\w.,}}^_])([0-9]{{1,3}})((?:{sign}[0-9]{{3}})+)(?![0-9]|{sign}[0-9]|/|\\frac)")
    for sign in _SEPARATORS
]
_COMMAS = re.compile(r"(?<![\w.,])([1-9][0-9]{0,2})((?:,[0-9]{3})+)(?![0-9]|,[0-9])")
_LAKHS = re.compile(r"(?<![\w.,])([1-9][0-9]?)((?:,[0-9]{2})+,[0-9]{3})(?![0-9]|,[0-9])")
_POINTS = re.compile(r"([+-]?[1-9][0-9]{0,2})((?:\.[0-9]{3}){2,})(?:,([0-9]+))?")
_EUROPEAN = re.compile(r"([+-]?[1-9][0-9]{0,2})((?:\.[0-9]{3})+),([0-9]+)")
_TIMES_TEN = re.compile(r"(?<=[0-9])\s+[xX]\s+10(?=\s*(?:\^|\*\*))")
_NO_DIGITS = re.compile(r"[^0-9]")
_BAR = re.compile(
    r"([0-9]*)\.([0-9]*)\\(?:overline|bar|dot|overset\{\.\}|widebar)\s*(?:\{([0-9]+)\}|([0-9]))(?:([0-9]*)\\dot\s*\{?([0-9])\}?)?"
)
_PARENTHESIS = re.compile(r"(?<![\w.])([0-9]*)\.([0-9]*)\(([0-9]+)\)")
_REPEATED = re.compile(r"(?<![\w.])([0-9]*)\.([0-9]*?)([0-9]+?)\3+\s*(?:\.{3,}|\\[lcd]?dots[bc]?)(?![0-9A-Za-z])")
_SPELLED_OUT = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty
"""
_WORDS = tuple(_SPELLED_OUT.split())
_BASES = {word: number for number, word in enumerate(_WORDS)} | {"binary": 2, "octal": 8, "decimal": 10, "hex": 16}


def plain_numbers(text: str) -> str:
    """The text with numbers in one spelling: no thousands separators, repeating decimals as fractions."""
    if not any(character.isdigit() for character in text):
        return text
    text = _TIMES_TEN.sub(r" \\times 10", text)
    for pattern in _ANYWHERE:
        text = pattern.sub(_joined, text)
    european = _EUROPEAN.fullmatch(text) or _POINTS.fullmatch(text)
    if european:
        decimals = f".{european.group(3)}" if european.group(3) else ""
        return european.group(1) + european.group(2).replace(".", "") + decimals
    text = _at_top(text, _COMMAS)
    text = _at_top(text, _LAKHS)
    if "." in text:
        text = _BAR.sub(_repeating_bar, text)
        text = _PARENTHESIS.sub(lambda found: _fraction(*found.groups()), text)
        text = _REPEATED.sub(_repeating_dots, text)
    return text


def _joined(found: re.Match[str]) -> str:
    return found.group(1) + _NO_DIGITS.sub("", found.group(2))


def _at_top(text: str, pattern: re.Pattern[str]) -> str:
    """Separators are taken out only outside of brackets: `(1,200)` is a pair."""
    if "," not in text:
        return text
    found = pattern.search(text)
    if found is None:
        return text
    pieces, start = [], 0
    for found in pattern.finditer(text):
        before = text[: found.start()]
        depth = sum(before.count(opened) for opened in "([{") - sum(before.count(closed) for closed in ")]}")
        if depth <= 0:
            pieces += [text[start : found.start()], _joined(found)]
            start = found.end()
    return "".join([*pieces, text[start:]])


def _fraction(whole: str, fixed: str, repeated: str) -> str:
    if len(fixed) + len(repeated) > 200:
        return f"{whole}.{fixed}({repeated})"
    scale = 10 ** len(fixed)
    value = Fraction(int(whole or 0)) + Fraction(int(fixed or 0), scale)
    value += Fraction(int(repeated), scale * (10 ** len(repeated) - 1))
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def _repeating_bar(found: re.Match[str]) -> str:
    whole, fixed, grouped, single, between, last = found.groups()
    return _fraction(whole, fixed, (grouped or single) + (between or "") + (last or ""))


def _repeating_dots(found: re.Match[str]) -> str:
    whole, fixed, block = found.groups()
    digits = re.match(r"[0-9]*", found.group()[len(whole) + 1 :])
    times = (len(digits.group()) - len(fixed)) // len(block) if digits else 0
    if len(block) == 1 and fixed and times < 3:
        return found.group()
    return _fraction(whole, fixed, block)


def number_word(word: str) -> int | None:
    """The value of "three"; None for other words."""
    return _WORDS.index(word.lower()) if word.lower() in _WORDS else None


def read_base(tokens: Sequence[Token]) -> tuple[int, int] | None:
    """(value, base) of `1010_2`, `(1010)_{two}` or `1010 base 2`; None for other tokens.

    Raises:
        Unreadable: a digit does not exist in that base.
    """
    values = [token.value for token in tokens]
    if "base" in values:
        at = values.index("base")
        digits, base = values[:at], values[at + 1 :]
        if digits[-1:] == ["("] and base[-1:] == [")"]:
            digits, base = digits[:-1], base[:-1]
        elif digits[-1:] == ["in"]:
            digits = digits[:-1]
    elif "_" in values:
        at = values.index("_")
        digits, base = values[:at], values[at + 1 :]
    else:
        return None
    base = [value for value in base if value not in "{}()"]
    while len(digits) >= 2 and (digits[0], digits[-1]) in (("(", ")"), ("{", "}"), ("[", "]")):
        digits = digits[1:-1]
    if len(base) != 1 or not digits or not re.fullmatch(r"[0-9][0-9A-Z]*|[A-F][0-9A-F]+|[A-F]", "".join(digits)):
        return None
    radix = int(base[0]) if base[0].isdigit() else _BASES.get(base[0].lower(), 0)
    if not "".join(digits)[0].isdigit() and radix <= 10:
        return None
    if not 2 <= radix <= 36 or len("".join(digits)) > 4_000:
        raise Unreadable("no base")
    try:
        return int("".join(digits), radix), radix
    except ValueError as error:
        raise Unreadable("a digit that the base does not have") from error

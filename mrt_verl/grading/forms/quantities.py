"""One number or formula with the unit, percent sign or currency around it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from mrt_verl.grading.forms.types import Number
from mrt_verl.grading.forms.unit_reading import is_currency, multiple, read_unit
from mrt_verl.grading.forms.units import Unit
from mrt_verl.grading.formulas.functions import FUNCTIONS
from mrt_verl.grading.formulas.nodes import Node, Unreadable, multiply
from mrt_verl.grading.formulas.parser import parse
from mrt_verl.grading.text.tokens import Token

_DOLLAR = Token("w", "dollar", True, True)
_DECIMAL = re.compile(r"[0-9]*\.?[0-9]*")


def read_number(tokens: Sequence[Token]) -> list[Number]:
    r"""The number, or both for one with `\pm`.

    Raises:
        Unreadable: the tokens are no formula with a unit after or a currency before it.
        TooBig: the exact value passes the limits.
    """
    currency, tokens = _currency(tokens)
    for end in _unit_starts(tokens):
        head, tail = list(tokens[:end]), [_DOLLAR if token.value == "$" else token for token in tokens[end:]]
        factor = Fraction(1)
        if tail and tail[0].kind == "w" and multiple(tail[0].value) is not None and _is_numeral(head):
            factor, tail = multiple(tail[0].value) or factor, tail[1:]
        unit = read_unit(tail, after_number=_is_numeral(head)) if tail else None
        if tail and (unit is None or currency is not None or (tail[0].value == "^" and _has_function(head))):
            continue
        try:
            nodes = parse(head)
        except Unreadable:
            continue
        nodes = [multiply(node, ("n", factor)) if factor != 1 else node for node in nodes]
        return [replace(_number(head, node, factor), unit=unit or currency) for node in nodes]
    raise Unreadable("no formula")


def _currency(tokens: Sequence[Token]) -> tuple[Unit | None, Sequence[Token]]:
    """A currency before the number, and the tokens without it."""
    sign = 1 if tokens and tokens[0].value in "+-" else 0
    if len(tokens) > sign + 2 and tokens[sign].value == "US" and tokens[sign + 1].value == "$":
        tokens = [*tokens[:sign], *tokens[sign + 1 :]]
    if len(tokens) > sign + 1 and is_currency(tokens[sign]) and tokens[sign + 1].kind != "w":
        token = tokens[sign]
        rest = [*tokens[:sign], *(one for one in tokens[sign + 1 :] if one.value != ".")]
        return read_unit([_DOLLAR if token.value == "$" else token], after_number=True), rest
    return None, tokens


def _unit_starts(tokens: Sequence[Token]) -> list[int]:
    """Where a unit may start, the whole as a formula first, then from the left."""
    starts = [len(tokens)]
    for position in range(1, len(tokens)):
        token = tokens[position]
        if token.kind in "wl" or token.value in ("^", "%", "$", "\\degree", "\\frac"):
            starts.append(position)
    return [*starts[1:40], starts[0]] if _prefers_unit(tokens) else starts[:40]


def _prefers_unit(tokens: Sequence[Token]) -> bool:
    """Whether a word, a sign or a spaced letter after a number is tried as a unit before it is a factor."""
    return any(
        (token.kind == "w" and token.value not in ("sin", "cos", "pi"))
        or token.value in ("%", "$", "\\circ", "o", "\\degree")
        or (token.kind == "l" and token.spaced)
        or (token.kind == "l" and position + 2 < len(tokens) and tokens[position + 1].value == "/")
        for position, token in enumerate(tokens)
    )


def _is_numeral(tokens: Sequence[Token]) -> bool:
    """Whether it is a number without any letter but constants in it."""
    return bool(tokens) and all(
        token.kind in "no" or token.value in ("\\frac", "\\pi", "\\sqrt", "\\times", "\\cdot", "pi", "sqrt")
        for token in tokens
    )


def _has_function(tokens: Sequence[Token]) -> bool:
    """Whether a degree sign after the tokens belongs to an argument, as in `\\sin 15^\\circ`."""
    return any(token.value.lstrip("\\") in FUNCTIONS for token in tokens)


def _number(head: Sequence[Token], node: Node, factor: Fraction) -> Number:
    values = [token.value for token in head if token.value not in "+-"]
    if len(values) != 1 or factor != 1 or not _DECIMAL.fullmatch(values[0]) or "." not in values[0]:
        return Number(node)
    text = values[0]
    return Number(node, None, len(text.partition(".")[2]), len(text.replace(".", "").lstrip("0")))

# ruff: noqa: RUF001 - spellings are Unicode
"""What a family of spellings is made of."""

import operator
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Spell = Callable[[Any, random.Random], list[str]]


@dataclass(frozen=True)
class Family:
    """One kind of answer; `draw(rng)` is a value, `spell(value, rng)` its spellings."""

    name: str
    draw: Callable[[random.Random], Any]
    spell: Spell
    slip: Callable[[Any, random.Random], Sequence[Any]]
    """Near values; one that equals the value after all is not used."""
    decoys: Spell = lambda value, rng: []
    """Texts that look like the value and are wrong."""
    loose: Spell = lambda value, rng: []
    """Texts that are right as an answer but no reference: a unit left out, a letter alone."""
    equal: Callable[[Any, Any], bool] = operator.eq
    """Whether two values are the same."""


FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
VULGAR = {(1, 2): "½", (1, 3): "⅓", (2, 3): "⅔", (1, 4): "¼", (3, 4): "¾", (1, 5): "⅕", (5, 8): "⅝", (1, 8): "⅛"}


def signed(value: int | Fraction, text: str) -> str:
    """`text`, which spells the absolute value, with the value's sign."""
    return f"-{text}" if value < 0 else text

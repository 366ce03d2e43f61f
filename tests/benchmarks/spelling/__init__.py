"""Pairs of a reference and an answer whose verdict is known by construction: spellings of one value, or of two.

spelling_numbers.py     integers, fractions, mixed numbers, decimals, thousands, percentages, periods, powers
spelling_formulas.py    roots, multiples of pi, complex numbers, logarithms, polynomials, rational functions
spelling_structures.py  tuples, sets, intervals, unions, matrices, quantities, choices, words, bases
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from spelling.answers import ANSWERS
from spelling.calculus import CALCULUS
from spelling.collections_ import COLLECTIONS
from spelling.family import Family
from spelling.functions import FUNCTIONS
from spelling.intervals import INTERVALS
from spelling.numbers import NUMBERS
from spelling.surds import SURDS
from spelling.words import WORDY

FAMILIES: tuple[Family, ...] = (
    *(*NUMBERS, *SURDS, *FUNCTIONS, *CALCULUS),
    *(*COLLECTIONS, *INTERVALS, *ANSWERS, *WORDY),
)
_NO_DOLLARS = ("quantity", "word", "choice", "choices", "thousands", "remainder", "date", "time")
WRAPPINGS = (
    "{}",
    "{}",
    "{}",
    "{}",
    "{}",
    " {} ",
    "{}.",
    "${}$",
    r"\displaystyle {}",
    r"\({}\)",
    "{},",
    r"\mathbf{{{}}}",
)
"""Around an answer of any family; half of the answers stay as they are."""

CROSS = (
    *("integer", "root", "surd", "multiple of pi", "complex number", "logarithm", "polynomial", "trigonometric", "set"),
    *("matrix", "union", "points", "word", "choice", "date", "remainder", "exponential", "nothing"),
)
"""Families of which no two have a value in common."""


@dataclass(frozen=True)
class Pair:
    """One grading whose verdict is known."""

    family: str
    reference: str
    answer: str
    is_right: bool


def generate(seed: int, values: int) -> Iterator[Pair]:
    """Per family and value four right answers and up to seven wrong ones, without repetitions."""
    for family in FAMILIES:
        rng = random.Random(f"{seed}:{family.name}")
        seen: set[Pair] = set()
        for _ in range(values):
            for pair in _pairs(family, rng):
                if pair not in seen:
                    seen.add(pair)
                    yield pair


def _pairs(family: Family, rng: random.Random) -> Iterator[Pair]:
    value = family.draw(rng)
    for _ in range(4):
        answers = [*family.spell(value, rng), *family.loose(value, rng) * 2]
        yield Pair(family.name, _reference(family, value, rng), _wrapped(family, rng.choice(answers), rng), True)
    wrong = [other for other in family.slip(value, rng) if not family.equal(value, other)]
    for other in rng.sample(wrong, min(2, len(wrong))):
        answer = _wrapped(family, rng.choice(family.spell(other, rng)), rng)
        yield Pair(family.name, _reference(family, value, rng), answer, False)
    for _ in range(2):
        if changed := _with_another_digit(family, value, rng):
            yield Pair(family.name, _reference(family, value, rng), changed, False)
    if family.name in CROSS:
        other_family = rng.choice([one for one in FAMILIES if one.name in CROSS and one.name != family.name])
        answer = rng.choice(other_family.spell(other_family.draw(rng), rng))
        yield Pair(family.name, _reference(family, value, rng), answer, False)
    decoys = family.decoys(value, rng)
    for answer in rng.sample(decoys, min(2, len(decoys))):
        yield Pair(family.name, _reference(family, value, rng), answer, False)


def _with_another_digit(family: Family, value: object, rng: random.Random) -> str | None:
    """A spelling in which one digit is another: another value, but for binomials, where C(n, k) = C(n, n - k)."""
    text = rng.choice(family.spell(value, rng))
    digits = [place for place, character in enumerate(text) if character in "0123456789"]
    if not digits or family.name == "binomial":
        return None
    place = rng.choice(digits)
    other = rng.choice([digit for digit in "123456789" if digit != text[place]])
    return text[:place] + other + text[place + 1 :]


def _reference(family: Family, value: object, rng: random.Random) -> str:
    """The first spelling, which is the usual one, half of the time; any other else."""
    ways = family.spell(value, rng)
    return ways[0] if rng.random() < 0.5 else rng.choice(ways)


def _wrapped(family: Family, answer: str, rng: random.Random) -> str:
    if family.name in _NO_DOLLARS or any(sign in answer for sign in "$*") or answer.endswith("."):
        return answer
    return rng.choice(WRAPPINGS).format(answer)

r"""What an answer and a reference may say besides, under rules other than the default ones.

Most of that is other spellings of a text, which are then compared as any pair is. Only decimals that come near are
compared as forms: they take the place of the numbers that they are near to.
"""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from math import isfinite
from typing import Any

from mrt_verl.grading.extraction import fallback_answer
from mrt_verl.grading.forms.reading import read
from mrt_verl.grading.forms.types import Form, Number, RealSet, Text
from mrt_verl.grading.formulas.numerics import real_value
from mrt_verl.grading.matching.rules import match
from mrt_verl.grading.presets import Rules
from mrt_verl.grading.text.unicode import fold_unicode
from mrt_verl.grading.text.wrappers import has_top_comma, strip_wrappers

MAX_LENGTH = 1_500
"""Characters of a text that is read in other ways."""
_DECIMAL_COMMA = re.compile(r"([+-]?[0-9]+),([0-9]+)(?![0-9,])((?:[^,()\[\]{}\\]|\\[A-Za-z]+(?:\{[^{}]*\})?|\\.)*)")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}(?![0-9])")
_NAME = re.compile(r"\s*(?:[A-Za-z]|\\[a-z]+)(?:_(?:\w|\{\w+\}))?\s*")
_APPROXIMATE = re.compile(r"\\(?:approx|simeq)(?![a-z])|\u2248")
_INEQUALITY = re.compile(r"\\(?:le|ge|lt|gt)(?:q|qslant)?(?![a-zA-Z])|[<>\u2264\u2265]")
_WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:and|or)\b)[A-Za-z]{2,}")
_IN_COMMANDS = re.compile(r"\$[^$]*\$|\\[a-z]+\{[^{}]*\}")
_DELIMITED = re.compile(r"\$|\\\(|\\\[")
MAX_WORDS = 2


def pairs_of(reference: str, answer: str, rules: Rules) -> list[tuple[str, str]]:
    """The (reference, answer) pairs of which one must be right; none if the rules refuse the answer."""
    if rules.reads_prose and is_prose(reference):
        reference = fallback_answer(reference, rules.fallbacks) or reference
    if not rules.inequality_for_set and _is_inequality_for_set(reference, answer):
        return []
    pairs = [
        (one, other)
        for one in (reference, *_spellings(reference, rules))
        for other in (answer, *_spellings(answer, rules, reference))
    ]
    return list(dict.fromkeys(pairs))


def is_prose(text: str) -> bool:
    """Whether there are words around a formula, or three words at least."""
    words = _WORD.findall(_IN_COMMANDS.sub(" ", text))
    return len(words) > MAX_WORDS or (bool(words) and _DELIMITED.search(text) is not None)


def _spellings(text: str, rules: Rules, reference: str | None = None) -> Iterator[str]:
    """Other spellings of a reference, or of an answer to one."""
    if len(text) > MAX_LENGTH:
        return
    if rules.reads_prose and reference is not None and is_prose(text):
        said = fallback_answer(text, rules.fallbacks)
        if said is not None:
            yield said
    plain = strip_wrappers(fold_unicode(text))
    if rules.last_side:
        last = _last_side(plain, reference)
        if last is not None:
            yield last
    if rules.decimal_comma:
        number = _DECIMAL_COMMA.fullmatch(plain)
        if number and not _THOUSANDS.match(plain):
            yield "{}.{}{}".format(*number.groups())
    if rules.bare_tuples:
        items = plain[1:-1] if plain.startswith("{") and plain.endswith("}") else plain
        if has_top_comma(items) and "=" not in items and ":" not in items:
            yield f"({items})"


def _last_side(plain: str, reference: str | None) -> str | None:
    """A chain of equations without what stands between its name and its last side."""
    sides = _sides(plain)
    if len(sides) < 2 or not all(side.strip() for side in sides):
        return None
    first, last = sides[0], _APPROXIMATE.split(sides[-1])[0]
    if _NAME.fullmatch(first):
        return f"{first} = {last}"
    # an equation as a reference is what was asked for, not its right side alone
    is_asked_for = len(sides) == 2 if reference is None else "=" in reference
    return None if is_asked_for else last


def _sides(text: str) -> list[str]:
    """The parts between equals signs outside of brackets; one part if commas make it several equations."""
    parts, start, depth = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character == "=" and text[position - 1 : position] not in ("<", ">", "!", ":"):
            parts.append(text[start:position])
            start = position + 1
    return [text] if has_top_comma(text) else [*parts, text[start:]]


def _is_inequality_for_set(reference: str, answer: str) -> bool:
    if _INEQUALITY.search(reference) or not _INEQUALITY.search(answer):
        return False
    return isinstance(read(answer).form, RealSet) and not isinstance(read(reference).form, Text)


def comes_near(reference: str, answer: str, places: int | None) -> bool:
    """Whether the answer is the reference once its decimals, or the reference's, are rounded to so many places."""
    if places is None:
        return False
    one, other = read(reference), read(answer)
    if one.too_big or other.too_big:
        return False
    known = list(_numbers(one.form))
    moved = _moved(other.form, known, places) if known else other.form
    return moved != other.form and match(one.form, moved) is True


def _numbers(form: Any) -> Iterator[Number]:
    if isinstance(form, Number):
        yield form
    elif isinstance(form, tuple):
        for part in form:
            yield from _numbers(part)
    elif is_dataclass(form):
        for field in fields(form):
            yield from _numbers(getattr(form, field.name))


def _moved(form: Form | Any, known: list[Number], places: int) -> Any:
    """The form with each number replaced by one of `known` that it is near to, if either is a decimal."""
    if isinstance(form, Number):
        near = next((one for one in known if _are_near(one, form, places)), None)
        return form if near is None else replace(form, node=near.node)
    if isinstance(form, tuple):
        return tuple(_moved(part, known, places) for part in form)
    if is_dataclass(form) and not isinstance(form, type):
        return replace(form, **{field.name: _moved(getattr(form, field.name), known, places) for field in fields(form)})
    return form


def _are_near(one: Number, other: Number, places: int) -> bool:
    if one.decimals is None and other.decimals is None:
        return False
    left, right = real_value(one.node), real_value(other.node)
    if left is None or right is None or not (isfinite(left) and isfinite(right)):
        return False
    return round(left, places) == round(right, places)

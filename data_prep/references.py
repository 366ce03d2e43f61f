r"""The reference of a row as one text that an answer can meet: from numbers, lists, arrays, JSON, worked solutions."""

import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from data_prep.problems import SURROGATE, Row, Unusable, is_storable
from mrt_verl.grading import extract_answer

_BOX = re.compile(r"\\(?:boxed|fbox)\b")
_SENTENCE_END = re.compile(r"[.!?。][)}\]$*\\]*\s|\n\s*\n|\\\\\s*\n|\\end\{")
_NAME = re.compile(r"([A-Za-z](?:_\{?\w+\}?)?|\\[a-z]+)\s*&?(?:=|\\equiv|\\approx)\s*[${]*\s*\Z")
_LABEL = re.compile(r"\((?:[a-e]|[ivx]+|[1-9])\)|\bpart\s+\(?[a-e1-9]\b", re.IGNORECASE)


class NoReferenceError(ValueError):
    """A value that no answer can meet; the message says why."""


def reference_text(value: Any) -> str:
    """The one text that stands for a reference.

    Several accepted answers are a JSON list of texts, which the grader reads; a list of one is that one.

    Raises:
        NoReferenceError: null, blank, a dict, a bool, not finite, nested lists, or nothing in it.
    """
    accepted = accepted_answers(value)
    return accepted[0] if len(accepted) == 1 else json.dumps(accepted, ensure_ascii=False)


def accepted_answers(value: Any) -> list[str]:
    """The answers that a reference accepts, each as a text; at least one.

    Raises:
        NoReferenceError: as `reference_text`.
    """
    if hasattr(value, "tolist"):  # a numpy scalar or array, of any number of dimensions
        value = value.tolist()
    several = _from_json(value) if isinstance(value, str) else value
    if isinstance(several, list | tuple | set | frozenset):
        if not several:
            raise NoReferenceError("an empty list")
        return list(dict.fromkeys(_scalar_text(one) for one in several))
    return [_scalar_text(several)]


def _from_json(text: str) -> Any:
    """The list or object that a text with quotes is in JSON; `[1, 2]` without quotes is mathematics and stays."""
    if text.lstrip()[:1] in ("[", "{") and '"' in text:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        if not is_storable(value):
            raise NoReferenceError(SURROGATE)
        if value := value.strip():
            return value
        raise NoReferenceError("blank")
    if value is None:
        raise NoReferenceError("null")
    if isinstance(value, Decimal) and value.is_finite():  # of a database
        return format(value.normalize(), "f")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, float):
        raise NoReferenceError("not a finite number")
    raise NoReferenceError(f"a {type(value).__name__}, not a text")


def to_answer(row: Row, column: str) -> str:
    """The column's reference.

    Raises:
        Unusable: it is none.
    """
    try:
        return reference_text(row[column])
    except NoReferenceError as why:
        raise Unusable(column, str(why), "" if row[column] is None else row[column]) from why


def boxed_answer(solution: str) -> str | None:
    r"""The final answer of a worked solution: its last `\boxed{}`, or what follows `####`; None if there is none.

    Raises:
        NoReferenceError: its last boxes are parts of one answer, of which one alone would be no reference: they stand
            in one sentence, after different names (`a=\boxed{3}`, `b=\boxed{4}`), or after labels ("(a)", "(b)").
    """
    starts = [box.start() for box in _BOX.finditer(solution)]
    if not starts:
        return extract_answer(solution, thinking=None, finished=False, fallbacks=("hashes",))
    pieces = [solution[start:end] for start, end in zip(starts, [*starts[1:], len(solution)], strict=True)]
    contents = [extract_answer(piece, thinking=None, finished=False, fallbacks=()) for piece in pieces]
    if len(contents) > 1 and contents[-1] is not None:
        before = [solution[(starts[number - 1] if number else 0) : start] for number, start in enumerate(starts)]
        if _is_divided(contents, before, pieces):
            raise NoReferenceError("several boxes that are parts of one answer")
    return contents[-1]


def _is_divided(contents: Sequence[str | None], before: Sequence[str], pieces: Sequence[str]) -> bool:
    """Whether the last box and the one before it, of another content, are parts of one answer."""
    if contents[-2] is None or contents[-2] == contents[-1]:
        return False
    between = pieces[-2]
    names = [found.group(1) if (found := _NAME.search(text)) else None for text in before[-2:]]
    if None not in names and names[0] != names[1]:
        return True
    if _LABEL.search(before[-2]) and _LABEL.search(between):
        return True
    return not _SENTENCE_END.search(between)


def to_boxed_answer(solution: str, column: str, *, missing: str = "no \\boxed{} that closes") -> str:
    """`boxed_answer` for a source's conversion.

    Args:
        missing: the reason where there is none.

    Raises:
        Unusable: there is none.
    """
    try:
        answer = boxed_answer(solution)
    except NoReferenceError as why:
        raise Unusable(column, str(why), solution[-120:]) from why
    if answer is None:
        raise Unusable(column, missing, solution[-80:])
    return answer

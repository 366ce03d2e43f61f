r"""Equality of an answer and its reference: here as far as that takes no time, in a worker for what is left.

`exact_verdict` reads both texts into typed forms (`reading`), which `matching` compares exactly: numbers as fractions,
formulas as normal forms. It returns None where only many digits can decide (nested roots, trigonometric identities),
where an exact value is too large for the process that trains, and for mathematics that the reader does not know, such
as sums and integrals. `deep_verdict` decides those in a worker: with 60 digits, without limits of size, and with
math-verify's parser for what only that can read.
"""

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mrt_verl.grading.extraction import extract_answer, tidy
from mrt_verl.grading.forms import reading
from mrt_verl.grading.forms.reading import MAX_LENGTH, read
from mrt_verl.grading.forms.types import Text
from mrt_verl.grading.formulas import values
from mrt_verl.grading.formulas.nodes import Limits
from mrt_verl.grading.matching.readings import match_readings

_JSON_LIST = re.compile(r'\s*\[\s*".*"\s*\]\s*', re.DOTALL)
_PLAIN_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_CACHED_LENGTH = 400


def as_references(reference: Any) -> tuple[str, ...]:
    """The accepted answers, freed of box or `####`: one (a string or a number) or several (any other iterable).

    None, a mapping, a float that is no number (what pandas writes where nothing is) and anything empty hold no answer:
    they give no reference. A JSON list of strings is several, bytes are their UTF-8 text.
    """
    if hasattr(reference, "tolist"):  # numpy's arrays, those without dimensions too
        reference = reference.tolist()
    reference = _decoded(reference)
    if _is_none(reference):
        return ()
    if isinstance(reference, str) and _JSON_LIST.fullmatch(reference):
        reference = _from_json(reference)
    several = [reference] if isinstance(reference, str) or not hasattr(reference, "__iter__") else reference
    texts = [str(_decoded(one)) for one in several if not _is_none(one)]
    found = (extract_answer(text, thinking=None, finished=True, fallbacks=("hashes",)) or tidy(text) for text in texts)
    return tuple(text for text in found if text)


def _decoded(one: Any) -> Any:
    return one.decode("utf-8", "replace") if isinstance(one, bytes) else one


def _is_none(one: Any) -> bool:
    return one is None or isinstance(one, Mapping) or (isinstance(one, float) and math.isnan(one))


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def exact_verdict(reference: str, answer: str) -> bool | None:
    """Whether the answer is the reference, None if it takes a worker to decide."""
    if len(reference) + len(answer) <= _CACHED_LENGTH:
        return _remembered(reference, answer)
    return _decide(reference, answer)


def _decide(reference: str, answer: str) -> bool | None:
    if len(answer) > MAX_LENGTH and len(reference) < MAX_LENGTH // 4:
        return False  # no answer of that length says what so short a reference says
    try:
        return match_readings(read(reference), read(answer))
    except RecursionError:
        return None


_remembered = lru_cache(maxsize=65_536)(_decide)


def forget() -> None:
    """Empty the memories of readings and verdicts, as in a new process; for measuring."""
    for cached in (_remembered, reading._read, values._same_value, values._normal):
        cached.cache_clear()


def is_readable(reference: str) -> bool:
    """Whether there is anything in a reference that an answer could be compared with."""
    form = read(reference).form
    return not isinstance(form, Text) or bool(form.words)


def go_deep() -> None:
    """Let `exact_verdict` take the time and the memory that it needs; only for a worker, which can be killed."""
    Limits.bits, Limits.terms, Limits.depth = 10**9, 20_000, 200
    values.Depth.is_deep = True
    sys.setrecursionlimit(20_000)


def deep_verdict(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the answer of any (reference, answer) pair is its reference.

    Only for a worker, after `go_deep`: it may never return.

    Raises:
        MemoryError: the comparison hit the memory limit.
        ValueError: no rule and no number of digits decides.
    """
    failure: Exception | None = None
    for reference, answer in pairs:
        try:
            verdict = _decide(reference, answer)
            if verdict is None:
                from mrt_verl.grading.unread import same_unread

                verdict = same_unread(reference, answer)
            if verdict:
                return True
        except MemoryError:
            raise
        except Exception as error:  # another pair may decide
            failure = error
    if failure is not None:
        raise ValueError(f"not decided: {failure}") from failure
    return False

r"""Equality of an answer and its reference.

math-verify decides. Ours is only what needs no mathematics: the text it is given, and exact paths for pairs whose
verdict by math-verify is certain beforehand (equal strings, plain integers and short decimals).
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import Any

from mrt_verl.grading.extraction import extract_answer, tidy

_PLAIN_NUMBER = re.compile(r"-?(?:[0-9]{1,12}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,3}|[0-9]{1,9}\.[0-9]{1,6})")
_INTEGERS = re.compile(r"-?[0-9]{1,9}(?:,(?: +|(?![0-9]{3}))-?[0-9]{1,9})+")  # "1,200" is a number
_PLAIN_TEXT = re.compile(r"[A-Za-z]+|(?=.*[0-9])[\w +\-*/^=<>(){}\[\],.!|:\\]+", re.ASCII)
_PERCENT = re.compile(r"([^$\s,;]*[^$\s,;\\])\s*(?:\\?%|percent)")
_CHOICE = re.compile(r"(?:\\(?:text|mathrm|textbf|mathbf)\{)?\s*\(?([A-J])(?:[).:]++(?!\w)|\}|\\[)\s}]).*", re.DOTALL)
_CHOICE_REFERENCE = re.compile(r"\(?([A-J])\)?")


def as_references(reference: Any) -> tuple[str, ...]:
    """The accepted answers, freed of box or `####`: one (a string or a number) or several (any other iterable)."""
    several = [reference] if isinstance(reference, str) or not hasattr(reference, "__iter__") else reference
    texts = (str(one) for one in several)
    return tuple(extract_answer(text, thinking=None, fallbacks=("hashes",)) or tidy(text) for text in texts)


def fit_choice(answer: str, reference: str) -> str:
    """For a multiple-choice reference such as "B", the letter that the answer "(B) 42" opens with; else the answer."""
    if not _CHOICE_REFERENCE.fullmatch(reference):
        return answer
    choice = _CHOICE.fullmatch(answer)
    return choice.group(1) if choice else answer


def exact_verdict(reference: str, answer: str) -> bool | None:
    """math-verify's verdict where it is certain without asking, None otherwise.

    Numbers of at most 6 decimals compare as decimals: math-verify compares integers exactly and rounds floats to 6
    decimals. Lists of integers compare as sets, as they do there. Other pairs are decided only if their strings are
    equal, and only for strings that its extraction cannot misread and its normalisation cannot empty: equal strings
    are then equal to it too.
    """
    if _PLAIN_NUMBER.fullmatch(reference) and _PLAIN_NUMBER.fullmatch(answer):
        return Decimal(reference.replace(",", "")) == Decimal(answer.replace(",", ""))
    if _INTEGERS.fullmatch(reference) and _INTEGERS.fullmatch(answer):
        return set(map(int, reference.split(","))) == set(map(int, answer.split(",")))
    if reference == answer and len(answer) <= 1_000 and _PLAIN_TEXT.fullmatch(answer) and _is_boxable(answer):
        return True
    return None


def _is_boxable(answer: str) -> bool:
    """Whether a box around the answer closes where it should for math-verify, which counts escaped braces as well."""
    depths = accumulate({"{": 1, "}": -1}.get(character, 0) for character in answer)
    return "box" not in answer and min(least := list(depths)) >= 0 and least[-1] == 0


def math_verify_verdict(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether math-verify takes the answer of any (reference, answer) pair for its reference.

    Only for a worker: it may never return.

    Raises:
        MemoryError: the comparison hit the memory limit.
        ValueError: a reference holds nothing that could be parsed.
    """
    return any(_equal(_parse_reference(reference), _parse(answer)) for reference, answer in pairs)


@lru_cache(maxsize=4096)
def _parse_reference(reference: str) -> list[Any]:
    parsed = _parse(reference)
    if not parsed:
        raise ValueError(f"the reference {reference[:80]!r} holds nothing to compare with")
    return parsed


def _parse(answer: str) -> list[Any]:
    """What math-verify finds in the answer, boxed.

    Its parser fails on a percent sign inside a box; outside of `$` it reads it. The bare string, which it would compare
    as well, has then lost the sign and is left out.
    """
    from math_verify import parse  # type: ignore[import-untyped]

    percent = _PERCENT.fullmatch(answer)
    if percent:
        parsed = parse(f"${percent.group(1)}$%", parsing_timeout=None, fallback_mode="no_fallback")
        if parsed:
            return parsed
    return parse(f"\\boxed{{{answer}}}", parsing_timeout=None)


def _equal(reference: list[Any], answer: list[Any]) -> bool:
    from math_verify import verify

    for one in reference:
        for other in answer:
            try:
                # its own timeouts use signals; ours is the killing of this process
                if verify(one, other, timeout_seconds=None, raise_on_error=True):
                    return True
            except MemoryError:
                raise
            except Exception:  # whatever sympy raises on odd input is math-verify's "not equal"; other pairs may be
                continue
    return False

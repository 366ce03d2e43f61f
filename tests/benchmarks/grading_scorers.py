"""The graders that are compared, each as its own documentation has it called: a case's verdict, None for no verdict."""

import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from grading_sets import Case

Scorer = Callable[[Sequence[Case]], list[bool | None]]


def ours(cases: Sequence[Case]) -> list[bool | None]:
    """`Grader` as in training; a bare sentence is no answer to it, so that its last formula or number is looked for."""
    from mrt_verl.grading import Grader
    from mrt_verl.grading.extraction import DEFAULT_FALLBACKS

    limits = {"workers": 2, "deadline_s": 10.0}
    verdicts: list[bool | None] = []
    searching = (*DEFAULT_FALLBACKS, "last_formula", "last_number")
    with Grader(**limits) as grader, Grader(**limits, fallbacks=searching) as reader:
        for case in cases:
            how = {"finished": case.finished, "stop_text": case.stop_text}
            if case.is_bare and _is_sentence(case.text):
                grade = reader.grade_sync([case.text], case.reference, **how)[0]
            else:
                grade = grader.grade_sync([case.response], case.reference, **how)[0]
            verdicts.append(grade.verdict == "right" if grade.is_known else None)
    return verdicts


def _is_sentence(text: str) -> bool:
    """Whether there are words around a formula, or three words at least."""
    words = re.findall(r"(?<!\\)\b[A-Za-z]{2,}\b", re.sub(r"\$[^$]*\$|\\[a-z]+\{[^{}]*\}", " ", text))
    return len(words) > 2 or (bool(words) and _is_delimited(text))


def math_verify(cases: Sequence[Case]) -> list[bool | None]:
    """`verify(parse(reference), parse(text))`, LaTeX between dollar signs or in a box where the case has it bare."""
    return _each(_math_verify_one, cases)


def verl_math_verify(cases: Sequence[Case]) -> list[bool | None]:
    """verl's `math_verify.compute_score`, which has processes of its own and would wait for them in another one."""
    one = _Guarded(_verl_math_verify_one)
    one(cases[0])  # the first call starts the processes, which can take longer than its time limit
    return [one(case) for case in cases]


def verl_default(cases: Sequence[Case]) -> list[bool | None]:
    """verl's `default_compute_score` for mathematics (data source `HuggingFaceH4/MATH-500`)."""
    return _each(_verl_default_one, cases)


def _math_verify_one(case: Case) -> bool | None:
    from math_verify import parse, verify  # type: ignore[import-untyped]

    # its own tests have plain numbers and sentences bare
    is_delimited = _is_delimited(case.reference) or (case.is_bare and "\\" not in case.reference)
    gold = parse(case.reference if is_delimited else f"${case.reference}$")
    is_plain = case.is_bare and (_is_delimited(case.text) or "\\" not in case.text)
    return bool(verify(gold, parse(case.stop_text + (case.text if is_plain else case.response))))


def _is_delimited(text: str) -> bool:
    return any(sign in text for sign in ("$", r"\boxed", r"\(", r"\["))


def _verl_math_verify_one(case: Case) -> bool | None:
    from verl.utils.reward_score.math_verify import compute_score

    return bool(compute_score(case.stop_text + case.response, case.reference))


def _verl_default_one(case: Case) -> bool | None:
    from verl.utils.reward_score import default_compute_score

    score: Any = default_compute_score("HuggingFaceH4/MATH-500", case.stop_text + case.response, case.reference)
    return bool(score["score"] if isinstance(score, dict) else score)


def _each(one: Callable[[Case], bool | None], cases: Sequence[Case]) -> list[bool | None]:
    """In a process of its own, because the scorers' time limits need the main thread and sympy may crash."""
    with ProcessPoolExecutor(1) as pool:
        return list(pool.map(_Guarded(one), cases, chunksize=32))


class _Guarded:
    """An exception of a scorer is no verdict."""

    def __init__(self, one: Callable[[Case], bool | None]) -> None:
        self._one = one

    def __call__(self, case: Case) -> bool | None:
        logging.disable(logging.WARNING)
        try:
            return self._one(case)
        except Exception:  # whatever a scorer raises, a run that uses it gets no score from it
            return None


SCORERS: dict[str, Scorer] = {
    "ours": ours,
    "math-verify": math_verify,
    "verl math_verify": verl_math_verify,
    "verl default": verl_default,
}

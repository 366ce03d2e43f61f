r"""Which reference answers a grader can check: math-verify must find a mathematical object in them.

Most answers are decided by their form alone, without math-verify: plain numbers, simple fractions and roots, single
letters. The others go to the package's own grading workers, each answer once, so that none can hang or crash the run.
"""

import asyncio
import re
from collections.abc import Sequence

from mrt_verl.grading import Grader, Verdict, extract_answer

_NUMBER = r"-?(?:[0-9]{1,12}|[0-9]{1,9}\.[0-9]{1,9}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,3})"
_INTEGER = r"-?[0-9]{1,9}"
_FRACTION = rf"-?\\[dt]?frac\{{{_INTEGER}\}}\{{[1-9][0-9]{{0,8}}\}}|{_INTEGER}/[1-9][0-9]{{0,8}}"
_ROOT = r"-?(?:[1-9][0-9]{0,8})?\\sqrt\{[1-9][0-9]{0,8}\}"
_CERTAIN = re.compile(rf"{_NUMBER}|{_FRACTION}|{_ROOT}|[A-Za-z]|\([A-J]\)")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{3,}|\b(?:at|in|is|it|no|of|or|so|to)\b", re.IGNORECASE)
_FUNCTIONS = frozenset({"sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt", "gcd", "lcm", "mod"})
_REASONS = {
    Verdict.TIMEOUT: "math-verify does not finish",
    Verdict.WRONG: "math-verify finds nothing in it",
}
ATTEMPTS = 2
"""A deadline that was missed may be the machine's fault: such an answer is asked about again."""
MOST_WORDS = 2
"""More words than this are prose: math-verify reads them as products of letters, and no model repeats them exactly."""
_COUNT_OBJECTS = "data_prep.answer_worker:count_objects"
_PLACEHOLDERS = frozenset({"proof", "notfound", "none", "nan", "n/a"})


def final_answer(solution: str) -> str | None:
    r"""The content of the last `\boxed{}` of a worked solution, or what follows `####`."""
    return extract_answer(solution, thinking=None, finished=False, fallbacks=("hashes",))


def is_certain(answer: str) -> bool:
    """Whether math-verify is known to read the answer, by its form alone."""
    return _CERTAIN.fullmatch(answer) is not None


def refused(answer: str) -> str | None:
    """Why an answer cannot be checked whatever math-verify makes of it, or None."""
    if answer.casefold().strip(".") in _PLACEHOLDERS:
        return "a placeholder"
    words = [word for word in _WORD.findall(_COMMAND.sub(" ", answer)) if word.casefold() not in _FUNCTIONS]
    return "prose" if len(words) > MOST_WORDS else None


class AnswerChecker:
    """Checks batches of answers and remembers what it has checked; close it, or use it in a `with` block."""

    def __init__(self, *, workers: int = 2, deadline_s: float = 10.0) -> None:
        self._grader = Grader(workers=workers, deadline_s=deadline_s)
        self._known: dict[str, str | None] = {}

    def check(self, answers: Sequence[str]) -> list[str | None]:
        """Per answer why it cannot be checked, or None."""
        asked = [answer for answer in dict.fromkeys(answers) if answer not in self._known and not is_certain(answer)]
        self._known.update((answer, refused(answer)) for answer in asked)
        asyncio.run(self._ask([answer for answer in asked if self._known[answer] is None]))
        return [self._known.get(answer) for answer in answers]

    def close(self) -> None:
        """End the workers."""
        self._grader.close()

    def __enter__(self) -> "AnswerChecker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _ask(self, answers: Sequence[str]) -> None:
        for _ in range(ATTEMPTS):
            grades = await asyncio.gather(
                *(self._grader.grade_outcome(_COUNT_OBJECTS, solution_str=answer) for answer in answers)
            )
            for answer, grade in zip(answers, grades, strict=True):
                self._known[answer] = None if grade.score else _REASONS.get(grade.verdict, _REASONS[Verdict.WRONG])
            answers = [answer for answer in answers if self._known[answer] == _REASONS[Verdict.TIMEOUT]]

r"""Which reference answers can be graded: each must be right against itself, and another answer must be wrong.

Most answers are decided by their form alone: plain numbers, simple fractions and roots, single letters. The others go
to the package's own grader, each once, under a deadline, so that none can hang or crash the run.
"""

import asyncio
import re
from collections.abc import Sequence

from data_prep.references import accepted_answers
from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.grading.comparison import as_references
from mrt_verl.grading.forms.reading import read
from mrt_verl.grading.forms.types import Text
from mrt_verl.grading.grades import NO_REFERENCE

_NUMBER = r"-?(?:[0-9]{1,12}|[0-9]{1,9}\.[0-9]{1,9}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,3})"
_INTEGER = r"-?[0-9]{1,9}"
_FRACTION = rf"-?\\[dt]?frac\{{{_INTEGER}\}}\{{[1-9][0-9]{{0,8}}\}}|{_INTEGER}/[1-9][0-9]{{0,8}}"
_ROOT = r"-?(?:[1-9][0-9]{0,8})?\\sqrt\{[1-9][0-9]{0,8}\}"
_CERTAIN = re.compile(rf"{_NUMBER}|{_FRACTION}|{_ROOT}|[A-Za-z]|\([A-J]\)")
_BRINGS_ITS_PLACE = re.compile(r"\\(?:boxed|fbox)\b|####")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{3,}|\b(?:at|in|is|it|no|of|or|so|to)\b", re.IGNORECASE)
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Letters of scripts that write sentences without spaces, or with few: Thai, Japanese, Chinese, Korean, …"""
LETTERS_OF_A_WORD = 2
"""Of such a script, about."""
_NO_PROSE = frozenset(
    {"or", "and", "sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt", "gcd", "lcm", "mod"}
)
_SYMBOLS = frozenset("∅∞")
ATTEMPTS = 2
"""A missed deadline or a worker that died may be the machine's fault: such an answer is asked about again."""
_TOO_SLOW, _FAILED = "the grader does not finish", "the grader fails on it"
MAX_WORDS = 2
"""More words than this are prose, which no model repeats exactly."""
OTHER_ANSWERS = ("7919.6007", r"\sqrt{7919}+q_{6007}")
"""No reference is these: they must be wrong for each, and known to be, which a comparison with itself does not show."""
_PLACEHOLDERS = frozenset({"proof", "notfound", "none", "nan", "n/a", "null", "omitted", "略", "证明略", "答案略"})
_SEE = re.compile(r"\W*(?:see\b|answers? (?:may |will )?var)", re.IGNORECASE)
_NO_WORDS = re.compile(r"[()\[\]{}|=+^_\\/<>\"#&*]")
"""What is no part of words, a date or a time."""


def is_certain(answer: "Reference") -> bool:
    """Whether the grader is known to read the answer, by its form alone."""
    return isinstance(answer, str) and _CERTAIN.fullmatch(answer) is not None


def refused(answer: str) -> str | None:
    """Why an answer cannot be a reference whatever the grader makes of it, or None."""
    bare = _COMMAND.sub(" ", answer).strip(" {}().")
    if bare.casefold() in _PLACEHOLDERS or _SEE.match(bare):
        return "a placeholder"
    if not any(character.isalnum() or character in _SYMBOLS for character in answer):
        return "no letter or digit in it"
    if not _is_balanced(answer):
        return "braces that do not close"
    words = [word for word in _WORD.findall(_COMMAND.sub(" ", answer)) if word.casefold() not in _NO_PROSE]
    spaced = [word for word in words if not _UNSPACED.search(word)]
    unspaced = len(_UNSPACED.findall(answer)) / LETTERS_OF_A_WORD
    return "prose" if len(spaced) + unspaced > MAX_WORDS else None


def _is_balanced(answer: str) -> bool:
    depth = 0
    for brace in _BRACES.findall(answer):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if depth < 0:
            return False
    return depth == 0


Reference = str | tuple[str, ...]
"""As the grader gets it: a text, which may be a JSON list of texts, or several accepted answers."""


class AnswerChecker:
    """Checks batches of references and remembers what it has checked; close it, or use it in a `with` block."""

    def __init__(self, *, workers: int = 2, deadline_s: float = 10.0) -> None:
        self._grader = Grader(workers=workers, deadline_s=deadline_s)
        self._known: dict[Reference, str | None] = {}

    def check(self, references: Sequence[Reference]) -> list[str | None]:
        """Per reference why it cannot be graded, or None."""
        asked = [one for one in dict.fromkeys(references) if one not in self._known and not is_certain(one)]
        self._known.update((one, _refused_of(one)) for one in asked)
        asyncio.run(self._ask([one for one in asked if self._known[one] is None]))
        return [self._known.get(one) for one in references]

    def close(self) -> None:
        """End the workers."""
        self._grader.close()

    def __enter__(self) -> "AnswerChecker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _ask(self, references: Sequence[Reference]) -> None:
        for _ in range(ATTEMPTS):
            reasons = await asyncio.gather(*(self._reason(one) for one in references))
            self._known.update(zip(references, reasons, strict=True))
            references = [one for one in references if self._known[one] in (_TOO_SLOW, _FAILED)]

    async def _reason(self, reference: Reference) -> str | None:
        accepted = accepted_answers(reference)
        texts = [one if _BRINGS_ITS_PLACE.search(one) else rf"\boxed{{{one}}}" for one in accepted]
        grades = await self._grader.grade(texts, reference, finished=True)
        others = await self._grader.grade([rf"\boxed{{{one}}}" for one in OTHER_ANSWERS], reference, finished=True)
        return _reason_of(grades, others) or await self._unread(reference)

    async def _unread(self, reference: Reference) -> str | None:
        """Why a reference is read as mere text, although it is no words: no other spelling would meet it."""
        for text in as_references(reference):
            form = read(text).form
            if not isinstance(form, Text):
                continue
            if form.is_formula:  # a sum or an integral, which a worker may read
                grades = await self._grader.grade([rf"\boxed{{\left({text}\right)+0}}"], text, finished=True)
                if reason := _unknown(grades):
                    return reason
                is_read = grades[0].verdict is Verdict.RIGHT
            else:
                is_read = any(map(str.isalpha, form.words)) and not _NO_WORDS.search(form.words)
            if not is_read:
                return "not read as mathematics: only the same text meets it"
        return None


def _refused_of(reference: Reference) -> str | None:
    return next(filter(None, map(refused, accepted_answers(reference))), None)


def _reason_of(own: Sequence[Grade], others: Sequence[Grade]) -> str | None:
    """Why a reference cannot be graded, from the verdicts on itself and on other answers; None if it can."""
    if reason := _unknown([*own, *others]):
        return reason
    if any(grade.verdict is not Verdict.RIGHT for grade in own):
        return "not right against itself"
    is_met_by_all = any(grade.verdict is Verdict.RIGHT for grade in others)
    return "any answer is right against it" if is_met_by_all else None


def _unknown(grades: Sequence[Grade]) -> str | None:
    """Why the grader has no verdict, or None if it has one on all."""
    if NO_REFERENCE in grades:
        return "the grader finds nothing in it"
    verdicts = {grade.verdict for grade in grades}
    return _TOO_SLOW if Verdict.TIMEOUT in verdicts else _FAILED if Verdict.ERROR in verdicts else None

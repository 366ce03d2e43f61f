"""The public face: one response graded as in training, with what was read and compared."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mrt_verl.grading.comparison import as_references
from mrt_verl.grading.extraction import extract_answer
from mrt_verl.grading.forms.describe import describe
from mrt_verl.grading.forms.reading import read
from mrt_verl.grading.grader import Grader
from mrt_verl.grading.grades import Grade, Verdict

_lock = threading.Lock()
_shared: list[Grader] = []


@dataclass(frozen=True, slots=True)
class Graded:
    """A verdict with its reasons.

    `answer`: what the response gives as its answer, None without one. `answer_form` and `reference_forms`: how the
    answer and each accepted reference were read. `detail`: why there is no verdict.
    """

    verdict: Verdict
    score: float
    answer: str | None
    answer_form: str
    references: tuple[str, ...]
    reference_forms: tuple[str, ...]
    detail: str = ""

    def __str__(self) -> str:
        lines = [f"verdict    {self.verdict.value}" + (f" ({self.detail})" if self.detail else "")]
        lines += [f"answer     {self.answer!r}", f"  read as  {self.answer_form}"] if self.answer is not None else []
        for reference, form in zip(self.references, self.reference_forms, strict=True):
            lines += [f"reference  {reference!r}", f"  read as  {form}"]
        return "\n".join(lines)


def grade(response_text: str, reference: Any, *, finished: bool = True, bare: bool = False) -> Graded:
    """Grade one response against its reference (or several accepted ones), by the code that training uses.

    Args:
        finished: whether the response ended by itself; one that was cut off may leave its last box open.
        bare: the text is an answer itself; otherwise the answer is looked for in a box, an answer tag or a phrase.
    """
    return grade_many([response_text], [reference], finished=finished, bare=bare)[0]


def grade_many(
    response_texts: Sequence[str],
    references: Sequence[Any],
    *,
    finished: bool | Sequence[bool] = True,
    bare: bool = False,
) -> list[Graded]:
    """`grade` for many responses at once, each with a reference of its own.

    Raises:
        ValueError: there are not as many references as responses.
    """
    flags = [finished] * len(response_texts) if isinstance(finished, bool) else list(finished)
    if not len(response_texts) == len(references) == len(flags):
        raise ValueError(f"{len(response_texts)} responses, {len(references)} references, {len(flags)} flags")
    grades = _grader().grade_pairs(response_texts, references, finished=flags, bare=bare)
    return [
        _explained(one, text if bare else extract_answer(text, finished=flag), as_references(reference))
        for one, text, flag, reference in zip(grades, response_texts, flags, references, strict=True)
    ]


def _grader() -> Grader:
    """One grader for all calls; its workers start with the first answer that needs one, and end with the process."""
    with _lock:
        if not _shared:
            _shared.append(Grader())
        return _shared[0]


def _explained(graded: Grade, answer: str | None, references: tuple[str, ...]) -> Graded:
    return Graded(
        verdict=graded.verdict,
        score=graded.score,
        answer=answer,
        answer_form="nothing" if answer is None else describe(read(answer)),
        references=references,
        reference_forms=tuple(describe(read(reference)) for reference in references),
        detail=graded.detail,
    )

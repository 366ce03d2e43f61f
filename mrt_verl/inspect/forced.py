"""How a model writes forced answers: whether they can be read, and in which form (pure)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mrt_verl.evaluation.records import Answer

REFERENCE = "{reference}"


@dataclass(frozen=True, slots=True)
class ForcedAnswers:
    """All forced answers of a run."""

    count: int
    readable_share: float
    """With an answer in them."""
    finished_share: float
    """That ended by themselves or at the close of their box, not by `mrt.branch_max_tokens`."""
    forms: dict[str, float]
    """Shares of the readable ones by form, a spelling with {reference} for the answer; the most frequent first."""
    unreadable: tuple[str, ...]
    """Some that hold no answer."""

    @property
    def main_form(self) -> tuple[str, float]:
        """The most frequent form and its share; ("", 0) without any."""
        return next(iter(self.forms.items()), ("", 0.0))


def read_forms(answers: Sequence[Answer]) -> ForcedAnswers:
    """What the forced answers of a run look like."""
    readable = [answer for answer in answers if answer.extracted]
    forms = Counter(form_of(answer) for answer in readable)
    unread = Counter(answer.text for answer in answers if not answer.extracted)
    return ForcedAnswers(
        count=len(answers),
        readable_share=len(readable) / max(len(answers), 1),
        finished_share=sum(answer.finished for answer in answers) / max(len(answers), 1),
        forms={form: count / len(readable) for form, count in forms.most_common(5)},
        unreadable=tuple(text for text, _ in unread.most_common(3)),
    )


def form_of(answer: Answer) -> str:
    """An answer's text with {reference} for what was read from it; the text itself where that does not stand in it."""
    return answer.text.replace(answer.extracted or "", REFERENCE, 1) if answer.extracted else answer.text

"""What was sampled for one trace of one problem: a line of traces.jsonl."""

from dataclasses import asdict, dataclass, field
from typing import Any

from mrt_verl.grading import Grade


@dataclass(slots=True)
class Answer:
    """A final or forced answer and its grade."""

    text: str
    finished: bool
    """Whether it ended by itself, not by a token limit."""
    extracted: str | None
    """The answer inside the text; None without one."""
    verdict: str
    """mrt_verl.grading.Verdict"""
    score: float
    weight: float | None = None
    """Weight of the score in J; None counts like every other (prover.ForcedAnswer)."""


@dataclass(slots=True)
class EpisodeRecord:
    """One episode and the forced answers after it; positions are tokens of everything thought so far."""

    start: int
    marker_end: int
    end: int
    text: str
    forced: list[Answer]
    j: float | None
    """Success probability if thinking stops here; None if no answer could be sampled or graded."""
    answer_tokens: float
    """Mean tokens of a forced answer, the stop text included."""


@dataclass(slots=True)
class TraceRecord:
    """One trace: plain values, written as JSON."""

    problem: int
    uid: str
    trace: int
    data_source: str
    messages: list[dict[str, str]]
    reference: Any
    prompt_tokens: int
    response: str
    """Everything generated, thinking tags included."""
    response_tokens: int
    think_tokens: int
    closed: bool
    """Whether the thinking was closed, or never opened: whether there is a final answer."""
    finished: bool
    """Whether the response ended by itself, not by the token budget."""
    markers: int
    own: Answer
    """The trace's own final answer; no answer where the thinking was never closed."""
    episodes: list[EpisodeRecord]
    before: list[Answer]
    """Answers without any thinking, the same for all traces of the problem."""
    before_tokens: float
    """Mean tokens of one of them, the stop text included."""
    j_before: float | None
    extension: list[EpisodeRecord] = field(default_factory=list)
    """Episodes that budget forcing appended where the trace had closed its thinking."""
    branch_tokens: int = 0
    """Tokens generated for forced answers at this trace's boundaries."""
    branch_failures: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TraceRecord":
        """The record of a line.

        Raises:
            KeyError, TypeError: a field is missing or unknown.
        """
        fields = dict(values)
        fields["own"] = Answer(**fields["own"])
        fields["before"] = [Answer(**answer) for answer in fields["before"]]
        for key in ("episodes", "extension"):
            fields[key] = [
                EpisodeRecord(**{**episode, "forced": [Answer(**answer) for answer in episode["forced"]]})
                for episode in fields[key]
            ]
        return cls(**fields)


def make_answer(text: str, finished: bool, grade: Grade, extracted: str | None, weight: float | None = None) -> Answer:
    """An answer as it is written down."""
    return Answer(text, finished, extracted, str(grade.verdict), grade.score, weight)

"""What was sampled for one trace of one problem: a line of traces.jsonl."""

import sys
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin

from mrt_verl.grading import Grade


class Typed:
    """A dataclass whose fields hold what they are declared to hold: a line of a file may hold anything.

    Whole numbers are counts and places, so none is negative; other numbers are finite, and none is beyond a machine's.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, kinds, inner in _kinds(cls):
            value = getattr(self, name)
            several = value if inner and isinstance(value, list) else ()
            if not _is_of(value, kinds) or not all(_is_of(one, inner) for one in several):
                named = {int: "int from 0", float: "finite float"}
                allowed = " or ".join(named.get(kind, kind.__name__) for kind in kinds)
                allowed += f" of {inner[0].__name__}" if inner else ""
                raise TypeError(f"{name}={value!r:.80}; allowed: {allowed}")


@cache
def _kinds(cls: Any) -> list[tuple[str, tuple[type, ...], tuple[type, ...]]]:
    """(field, types of its value, types of what is in it) of those that are declared with one."""
    found = []
    for one in fields(cls):
        kinds = get_args(one.type) if isinstance(one.type, UnionType) else (one.type,)
        if kinds != (Any,):
            inner = get_args(one.type)[:1] if get_origin(one.type) is list else ()
            plain = [tuple(get_origin(kind) or kind for kind in several) for several in (kinds, inner)]
            found.append((one.name, plain[0], plain[1]))
    return found


def _is_of(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, float) or (isinstance(value, int) and int not in kinds):  # JSON writes 1.0 as 1, too
        return float in kinds and abs(value) <= sys.float_info.max
    return isinstance(value, kinds) and not (isinstance(value, int) and not 0 <= value <= sys.maxsize)


@dataclass(slots=True)
class Answer(Typed):
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
class EpisodeRecord(Typed):
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
class TraceRecord(Typed):
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

    def __post_init__(self) -> None:
        Typed.__post_init__(self)
        if not all(isinstance(message.get("content"), str) for message in self.messages):
            raise TypeError(f"messages={self.messages!r:.80}; allowed: messages with role and content")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TraceRecord":
        """The record of a line.

        Raises:
            KeyError, TypeError: a field is missing, unknown, or of another type.
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

"""What sources hand to the pipeline: problems, and rows that are no problems."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class DataError(Exception):
    """An input that cannot be used; the message is the one line a user sees: file, row, column, what is allowed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a source."""

    question: str
    answer: str
    row: int
    """Position in the source's split, from 0."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further plain values for `extra_info`; the same keys in every problem of a source."""
    images: Sequence[Mapping[str, Any]] | None = None
    """For the column `images` (images.py); None for a source without any."""
    identity: str = ""
    """What tells problems apart; "" takes the question alone."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", self.identity or self.question)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that is left out: counted by reason, listed with `--show-dropped`."""

    row: int
    column: str
    reason: str
    value: str = ""

    def __str__(self) -> str:
        value = " ".join(self.value.split())  # one line, whatever the row holds
        return f"row {self.row}: column {self.column}: {self.reason}" + (f": {value}" if value else "")


class Unusable(Exception):
    """Raised by a source's conversion for a row that is no problem."""

    def __init__(self, column: str, reason: str, value: Any = "") -> None:
        super().__init__(reason)
        self.column, self.reason, self.value = column, reason, shown(value)


def shown(value: Any) -> str:
    """A value as a message shows it: short, and one line."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= 120 else text[:117] + "..."


INSTRUCTION = "Think step by step and put the final answer in \\boxed{}."
SURROGATE = "half a character (a lone surrogate)"
Row = Mapping[str, Any]
Convert = Callable[[Row], tuple[str, str, Mapping[str, Any]]]
"""(question, answer, extra) of a source's row; raises Unusable."""


@dataclass(frozen=True, slots=True)
class Split:
    """One split as it is read: its items, and what the manifest records about where they came from."""

    items: Iterator[Problem | Dropped]
    origin: Mapping[str, Any]
    total: int | None = None
    """Number of rows, where it is known beforehand; for the progress bar."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source as the pipeline sees it."""

    name: str
    """The command's argument."""
    summary: str
    data_source: str
    """verl's `data_source`: a name that verl's own scorer knows where there is one."""
    ability: str
    splits: tuple[str, ...]
    """Of "train" and "test" what the source has."""
    read: Callable[[str, argparse.Namespace], Split]
    """read(split, options): the problems of a split."""
    add_options: Callable[[argparse.ArgumentParser], None] | None = None
    check_answers: bool = True
    """Whether answers must be mathematics; off where the source brings its own scorer."""
    is_evaluation: bool = False
    """Training data is decontaminated against it; it is itself never decontaminated."""
    is_hub: bool = False
    instruction: str = INSTRUCTION
    """Follows the question in the prompt, after a blank line; `--instruction` replaces it."""
    example: str = ""
    """Options that its example in `--help` needs beside `--out`."""
    check_reach: Callable[[argparse.Namespace], None] = lambda options: None
    """Raises DataError if the source is out of reach, before anything else is read."""


def is_storable(text: str) -> bool:
    """Whether a text can be written as UTF-8; JSON can escape half a character."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def to_text(row: Row, column: str) -> str:
    """The column's text without outer white space; whole numbers are written out.

    Raises:
        Unusable: null, blank, or neither a text nor a number.
    """
    value = row[column]
    if isinstance(value, str):
        if not is_storable(value):
            raise Unusable(column, SURROGATE, ascii(value))
        if value := value.strip():
            return value
        raise Unusable(column, "blank")
    if value is None:
        raise Unusable(column, "null")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return str(int(value)) if value.is_integer() else repr(value)
    raise Unusable(column, f"a {type(value).__name__}, not a text", value)

"""Episodes of models that never say "Wait": every paragraph, every numbered step, or every N tokens.

`mrt.episodes` names one; `python -m mrt_verl.inspect` proposes one. Thinking tags, the merging of short episodes and
`mrt.max_episodes` are those of EpisodeSplitter.
"""

import functools
import re
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mrt_verl.episodes import EpisodeSplitter
from mrt_verl.registry import resolve
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import PARAGRAPH, decode, paragraph_starts

TOKENS = "tokens:"
NUMBERED = re.compile(
    r"[#*\s]*(?:"
    r"(?i:step)\s*\d+[^\S\n]*(?:[.:)*：–—-]|\n|$)|"  # noqa: RUF001
    r"(?:步骤\s*[\d一二三四五六七八九十]+|第\s*[\d一二三四五六七八九十]+\s*步)|"
    r"\d+\s*[.:)：](?!\d))"  # noqa: RUF001
)
"""`Step 3:`, `**Step 3**`, `3.`, `**3)`, `第三步`: how models open numbered steps; `3.14`, `Step 3 shows` open none."""
HEAD_TOKENS = 12
"""Tokens of a paragraph that are read to see how it opens."""
Openings = tuple[list[tuple[int, int]], int]


class ParagraphSplitter(EpisodeSplitter):
    """Every paragraph opens an episode."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pause_texts = (PARAGRAPH,)

    def find_openings(self, ids: np.ndarray, start: int, written: Sequence[tuple[int, int]]) -> Openings:
        return openings_at(self._paragraphs(ids, start), start, written)

    def _paragraphs(self, ids: np.ndarray, start: int) -> list[int]:
        """Of the thinking all but the first, which opens where the thinking does: white space before it is its own."""
        return [start + offset for offset in paragraph_starts(self.tokenizer, ids[start:].tolist())[1:]]


class StepSplitter(ParagraphSplitter):
    """Every paragraph that begins with a step's number opens an episode."""

    head_tokens = HEAD_TOKENS

    def find_openings(self, ids: np.ndarray, start: int, written: Sequence[tuple[int, int]]) -> Openings:
        heads = (
            (at, decode(self.tokenizer, ids[at : at + HEAD_TOKENS].tolist())) for at in self._paragraphs(ids, start)
        )
        return openings_at([at for at, head in heads if NUMBERED.match(head)], start, written)


class TokenSplitter(EpisodeSplitter):
    """Every N tokens open an episode, wherever in a sentence; for models without paragraphs."""

    every: int

    @classmethod
    def from_settings(cls, tokenizer: Any, settings: MRTSettings) -> Self:
        splitter = super().from_settings(tokenizer, settings)
        splitter.every = tokens_of(settings.episodes)
        splitter.pause_tokens, splitter.pause_texts = splitter.every, ()
        return splitter

    def find_openings(self, ids: np.ndarray, start: int, written: Sequence[tuple[int, int]]) -> Openings:
        return openings_at(range(start, len(ids), self.every), start, written)


def openings_at(places: Sequence[int], start: int, written: Sequence[tuple[int, int]]) -> Openings:
    """Openings at some tokens, besides those written and the first: what `find_openings` returns."""
    inside = {token for first, end in written for token in range(first, end)}
    own = sorted({start, *places} - inside)
    return sorted([*((at, at) for at in own), *written]), max(len(own) - 1, 0)


def tokens_of(name: str) -> int:
    """N of `tokens:N`.

    Raises:
        ValueError: it is no number >= 1.
    """
    text = name.removeprefix(TOKENS)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"mrt.episodes={name!r}; allowed: tokens:N with a whole number N >= 1")
    return int(text)


SPLITTERS: dict[str, type[EpisodeSplitter]] = {
    "markers": EpisodeSplitter,
    "paragraphs": ParagraphSplitter,
    "steps": StepSplitter,
}


def splitter_class(name: str) -> type[EpisodeSplitter]:
    """The class that `mrt.episodes` names.

    Raises:
        ValueError: there is none, or it is no splitter; says what is allowed.
    """
    if name.startswith(TOKENS):
        tokens_of(name)
        return TokenSplitter
    found = resolve("episodes", name, SPLITTERS, further="tokens:N")
    if not (isinstance(found, type) and issubclass(found, EpisodeSplitter)):
        raise ValueError(
            f"mrt.episodes={name!r} is {found!r}; allowed: {', '.join(SPLITTERS)}, tokens:N, or a subclass of "
            "mrt_verl.episodes.EpisodeSplitter"
        )
    return found


@functools.lru_cache(maxsize=2)  # the prefix variant has a second one, without cap
def load_splitter(tokenizer: Any, settings: MRTSettings) -> EpisodeSplitter:
    """The run's splitter; one per process, since its vocabulary table is built once. Raises as `splitter_class`."""
    return splitter_class(settings.episodes).from_settings(tokenizer, settings)

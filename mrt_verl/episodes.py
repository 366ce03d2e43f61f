"""Splits a response's token ids into episodes z_0 … z_{k-1} of its thinking block (arXiv 2503.07572).

Steps are the paragraphs of the thinking block; a step that starts with a switch marker ("Wait", …) opens an episode.
All positions are token positions in the response. A long trace is scanned by one table look-up per token; text is
decoded only in the small windows where the table sees a chance of a marker or a tag, so markers and characters may
straddle tokens and the cost is linear in the trace.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mrt_verl.markers import Markers
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import (
    HAS_TEXT,
    PARAGRAPH,
    Tag,
    find_steps,
    rows_of,
    token_table,
    vocabulary_texts,
)

MAX_CANDIDATES = 1000
"""Episodes a trace is cut into where the boundaries to branch are chosen among them all (`uncertain`)."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Tokens [start, end) of the response; its opening marker is [start, marker_end), empty without one."""

    start: int
    marker_end: int
    end: int


@dataclass(frozen=True, slots=True)
class EpisodeSplit:
    """The episodes of one response; they tile its thinking block, tags excluded."""

    episodes: tuple[Episode, ...]
    """() without a thinking block, or with a blank one."""
    think_end: int
    """First token of the close tag; the response's length if it was never closed."""
    answer_start: int
    """First token after the close tag; the response's length if never closed; 0 for a model without tags."""
    closed: bool
    """Whether the thinking block was closed (always, for a model without tags)."""
    markers: int
    """Steps that start with a marker, before episodes are merged or capped."""

    @property
    def final_answer_start(self) -> int | None:
        """First token of the final answer: None where the thinking never ended, 0 for a response that never thought."""
        if self.closed:
            return self.answer_start
        return None if self.episodes else 0


class EpisodeSplitter:
    """Finds episodes on the token ids of one tokenizer."""

    pause_tokens: int | None = None
    """Tokens after which a response that is sampled episode by episode is looked at; None looks at `pause_texts`."""
    head_tokens: int = 1
    """Tokens after either that tell whether an episode opened there."""

    def __init__(
        self,
        tokenizer: Any,
        *,
        markers: Sequence[str],
        think_open: str | None,
        think_close: str | None,
        min_episode_tokens: int = 0,
        min_steps: int = 2,
        max_episodes: int = 6,
        single_step_markers: Sequence[str] = (),
    ) -> None:
        """Keep the rules; the vocabulary table is built at the first split (about 1 s for 150,000 tokens).

        Args:
            tokenizer: any Hugging Face tokenizer.
            markers: texts that open an episode at the start of a step; case matters, whole words only, longest first.
            think_open, think_close: tags of the thinking block; None for both: the whole response is thinking.
            min_episode_tokens: shorter episodes are merged with the one before, a short first one with the next.
            min_steps: steps an episode has before a marker may open the next one, >= 1. The reference analysis skips
                markers one and two steps after a boundary, which is 3 here.
            max_episodes: most episodes, >= 1; of more, evenly chosen boundaries stay.
            single_step_markers: further markers whose episode is one step: the step after it opens the next one, as
                the attempt after a backtrack sentence does.

        Raises:
            ValueError: a marker is blank.
        """
        self.tokenizer = tokenizer
        self._tags = None
        if think_open is not None and think_close is not None:
            self._tags = Tag(tokenizer, think_open), Tag(tokenizer, think_close)
        self._min_episode_tokens = min_episode_tokens
        self._min_steps = min_steps
        self._max_episodes = max_episodes
        self.markers = Markers(tokenizer, markers, single_step_markers)
        self.pause_texts = (PARAGRAPH,) if single_step_markers else tuple(PARAGRAPH + marker for marker in markers)
        """Texts of which one stands wherever the policy may have opened an episode, for the same purpose."""

    @classmethod
    def from_settings(cls, tokenizer: Any, settings: MRTSettings) -> Self:
        """The splitter of a run."""
        return cls(
            tokenizer,
            markers=settings.markers,
            think_open=settings.think_open,
            think_close=settings.think_close,
            min_episode_tokens=settings.min_episode_tokens,
            min_steps=settings.min_steps,
            max_episodes=settings.max_episodes if settings.boundary_choice == "even" else MAX_CANDIDATES,
            single_step_markers=[settings.backtrack_marker] if settings.insertion == "backtrack" else [],
        )

    def is_thinking_open(self, prompt_ids: Sequence[int]) -> bool:
        """Whether a prompt ends inside a thinking block, as chat templates of reasoning models leave it.

        A tag that the user's message mentions opens nothing: a token of the template (end of turn, …) follows it.
        """
        if self._tags is None:
            return True
        ids = np.asarray(prompt_ids, dtype=np.int64)
        opened, closed = (max((end for _, end in tag.occurrences(ids)), default=0) for tag in self._tags)
        template = {token for text, token in self.tokenizer.get_added_vocab().items() if text.strip()}
        return opened > closed and template.isdisjoint(ids[opened:].tolist())

    def split(
        self,
        response_ids: Sequence[int],
        *,
        thinking_open: bool,
        inserted: Sequence[tuple[int, int]] = (),
        growing: bool = False,
    ) -> EpisodeSplit:
        """Split one response.

        Args:
            response_ids: the response's token ids.
            thinking_open: whether the prompt already opened the thinking block.
            inserted: token spans [start, end) that were written to open an episode; they do, whatever their words and
                however short the episode before, and are all of its opening.
            growing: whether the response goes on: its last episode is not merged for being short so far.
        """
        ids = np.asarray(response_ids, dtype=np.int64)
        start, think_end, answer_start, closed = self._thinking_block(ids, thinking_open)
        written = [span for span in inserted if start <= span[0] < think_end]
        if self._is_blank(ids[start:think_end]):
            return EpisodeSplit((), think_end, answer_start, closed, 0)
        openings, markers = self.find_openings(ids[:think_end], start, written)
        episodes = self._episodes(openings, think_end, written, growing and not closed)
        return EpisodeSplit(episodes, think_end, answer_start, closed, markers)

    def _thinking_block(self, ids: np.ndarray, thinking_open: bool) -> tuple[int, int, int, bool]:
        """(start, think_end, answer_start, closed); start == think_end where there is no block."""
        length = len(ids)
        if self._tags is None:
            return 0, length, 0, True
        opening, closing = (next(tag.occurrences(ids), None) for tag in self._tags)
        think_end, answer_start = closing or (length, length)
        # a close tag alone: the prompt left the block open in a way of its own
        start = 0 if thinking_open or closing else think_end
        if opening is not None and opening[0] < think_end:
            repeated = self._is_blank(ids[: opening[0]])
            # inside an open block the tag counts only if the policy wrote it again at once; later it is mere text
            if repeated or not thinking_open:
                start = min(opening[1], think_end)
        return start, think_end, answer_start, closing is not None

    def _is_blank(self, ids: np.ndarray) -> bool:
        """Whether some tokens hold white space alone, if anything."""
        return not (rows_of(self.tokenizer, self._table, ids) & HAS_TEXT).any()

    def find_openings(
        self, ids: np.ndarray, start: int, written: Sequence[tuple[int, int]]
    ) -> tuple[list[tuple[int, int]], int]:
        """[(start, marker_end)] of the episodes before merging by length, and how many markers the policy wrote.

        The one method that a splitter of one's own overrides (docs/extending.md).

        Args:
            ids: (n,) int64, the response up to the end of its thinking.
            start: first token of the thinking.
            written: spans of insertions; each opens an episode.
        """
        openings: list[tuple[int, int]] = []
        markers = last_step = 0
        is_alone = False
        spans = iter([*written, (len(ids), len(ids))])
        span = next(spans)
        for step, (token, offset, may_open) in enumerate(find_steps(self.tokenizer, self._table, ids, start)):
            while token >= span[1]:
                span = next(spans)
            if token >= span[0]:  # inside an insertion: its first step opens an episode, the others nothing
                if not openings or openings[-1] != span:
                    openings.append(span)
                    last_step, is_alone = step, False
                continue
            length = self.markers.tokens_at(ids, token, offset) if may_open else 0
            markers += length > 0
            if step == 0:  # the block's first step opens an episode with or without a marker
                openings.append((start, token + length if length else start))
            elif (is_alone or (length and step - last_step >= self._min_steps)) and token > openings[-1][0]:
                openings.append((token, token + length))
                last_step = step
            else:
                continue
            is_alone = length > 0 and self.markers.is_single_step(ids, token, offset)
        return openings, markers

    def _episodes(
        self, openings: list[tuple[int, int]], think_end: int, written: Sequence[tuple[int, int]], growing: bool
    ) -> tuple[Episode, ...]:
        """Episodes from one opening to the next, the short ones merged, no more than max_episodes."""
        kept = openings[:1]
        for opening in openings[1:]:
            if opening in written or opening[0] - kept[-1][0] >= self._min_episode_tokens:
                kept.append(opening)
        is_short = think_end - kept[-1][0] < self._min_episode_tokens if kept else False
        if len(kept) > 1 and is_short and not growing and kept[-1] not in written:
            kept.pop()
        if len(kept) > self._max_episodes:
            kept = [kept[index * len(kept) // self._max_episodes] for index in range(self._max_episodes)]
        ends = [*(start for start, _ in kept[1:]), think_end]
        return tuple(
            Episode(start, min(marker_end, end), end) for (start, marker_end), end in zip(kept, ends, strict=False)
        )

    @functools.cached_property
    def _table(self) -> np.ndarray:
        return token_table(vocabulary_texts(self.tokenizer), self.markers.texts)

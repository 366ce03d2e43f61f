"""Splits a response's token ids into episodes z_0 … z_{k-1} of its thinking block (arXiv 2503.07572).

Steps are the paragraphs of the thinking block; a step that starts with a switch marker ("Wait", …) opens an episode.
All positions are token positions in the response. A long trace is scanned by table look-ups per token id; text is
decoded only in a small window behind each blank line, so any tokenizer works and nothing is decoded twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


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
    """() without a thinking block."""
    closed: bool
    """Whether the thinking block was closed (always, for a model without tags)."""
    answer_start: int
    """First token behind the close tag; the response's length if it was never closed."""
    markers: int
    """Markers that open a step, before short episodes are merged."""


class EpisodeSplitter:
    """Finds episodes on the token ids of one tokenizer."""

    def __init__(
        self,
        tokenizer: Any,
        *,
        markers: Sequence[str],
        think_open: str | None,
        think_close: str | None,
        min_episode_tokens: int = 0,
        min_steps: int = 1,
        max_episodes: int = 6,
    ) -> None:
        """Build the tables.

        Args:
            tokenizer: any Hugging Face tokenizer.
            markers: texts that open an episode at the start of a step; case matters, whole words only, longest first.
            think_open, think_close: tags of the thinking block, each one token; None for both: all is thinking.
            min_episode_tokens: shorter episodes are merged with the one before.
            min_steps: least number of steps of an episode that another may follow.
            max_episodes: most episodes; of more, evenly chosen boundaries stay.

        Raises:
            ValueError: a marker is blank, or a tag is not exactly one token.
        """
        for marker in markers:
            if not marker.strip():
                raise ValueError(f"marker {marker!r} is blank; allowed: a text a step can start with")
        self.tokenizer = tokenizer
        self.min_episode_tokens = min_episode_tokens
        self.min_steps = min_steps
        self.max_episodes = max_episodes
        self._open_id = _tag_id(tokenizer, think_open)
        self._close_id = _tag_id(tokenizer, think_close)
        self._marker = _compile_markers(markers)
        # a marker of n characters spans at most its bytes in tokens, plus leading white space
        self._window = max(len(marker.encode()) for marker in markers) + 4
        self._table = _TokenTable(tokenizer, markers)

    def is_thinking_open(self, prompt_ids: Sequence[int]) -> bool:
        """Whether a prompt ends inside a thinking block, as chat templates of reasoning models leave it."""
        if self._open_id is None:
            return True
        return _last(prompt_ids, self._open_id) > _last(prompt_ids, self._close_id)

    def split(self, response_ids: Sequence[int], *, thinking_open: bool) -> EpisodeSplit:
        """Split one response.

        Args:
            response_ids: the response's token ids.
            thinking_open: whether the prompt already opened the thinking block.
        """
        ids = np.asarray(response_ids, dtype=np.int64)
        start, end, closed = self._thinking_block(ids, thinking_open)
        answer_start = (0 if self._close_id is None else end + 1) if closed else len(ids)
        if end <= start:
            return EpisodeSplit((), closed, answer_start, 0)
        openings, markers = self._openings(ids[:end], start)
        return EpisodeSplit(self._episodes(openings, end), closed, answer_start, markers)

    def _thinking_block(self, ids: np.ndarray, thinking_open: bool) -> tuple[int, int, bool]:
        """(start, end, closed) of the block between the tags; start == end where there is none."""
        if self._open_id is None:
            return 0, len(ids), True
        closes = np.flatnonzero(ids == self._close_id)
        end, closed = (int(closes[0]), True) if len(closes) else (len(ids), False)
        opens = np.flatnonzero(ids[:end] == self._open_id)
        if len(opens) and not thinking_open:
            return int(opens[0]) + 1, end, closed
        if thinking_open or closed:
            return 0, end, closed
        return 0, 0, False

    def _openings(self, ids: np.ndarray, start: int) -> tuple[list[tuple[int, int]], int]:
        """[(start, marker_end)] of the episodes before merging by length, and the number of markers seen."""
        openings, markers, last_step = [(start, start)], 0, 0
        steps = self._table.step_starts(ids, start)
        candidates = self._table.may_open[self._table.clip(ids[steps])]
        for step in np.flatnonzero(candidates):
            token = int(steps[step])
            marker_end = self._marker_end(ids, token)
            if marker_end is None:
                continue
            markers += 1
            if step + 1 - last_step >= self.min_steps:
                openings.append((token, marker_end))
                last_step = int(step) + 1
        return openings, markers

    def _marker_end(self, ids: np.ndarray, token: int) -> int | None:
        """One past the last token of the marker that the step at `token` starts with, or None."""
        window = ids[token : token + self._window].tolist()
        skip = self._table.tail_offset[min(window[0], len(self._table.tail_offset) - 1)]
        found = self._marker.match(self.tokenizer.decode(window)[skip:])
        if found is None:
            return None
        for count in range(1, len(window) + 1):
            if self.tokenizer.decode(window[:count])[skip:].startswith(found.group(0)):
                return token + count
        return token + len(window)

    def _episodes(self, openings: list[tuple[int, int]], end: int) -> tuple[Episode, ...]:
        kept = [openings[0]]
        for opening in openings[1:]:
            if opening[0] - kept[-1][0] >= self.min_episode_tokens:
                kept.append(opening)
        if len(kept) > 1 and end - kept[-1][0] < self.min_episode_tokens:
            kept.pop()
        if len(kept) > self.max_episodes:
            chosen = np.linspace(0, len(kept), self.max_episodes, endpoint=False).round().astype(int)
            kept = [kept[index] for index in chosen]
        ends = [start for start, _ in kept[1:]] + [end]
        return tuple(
            Episode(start, min(marker_end, stop), stop) for (start, marker_end), stop in zip(kept, ends, strict=True)
        )


class _TokenTable:
    """What single tokens can say about steps, looked up for a whole trace at once; one row per token id."""

    def __init__(self, tokenizer: Any, markers: Sequence[str]) -> None:
        texts = [*tokenizer.batch_decode([[token] for token in range(len(tokenizer))]), "x"]
        lasts = [text.rpartition("\n")[2] for text in texts]
        has_newline = np.array(["\n" in text for text in texts])
        self.blank_inside = np.array([_BLANK_LINE.search(text) is not None for text in texts])
        self.white = np.array([not text.strip() for text in texts]) & ~has_newline
        self.text_before = np.array([bool(text.partition("\n")[0].strip()) for text in texts])
        self.tail = np.array([bool(last.strip()) for last in lasts])
        self.ends_line = has_newline & ~self.tail
        self.starts_line = has_newline & ~self.text_before
        self.only_white = np.array([not text.strip() for text in texts])
        # a token that holds half a character decodes to U+FFFD: it may be anything
        self.may_open = np.array(
            [
                "\ufffd" in last
                or any(marker.startswith(last.strip()) or last.strip().startswith(marker) for marker in markers)
                for last in lasts
            ]
        )
        self.tail_offset = [
            len(text) - len(last) if "\n" in text else 0 for text, last in zip(texts, lasts, strict=True)
        ]

    def clip(self, ids: np.ndarray) -> np.ndarray:
        """Ids beyond the tokenizer (a padded vocabulary) share the last row, an ordinary letter."""
        return np.minimum(ids, len(self.only_white) - 1)

    def step_starts(self, ids: np.ndarray, start: int) -> np.ndarray:
        """Token positions behind blank lines where a step starts, in [start, len(ids)); the first step is not one."""
        rows = self.clip(ids[start:])
        dense = np.flatnonzero(~self.white[rows])
        dense_rows = rows[dense]
        blank_inside = self.blank_inside[dense_rows]
        # blank line across two tokens, white space between them left out
        split = np.zeros(len(dense), dtype=bool)
        split[1:] = self.ends_line[dense_rows[:-1]] & self.starts_line[dense_rows[1:]]
        blank = np.flatnonzero(blank_inside | split)
        # the step starts in the token that ends the blank line if text follows in it, else in the next with text
        with_text = np.flatnonzero(~self.only_white[dense_rows])
        following = np.searchsorted(with_text, blank + ~self.tail[dense_rows[blank]])
        following = with_text[following[following < len(with_text)]]
        return np.unique(dense[following]) + start


def _compile_markers(markers: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted((marker.strip() for marker in markers), key=len, reverse=True)
    return re.compile(r"\s*(?:" + "|".join(map(re.escape, longest_first)) + r")(?![A-Za-z0-9_])")


def _tag_id(tokenizer: Any, tag: str | None) -> int | None:
    if tag is None:
        return None
    ids = tokenizer.encode(tag, add_special_tokens=False)
    if len(ids) != 1:
        raise ValueError(
            f"thinking tag {tag!r} is {len(ids)} tokens for this tokenizer; allowed: a tag that is one token"
        )
    return int(ids[0])


def _last(ids: Sequence[int], token: int | None) -> int:
    """Last position of a token, -1 if it does not occur."""
    return next((position for position in range(len(ids) - 1, -1, -1) if ids[position] == token), -1)

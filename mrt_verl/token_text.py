"""Text on token ids: what single tokens hold, looked up for a whole trace at once, and the search for a tag.

Any tokenizer works: a token that holds only some bytes of a character decodes to U+FFFD and counts as "may be
anything" here; whoever asks decides by decoding a small window.
"""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

HALF_CHARACTER = "\ufffd"
PARAGRAPH = "\n\n"
_CHARACTER_BYTES = 4
_NEAR_TOKENS = 12
"""Tokens at the end of a text that are enough to tell how the next ones are cut."""
_MERGED_TOKENS = 4
"""Most tokens at the end of a text that merge with what follows them."""

# The bits of a row of `token_table`; numbers of line breaks stop at 2, which make a blank line.
NEWLINES_BEFORE = 0b11
"""Line breaks before the token's text; all of them in a token of white space."""
NEWLINES_AFTER = 0b1100
"""Line breaks after the token's text."""
HAS_TEXT = 1 << 4
MAY_OPEN = 1 << 5
"""The token's text may be the start of a marker."""
SEVERAL_STEPS = 1 << 6
"""There is a blank line between texts inside the token."""
HALF_TEXT = 1 << 7
"""The token holds only some bytes of a character."""


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of the tokens, special ones and spaces as they are."""
    text = tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return str(text)


def joins(tokenizer: Any, head: str, tail: str) -> bool:
    """Whether the encoding of head + tail begins with that of head: no token reaches across the place they meet."""
    ids = tokenizer.encode(head, add_special_tokens=False)
    return bool(tokenizer.encode(head + tail, add_special_tokens=False)[: len(ids)] == ids)


def encode_open(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text that goes on with a word: some vocabularies cut its last line breaks otherwise at an end."""
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    if text[-1:].isspace():
        going_on = tokenizer.encode(text + "A", add_special_tokens=False)[:-1]
        return going_on if decode(tokenizer, going_on) == decode(tokenizer, ids) else ids
    return ids


def vocabulary_texts(tokenizer: Any) -> list[str]:
    """The text of every token id; decoded once per tokenizer (0.8 s for 150,000 tokens on one core)."""
    return _vocabulary_texts(tokenizer, len(tokenizer))


@functools.lru_cache(maxsize=2)
def _vocabulary_texts(tokenizer: Any, size: int) -> list[str]:
    # the size is only part of the key: a tokenizer may be given more tokens later, and its ids may have gaps
    ids = [[token] for token in range(max(tokenizer.get_vocab().values()) + 1)]
    texts = tokenizer.batch_decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return [str(text) for text in texts]


def token_table(texts: Sequence[str], markers: Sequence[str]) -> np.ndarray:
    """(len(texts) + 1,) uint8 of the bits above; the last row is plain text, for ids beyond the tokenizer's."""
    starts = {marker[:length] for marker in markers for length in range(len(marker) + 1)}
    whole = tuple(markers)

    def row(text: str) -> int:
        known = text.lstrip().partition(HALF_CHARACTER)[0]
        bits = MAY_OPEN if known in starts or known.startswith(whole) else 0
        bits |= HALF_TEXT if HALF_CHARACTER in text else 0
        if "\n" not in text:
            return bits | HAS_TEXT if text.strip() else 0
        if not text.strip():
            return min(text.count("\n"), 2)
        before = text[: len(text) - len(text.lstrip())].count("\n")
        after = text[len(text.rstrip()) :].count("\n")
        several = SEVERAL_STEPS if inner_steps(text) else 0
        return bits | HAS_TEXT | several | min(before, 2) | min(after, 2) << 2

    return np.array([*map(row, texts), HAS_TEXT], dtype=np.uint8)


def inner_steps(text: str) -> list[int]:
    """Where text starts again after the blank lines inside a text, in characters."""
    gaps = re.finditer(r"\s+", text.rstrip())
    return [gap.end() for gap in gaps if gap.start() and gap.group().count("\n") >= 2]


def rows_of(tokenizer: Any, table: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The rows of a `token_table` for token ids; white space whose bytes several tokens share has no text in any."""
    rows = table[np.minimum(ids, len(table) - 1)]
    end = 0
    for first in np.flatnonzero(rows & HALF_TEXT).tolist():
        if first >= end and (blanks := _blank_rows(tokenizer, tuple(ids[first : first + _CHARACTER_BYTES].tolist()))):
            end = first + len(blanks)
            rows[first:end] = blanks
    return rows


@functools.lru_cache(maxsize=1 << 14)
def _blank_rows(tokenizer: Any, ids: tuple[int, ...]) -> tuple[int, ...]:
    """Rows of the tokens that whole characters of white space end with; () where others do, or none is whole."""
    for count in range(2, len(ids) + 1):
        text = decode(tokenizer, ids[:count])
        if HALF_CHARACTER not in text:
            return () if text.strip() else (*[0] * (count - 1), min(text.count("\n"), 2))
    return ()


def find_steps(tokenizer: Any, table: np.ndarray, ids: np.ndarray, start: int = 0) -> list[tuple[int, int, bool]]:
    """(token, characters of that token before the step, may start with a marker) of every step in [start, len(ids)).

    A step (paragraph) starts at the first token with text after white space that has two line breaks or more.

    Args:
        table: `token_table` of the tokenizer's vocabulary.
    """
    rows = rows_of(tokenizer, table, ids[start:])
    texts = np.flatnonzero(rows & HAS_TEXT)
    newlines = np.cumsum(rows & NEWLINES_BEFORE, dtype=np.int64)[texts]
    after = (rows[texts] & NEWLINES_AFTER) >> 2
    is_step = np.ones(len(texts), dtype=bool)
    is_step[1:] = np.diff(newlines) + after[:-1] >= 2
    tokens = texts[is_step]
    may_open = (rows[tokens] & MAY_OPEN).astype(bool)
    steps = [(token + start, 0, may) for token, may in zip(tokens.tolist(), may_open.tolist(), strict=True)]
    several = np.flatnonzero(rows & SEVERAL_STEPS) + start
    if not len(several):  # no token of a usual vocabulary holds a blank line between texts
        return steps
    texts_of = vocabulary_texts(tokenizer)
    inner = [(token, offset, True) for token in several.tolist() for offset in inner_steps(texts_of[ids[token]])]
    return sorted(steps + inner)


def paragraph_starts(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """First token of every paragraph of a text."""
    steps = find_steps(tokenizer, _plain_table(tokenizer, len(tokenizer)), np.asarray(ids, dtype=np.int64))
    return [token for token, offset, _ in steps if offset == 0]


class Paragraph(NamedTuple):
    """A new paragraph after some tokens: ids[:kept], then `joint`, then `ids`."""

    kept: int
    joint: list[int]
    """In place of the tokens from `kept` on: their text and line breaks that vocabularies merge with it (".\n\n")."""
    ids: list[int]
    """The paragraph's own; line breaks before its text only where they are tokens of their own."""


def new_paragraph(tokenizer: Any, ids: Sequence[int], text: str) -> Paragraph:
    """The tokens of a new paragraph as the tokenizer writes them there: of ".\n" and "\nWait" it makes ".\n\n", "Wait".

    A policy has never seen other tokens for a text; where it has sampled the last of them already, they are replaced.
    """
    kept, tail = append(tokenizer, ids, paragraph_break(tokenizer, ids) + text.lstrip("\n"))
    before = len(decode(tokenizer, ids[kept:]).rstrip())
    counts = range(len(tail) + 1)
    joint = next(n for n in counts if len(decode(tokenizer, tail[:n])) >= before) if before else 0
    return Paragraph(kept, tail[:joint], tail[joint:])


def append(tokenizer: Any, ids: Sequence[int], text: str) -> tuple[int, list[int]]:
    """(n, tail): the tokens ids[:n] + tail hold the text of ids and then `text`; n is as large as the tokenizer allows.

    Where no place near the end is a token boundary of the whole text, or characters are cut there, all of ids is kept.
    """
    near = max(len(ids) - _NEAR_TOKENS, 0)
    whole = decode(tokenizer, ids[near:]) + text
    whole_ids = list(tokenizer.encode(whole, add_special_tokens=False))
    for kept in range(len(ids), max(len(ids) - _MERGED_TOKENS, 0) - 1, -1):
        head = decode(tokenizer, ids[near:kept])
        if kept < len(ids) and (not whole.startswith(head) or HALF_CHARACTER in decode(tokenizer, ids[kept:])):
            break
        head_ids = tokenizer.encode(head, add_special_tokens=False)
        # white space may have been cut by what followed it when it was sampled: its tokens must be the whole's
        is_cut = head[-1:].isspace() and head_ids[-1:] != list(ids[kept - 1 : kept])
        if not is_cut and joins(tokenizer, head, whole[len(head) :]):
            tail = whole_ids[len(head_ids) :]
            pairs = zip(ids[kept:], tail, strict=False)
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
            return kept + same, tail[same:]
    return len(ids), list(tokenizer.encode(text, add_special_tokens=False))


def paragraph_break(tokenizer: Any, ids: Sequence[int]) -> str:
    """The line breaks that must follow these tokens for a new paragraph to start; none at the start of a text."""
    tail = decode(tokenizer, ids[-_NEAR_TOKENS:]) if len(ids) else PARAGRAPH
    return "\n" * max(0, 2 - tail[len(tail.rstrip()) :].count("\n"))


@functools.lru_cache(maxsize=2)
def _plain_table(tokenizer: Any, size: int) -> np.ndarray:
    return token_table(vocabulary_texts(tokenizer), ())


class Tag:
    """A tag such as </think>, found on token ids whether it is one token, several, or merged with its neighbours."""

    def __init__(self, tokenizer: Any, tag: str) -> None:
        self._tokenizer = tokenizer
        self._tag = tag
        # an added token never merges with its neighbours, and the same text in pieces is not the tag
        self.token: int | None = tokenizer.get_added_vocab().get(tag)

    def occurrences(self, ids: np.ndarray) -> Iterator[tuple[int, int]]:
        """Tokens [first, end) that hold any of the tag, from left to right."""
        if self.token is not None:
            yield from ((token, token + 1) for token in np.flatnonzero(ids == self.token).tolist())
            return
        window_tokens = len(self._tag.encode()) + 1  # a token holds a byte at least
        for first in np.flatnonzero(self._may_start[np.minimum(ids, len(self._may_start) - 1)]).tolist():
            window = ids[first : first + window_tokens].tolist()
            position = decode(self._tokenizer, window).find(self._tag)
            if 0 <= position < len(decode(self._tokenizer, window[:1])):
                counts = range(1, len(window) + 1)
                yield first, first + next(n for n in counts if self._tag in decode(self._tokenizer, window[:n]))

    @functools.cached_property
    def _may_start(self) -> np.ndarray:
        """(vocabulary + 1,) bool: the tag may start inside this token."""
        endings = tuple(self._tag[:length] for length in range(1, len(self._tag) + 1))
        if not self._tag[0].isascii():
            endings += (HALF_CHARACTER,)
        texts = vocabulary_texts(self._tokenizer)
        return np.array([*(text.endswith(endings) or self._tag in text for text in texts), False])

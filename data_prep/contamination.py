"""Training problems that share n-grams with an evaluation set.

A problem is contaminated if at least `overlap` of its n-grams, or of an evaluation problem's, are in the other one: the
smaller of the two counts, so a problem with a preamble added is found as well, and stock phrases ("where m and n are
relatively prime …") do not suffice. Tokens are words, numbers, and single letters of scripts without spaces, so that
layout and punctuation do not matter. The default of 8 tokens is ours.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np

_TOKEN = re.compile(r"[a-z]+|[0-9]+|[^\W\d_a-z]")
_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|textstyle|quad|qquad)\b")
_LARGE_FRACTION = re.compile(r"\\[dt]frac\b")
_VOCABULARY = 1 << 21
"""Most tokens whose hash is remembered."""


def tokens(text: str) -> list[str]:
    """Words, numbers and letters of a problem, in order."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _TOKEN.findall(_LARGE_FRACTION.sub("frac", _LAYOUT.sub(" ", text.casefold())))


class Contamination:
    """An index of the n-grams of evaluation sets, asked in batches."""

    def __init__(self, sets: Mapping[str, Sequence[str]], *, ngram: int = 8, overlap: float = 0.5) -> None:
        """Index evaluation problems.

        Args:
            sets: problems by the name of their evaluation set.
            ngram: tokens per n-gram, >= 1; a problem of fewer tokens counts as one n-gram of its own length.
            overlap: share of the smaller problem's n-grams from which on two problems are the same, in (0, 1].
        """
        self._ngram, self._overlap = ngram, overlap
        self._vocabulary: dict[str, int] = {}
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._holders: dict[int, list[int]] = {}
        for name, problems in sets.items():
            for grams in self._ngrams(problems):
                self._add(name, np.unique(grams))
        self._known = np.array(sorted(self._holders), dtype=np.uint64)

    def find(self, problems: Sequence[str]) -> list[str | None]:
        """Per problem the evaluation set it is part of, or None."""
        grams = self._ngrams(problems)
        found: list[str | None] = [None] * len(problems)
        if not len(self._known):
            return found
        ends = np.cumsum([len(one) for one in grams])
        hits = np.flatnonzero(self._is_known(np.concatenate(grams))) if len(grams) else np.array([], dtype=int)
        for number in np.unique(np.searchsorted(ends, hits, side="right")).tolist():
            found[number] = self._judge(np.unique(grams[number]))
        return found

    def _judge(self, grams: np.ndarray) -> str | None:
        shared = Counter(holder for gram in grams.tolist() for holder in self._holders.get(gram, ()))
        for holder, count in shared.most_common():
            if count >= self._overlap * min(len(grams), self._sizes[holder]):
                return self._names[holder]
        return None

    def _add(self, name: str, grams: np.ndarray) -> None:
        if not len(grams):
            return
        for gram in grams.tolist():
            self._holders.setdefault(gram, []).append(len(self._names))
        self._names.append(name)
        self._sizes.append(len(grams))

    def _is_known(self, grams: np.ndarray) -> np.ndarray:
        places = np.searchsorted(self._known, grams)
        return self._known[np.minimum(places, len(self._known) - 1)] == grams

    def _ngrams(self, problems: Sequence[str]) -> list[np.ndarray]:
        """Per problem the hashes of its n-grams, uint64; a polynomial over the tokens' hashes, for all at once."""
        texts = [tokens(problem) for problem in problems]
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        flat = np.array([self._hash(token) for text in texts for token in text], dtype=np.uint64)
        width = min(self._ngram, len(flat))
        sums = np.zeros(max(len(flat) - width + 1, 0), dtype=np.uint64)
        for offset in range(width):
            sums = sums * _BASE + flat[offset : offset + len(sums)]
        starts = np.cumsum(lengths) - lengths
        return [
            sums[start : start + length - self._ngram + 1]
            if length >= self._ngram
            else self._short(flat[start : start + length])
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        ]

    def _short(self, hashes: np.ndarray) -> np.ndarray:
        total = np.uint64(len(hashes))
        with np.errstate(over="ignore"):
            for one in hashes:
                total = total * _BASE + one
        return np.array([total] if len(hashes) else [], dtype=np.uint64)

    def _hash(self, token: str) -> int:
        known = self._vocabulary.get(token)
        if known is None:
            if len(self._vocabulary) >= _VOCABULARY:
                self._vocabulary.clear()
            known = int.from_bytes(blake2b(token.encode(), digest_size=8).digest(), "little")
            self._vocabulary[token] = known
        return known


_BASE = np.uint64(0x9E3779B97F4A7C15)

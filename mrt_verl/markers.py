"""Switch markers found on token ids: whether a step starts with one, and how many tokens it takes."""

import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from mrt_verl.token_text import HALF_CHARACTER, decode

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
"""Scripts that do not put spaces between words: Thai, Burmese, Khmer, Chinese, Japanese, …"""


class Markers:
    """Finds markers on the token ids of one tokenizer; text is decoded only in small windows."""

    def __init__(self, tokenizer: Any, markers: Sequence[str], single_step_markers: Sequence[str] = ()) -> None:
        """Keep the markers.

        Args:
            markers: texts that open an episode at the start of a step; case matters, whole words only, longest first.
            single_step_markers: further markers whose episode is one step.

        Raises:
            ValueError: a marker is blank.
        """
        markers = [*markers, *single_step_markers]
        for marker in markers:
            if not marker.strip():
                raise ValueError(f"marker {marker!r} is blank; allowed: a text that a step can start with")
        self._tokenizer = tokenizer
        self._single_step = tuple(marker.strip() for marker in single_step_markers)
        self.texts = tuple(sorted({marker.strip() for marker in markers}, key=len, reverse=True))
        self._pattern = re.compile("|".join(map(_pattern, self.texts)) or "(?!)")
        # a token holds a byte at least, and what follows the marker must be seen to know that the word ends there
        self._window_tokens = max((len(marker.encode()) for marker in self.texts), default=0) + 4
        # traces open their steps with the same few tokens over and over
        self._tokens_of = functools.lru_cache(maxsize=1 << 16)(self._compute_tokens)

    def tokens_at(self, ids: np.ndarray, token: int, offset: int) -> int:
        """Number of tokens of the marker that the step at `token` starts with, 0 if there is none.

        Args:
            offset: characters of that token before the step.
        """
        window = tuple(ids[token : token + self._window_tokens].tolist())
        for count in range(1, len(window)):
            length = self._tokens_of(window[:count], offset, False)
            if length is not None:
                return length
        return self._tokens_of(window, offset, True) or 0

    def is_single_step(self, ids: np.ndarray, token: int, offset: int) -> bool:
        """Whether the step starts with a marker whose episode is that step alone."""
        if not self._single_step:
            return False
        text = decode(self._tokenizer, ids[token : token + self._window_tokens].tolist())[offset:].lstrip()
        return text.startswith(self._single_step)

    def _compute_tokens(self, tokens: tuple[int, ...], offset: int, is_all: bool) -> int | None:
        """Tokens of the marker at the start of a step, 0 without one, None if more tokens are needed to tell."""
        text = decode(self._tokenizer, tokens)[offset:].lstrip()
        if not is_all:
            text = text.rstrip(HALF_CHARACTER)
            if any(marker.startswith(text) for marker in self.texts):
                return None
        found = self._pattern.match(text)
        if found is None:
            return 0
        prefixes = (decode(self._tokenizer, tokens[:count])[offset:] for count in range(1, len(tokens) + 1))
        return next(n for n, prefix in enumerate(prefixes, start=1) if prefix.lstrip().startswith(found.group()))


def _pattern(marker: str) -> str:
    """The marker as a whole word: no letter or digit follows it, except in scripts without spaces between words."""
    if re.fullmatch(rf"[\W{_UNSPACED}]", marker[-1]):
        return re.escape(marker)
    return re.escape(marker) + rf"(?![^\W{_UNSPACED}])"

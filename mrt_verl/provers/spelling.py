r"""How the policy writes a reference answer after the stop text, in text and in tokens.

A spelling is encoded together with the stop text and what may follow: `{\` and `}.` are single tokens. Its tokens up to
the one in which it ends are its stem; every token that begins with what is left of it ends it (`}`, `}.`, `}$`, …).
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mrt_verl.grading.text.boxes import box_brace, in_box
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import decode, encode_open, vocabulary_texts

TAILS = ("", ".", "$", "$.", "$$", "\n", "\n\n", ".\n", ".\n\n", " ", ",", ";", "\\)", "\\).", "\\]", ")", "**", "**.")
"""What follows a box; it decides which token a bracket at an answer's end is part of: `)}` and `.`, or `)` and `}.`."""


@dataclass(frozen=True, slots=True)
class TokenPath:
    """One way to write a spelling in tokens."""

    text: str
    """The spelling."""
    shared: int
    """Tokens of the stop text that stay as they are before it."""
    ids: tuple[int, ...]
    """The tokens after those, up to the one in which the spelling ends: the stem."""
    closers: tuple[int, ...]
    """Token ids that end it there."""
    moves_stop: bool
    """Whether the stop text ends inside a token of it: then no answer drawn after the stop text has these tokens."""


def spell(stop_text: str, reference_text: str | Sequence[str] | None, references: Sequence[str]) -> list[str]:
    """The references as the policy writes them after the stop text, each text once.

    Args:
        reference_text: templates with `{reference}`; None closes the box around it.
    """
    if reference_text is None:
        boxed = (in_box(stop_text, reference) for reference in references)
        return list(dict.fromkeys(text for text in boxed if text is not None))
    templates = [reference_text] if isinstance(reference_text, str) else reference_text
    return list(dict.fromkeys(one.replace("{reference}", each) for each in references for one in templates))


def required_spellings(settings: MRTSettings, reference: str, why: str = "") -> list[str]:
    """`spell` of one reference, for provers whose answers are short ones after the stop text.

    Args:
        why: what the error ends in.

    Raises:
        ValueError: nothing says how an answer is written there; names the setting, the value and what is allowed.
    """
    found = spell(settings.stop_text, settings.reference_text, [reference])
    if not found:
        raise ValueError(
            f"mrt.prover={settings.prover!r} with mrt.stop_text={settings.stop_text!r}; allowed: a stop text that ends "
            f"in \\boxed (mrt_stop=short), or an mrt.reference_text that says how an answer is written after it{why}"
        )
    return found


@functools.lru_cache(maxsize=1024)
def token_paths(tokenizer: Any, stop_text: str, spelling: str) -> tuple[TokenPath, ...]:
    """The ways to write a spelling after a stop text that what follows can bring about; one, seldom two."""
    stop_ids = encode_open(tokenizer, stop_text)
    whole = _as_written(tokenizer, stop_text + spelling)
    paths: dict[tuple[int, ...], TokenPath] = {}
    for tail in TAILS if not spelling[-1:].isalnum() else ("",):
        ids = tokenizer.encode(whole + tail, add_special_tokens=False)
        count = _tokens_with(tokenizer, ids, whole)
        head = decode(tokenizer, ids[: count - 1])
        if not whole.startswith(head):
            continue  # a token holds part of a character: another tail tells
        shared = _common(stop_ids, ids[: count - 1])
        rest = whole[len(head) :]
        # of a word or number a token that goes on would make another one
        closers = (ids[count - 1],) if rest[-1:].isalnum() else _beginning_with(tokenizer, rest, len(tokenizer))
        path = TokenPath(spelling, shared, tuple(ids[shared : count - 1]), closers, shared < len(stop_ids))
        paths.setdefault(tuple(ids[: count - 1]), path)
    return tuple(paths.values())


@functools.lru_cache(maxsize=8)
def empty_boxes(tokenizer: Any, stop_text: str) -> tuple[int, ...]:
    r"""Token ids that would leave the box of a stop text empty: after `\boxed`, those that begin with `{}`.

    A prompt that asks for an answer "in \boxed{}" makes weak models copy just that: SmolLM2 does with 0.77. A policy
    that is forced to answer may not decline by an empty box.
    """
    if not box_brace(stop_text):
        return ()
    return tuple(token for token, text in enumerate(vocabulary_texts(tokenizer)) if text.lstrip().startswith("{}"))


def _as_written(tokenizer: Any, text: str) -> str:
    """The text with the tokenizer's own form of letters that Unicode has several of: Qwen's knows no ohm sign."""
    written = decode(tokenizer, tokenizer.encode(text, add_special_tokens=False))
    return written if unicodedata.normalize("NFKC", written) == unicodedata.normalize("NFKC", text) else text


def _tokens_with(tokenizer: Any, ids: Sequence[int], text: str) -> int:
    """The least number of tokens that hold all of a text they begin with."""
    low, high = 0, len(ids)
    while high - low > 1:
        middle = (low + high) // 2
        is_whole = len(decode(tokenizer, ids[:middle])) >= len(text)
        low, high = (low, middle) if is_whole else (middle, high)
    return high


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


@functools.lru_cache(maxsize=256)
def _beginning_with(tokenizer: Any, rest: str, size: int) -> tuple[int, ...]:
    """Token ids that end a spelling of which `rest` is left; spaces before a closing brace change no answer."""
    skipped = " " if rest == "}" else ""
    texts = enumerate(vocabulary_texts(tokenizer))
    return tuple(token for token, text in texts if text.lstrip(skipped or "\0").startswith(rest))

"""J by every prover from a few stored answers; `draws` are (n, G) rows of `Answers`, estimates are (n,)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.benchmarks.forced_answers.stored import Answers


@dataclass(frozen=True)
class Place:
    """A prefix with one stop text, and what is known there without drawing."""

    answers: Answers
    truth: float
    noise: float
    """Standard deviation of the truth."""
    alone_ids: tuple[int, ...]
    """The reference and one closing brace, encoded without the stop text."""
    alone: float
    """Probability of those."""
    path: dict[str, Any] | None
    """The token path by which the tokenizer writes the reference after the stop text."""
    paths: list[dict[str, Any]]
    """All of its token paths."""


@dataclass(frozen=True)
class Method:
    """A way to J, and how it is paid for."""

    estimate: Callable[[Place, np.ndarray], np.ndarray]
    rule: str = "new"
    """Where its answers stop, see stored.rule_lengths."""
    to_the_line: bool = False
    """Whether it needs whole samples."""
    extra: Callable[[Place, np.ndarray], float] = lambda place, draws: 0.0
    """Generated tokens beside those of its answers."""
    draws: bool = True


def weight(p: np.ndarray, count: int) -> np.ndarray:
    """p / (1 - (1 - p)^G)."""
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return p / -np.expm1(count * np.log1p(-p))


def is_first(keys: np.ndarray) -> np.ndarray:
    """(n, G) bool: no earlier answer of its draw has this key."""
    return ~np.tril(keys[:, :, None] == keys[:, None, :], -1).any(-1)


def sample(place: Place, draws: np.ndarray) -> np.ndarray:
    """The mean grade."""
    return place.answers.right[draws].mean(1)


def distinct(
    place: Place, draws: np.ndarray, name: str, inflate: bool = True, known: np.ndarray | None = None
) -> np.ndarray:
    """The sum over distinct right answers, told apart by `whole`, `cut`, `answer` or `text`.

    Args:
        inflate: Horvitz-Thompson weights; the answers' own probabilities without (`seen`).
        known: (k,) rows that do not count.
    """
    keys, p = getattr(place.answers, name)[draws], getattr(place.answers, f"p_{name}")[draws]
    counted = place.answers.right if known is None else place.answers.right & ~known
    return ((weight(p, draws.shape[1]) if inflate else p) * is_first(keys) * counted[draws]).sum(1)


def stems(place: Place, draws: np.ndarray, inflate: bool = True, known: np.ndarray | None = None) -> np.ndarray:
    """The sum over stems, each shared by the samples that pass through it; as `distinct` otherwise."""
    answers = place.answers
    p = answers.p_stem[draws]
    through = answers.through[draws[:, :, None], draws[:, None, :]].sum(2)
    counted = answers.right if known is None else answers.right & ~known
    return ((weight(p, draws.shape[1]) if inflate else p) / through * counted[draws]).sum(1)


def path_probability(path: dict[str, Any], mass: float | None = None) -> float:
    """Of a token path of the reference, with its closing mass unless another is given."""
    return math.exp(sum(path["log_probs"]) + (path["log_close_mass"] if mass is None else mass))


def rows_of(place: Place, paths: list[dict[str, Any]]) -> np.ndarray:
    """(k,) bool: answers that are one of these token paths."""
    known = {(tuple(path["ids"]), path["head"]) for path in paths}
    return np.array([key in known for key in place.answers.keys])


def one_path(place: Place, draws: np.ndarray) -> np.ndarray:
    """The reference by one token path."""
    return np.full(len(draws), path_probability(place.path) if place.path else 0.0)


def all_paths(place: Place, draws: np.ndarray) -> np.ndarray:
    """The reference by all of its token paths."""
    return np.full(len(draws), sum(map(path_probability, place.paths)))


def anchored_before(place: Place, draws: np.ndarray) -> np.ndarray:
    """The reference encoded alone, and whole samples that do not begin with its tokens."""
    ids = place.alone_ids
    known = np.array([one[: len(ids)] == ids for one in place.answers.ids])
    return place.alone + distinct(place, draws, "whole", known=known)


def anchored(place: Place, draws: np.ndarray, every: bool, inflate: bool = True) -> np.ndarray:
    """The reference by one or by all token paths, and the stems of other answers."""
    paths = place.paths if every else [path for path in [place.path] if path]
    exact = all_paths(place, draws) if every else one_path(place, draws)
    return exact + stems(place, draws, inflate, rows_of(place, paths))


def masses_asked(place: Place, draws: np.ndarray) -> float:
    """Tokens with which an engine tells the closing mass of each distinct right answer: two generations of one each."""
    answers = place.answers
    return 2.0 * float((is_first(answers.answer[draws]) * answers.right[draws]).sum(1).mean())


METHODS: dict[str, Method] = {
    "sample": Method(sample),
    "ht, whole samples": Method(lambda p, d: distinct(p, d, "whole"), "old", True),
    "ht, cut at the close": Method(lambda p, d: distinct(p, d, "cut")),
    "ht, stems": Method(stems),
    "ht, closing mass known": Method(lambda p, d: distinct(p, d, "answer"), extra=masses_asked),
    "ht, mass known, merged by text": Method(lambda p, d: distinct(p, d, "text"), extra=masses_asked),
    "seen, whole samples": Method(lambda p, d: distinct(p, d, "whole", inflate=False), "old", True),
    "seen, stems": Method(lambda p, d: stems(p, d, inflate=False)),
    "seen, closing mass known": Method(lambda p, d: distinct(p, d, "answer", inflate=False), extra=masses_asked),
    "likelihood, `}` alone": Method(lambda p, d: np.full(len(d), p.alone), extra=lambda p, d: 1.0, draws=False),
    "likelihood, all closers, one path": Method(one_path, extra=lambda p, d: 2.0, draws=False),
    "likelihood, all closers, all paths": Method(all_paths, extra=lambda p, d: 4.0, draws=False),
    "anchored, `}` alone, whole samples": Method(anchored_before, "old", True, extra=lambda p, d: 1.0),
    "anchored, one path, stems": Method(lambda p, d: anchored(p, d, every=False), extra=lambda p, d: 2.0),
    "anchored, all paths, stems": Method(lambda p, d: anchored(p, d, every=True), extra=lambda p, d: 4.0),
    "anchored, all paths, seen": Method(lambda p, d: anchored(p, d, True, inflate=False), extra=lambda p, d: 4.0),
}

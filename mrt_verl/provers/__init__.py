"""The meta-prover: the policy itself, forced to stop thinking at a boundary and to answer at once (arXiv 2503.07572).

    base.py         Prover: how forced answers are drawn, and what a prover declares that it needs
    answer_end.py   where a forced answer ends in its tokens
    spelling.py     how a reference answer is written after the stop text, in text and in tokens
    sample.py       the mean grade of G forced answers
    stems.py        those answers weighted by the probabilities of their stems
    ht.py           with Horvitz-Thompson weights: unbiased
    seen.py         with their own probabilities: less noise, never above J in expectation
    scoring.py      the scored reference, which the next four share
    likelihood.py   the probability of the reference answer
    pooled.py       the same of every spelling in which the group answered rightly
    anchored.py     that probability, and the other answers drawn, weighted as in `ht`
    anchored_seen.py    the same, weighted as in `seen`

A prover of your own is a subclass of Prover, named by `mrt.prover=package.module:Class` (docs/extending.md).
"""

from typing import Any

from mrt_verl.provers.anchored import AnchoredProver
from mrt_verl.provers.anchored_seen import AnchoredSeenProver
from mrt_verl.provers.base import Branches, ForcedAnswer, Prover, Sample
from mrt_verl.provers.ht import HorvitzThompsonProver
from mrt_verl.provers.likelihood import LikelihoodProver
from mrt_verl.provers.pooled import PooledProver
from mrt_verl.provers.sample import SampleProver
from mrt_verl.provers.seen import SeenProver
from mrt_verl.registry import resolve
from mrt_verl.settings import MRTSettings

__all__ = ["PROVERS", "Branches", "ForcedAnswer", "Prover", "Sample", "load_prover", "prover_class"]

PROVERS: dict[str, type[Prover]] = {
    "sample": SampleProver,
    "ht": HorvitzThompsonProver,
    "seen": SeenProver,
    "likelihood": LikelihoodProver,
    "pooled": PooledProver,
    "anchored": AnchoredProver,
    "anchored_seen": AnchoredSeenProver,
}


def prover_class(settings: MRTSettings) -> type[Prover]:
    """The class that `mrt.prover` names.

    Raises:
        ValueError: there is none, or it is not a Prover.
    """
    found = resolve("prover", settings.prover, PROVERS)
    if not (isinstance(found, type) and issubclass(found, Prover)):
        raise ValueError(
            f"mrt.prover={settings.prover!r} is {found!r}; allowed: {', '.join(PROVERS)}, or a subclass of "
            "mrt_verl.provers.Prover"
        )
    return found


def load_prover(engine: Any, tokenizer: Any, settings: MRTSettings, *, context_tokens: int | None = None) -> Prover:
    """The run's prover on an engine; raises ValueError as `prover_class`."""
    return prover_class(settings)(engine, tokenizer, settings, context_tokens=context_tokens)

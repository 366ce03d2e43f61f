"""The meta-prover: the policy itself, forced to stop thinking at a boundary and to answer at once (arXiv 2503.07572).

    base.py         Prover: how forced answers are drawn, and what a prover declares that it needs
    answer_end.py   where a forced answer ends in its tokens
    spelling.py     how a reference answer is written after the stop text, in text and in tokens
    sample.py       the mean grade of G forced answers
    ht.py           the same answers weighted by their own probabilities (Horvitz-Thompson)
    scoring.py      the scored reference, which the next two share
    likelihood.py   the probability of the reference answer
    anchored.py     that probability, and the answers drawn beside it

A prover of your own is a subclass of Prover, named by `mrt.prover=package.module:Class` (docs/extending.md).
"""

from typing import Any

from mrt_verl.provers.anchored import AnchoredProver
from mrt_verl.provers.base import Branches, ForcedAnswer, Prover, Sample
from mrt_verl.provers.ht import HorvitzThompsonProver
from mrt_verl.provers.likelihood import LikelihoodProver
from mrt_verl.provers.sample import SampleProver
from mrt_verl.registry import resolve
from mrt_verl.settings import MRTSettings

__all__ = ["PROVERS", "Branches", "ForcedAnswer", "Prover", "Sample", "load_prover", "prover_class"]

PROVERS: dict[str, type[Prover]] = {
    "sample": SampleProver,
    "ht": HorvitzThompsonProver,
    "likelihood": LikelihoodProver,
    "anchored": AnchoredProver,
}


def prover_class(settings: MRTSettings) -> type[Prover]:
    """The class that `mrt.prover` names.

    Raises:
        ValueError: there is none, or it is not a Prover.
    """
    found = resolve("prover", settings.prover, PROVERS)
    if not (isinstance(found, type) and issubclass(found, Prover)):
        raise ValueError(f"mrt.prover={settings.prover!r}: {found!r} is not a subclass of mrt_verl.provers.Prover")
    return found


def load_prover(engine: Any, tokenizer: Any, settings: MRTSettings, *, context_tokens: int | None = None) -> Prover:
    """The run's prover on an engine; raises ValueError as `prover_class`."""
    return prover_class(settings)(engine, tokenizer, settings, context_tokens=context_tokens)

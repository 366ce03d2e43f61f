r"""`mrt.prover=ht`: the Horvitz-Thompson sum over G forced answers, weighted by their own probabilities (ours).

A stem of probability p_s weighs p_s / (1 - (1 - p_s)^G) (stems.py). Unbiased for J like the plain mean, and it costs no
further token. For one right spelling of probability p and G = 4 its standard deviation against the mean's is
0.138 / 0.150 at p = 0.1, 0.129 / 0.250 at 0.5 and 0.009 / 0.150 at 0.9.
"""

import math
from collections.abc import Sequence

from mrt_verl.provers.base import Sample
from mrt_verl.provers.stems import StemProver, stem_weights


def inverse_inclusion(p: float, count: int) -> float:
    """p / (1 - (1 - p)^G): a stem's probability over that of drawing it at least once in G answers; 1/G at p = 0."""
    # log1p and expm1: of a rare answer 1 - (1 - p)^G loses all digits, its limit is 1/G
    if p >= 1.0:
        return 1.0
    inclusion = -math.expm1(count * math.log1p(-p))
    return p / inclusion if inclusion > 0.0 else 1.0 / count


class HorvitzThompsonProver(StemProver):
    """G forced answers, each stem weighted by p_s / (1 - (1 - p_s)^G) and shared by the samples through it."""

    stem_weight = staticmethod(inverse_inclusion)


def horvitz_thompson_weights(samples: Sequence[Sample]) -> list[float]:
    """Horvitz-Thompson weights p_s / (1 - (1 - p_s)^G) / n_s of G sampled answers with their log-probs.

    The weighted sum of grades is unbiased for J, because 1 - (1 - p_s)^G is the probability that one of G independent
    samples passes through the stem s. Where the policy is sure of its answer it has next to no noise.

    Returns:
        One weight per sample; those of the n_s samples through one stem, if they all end there, sum to [1/G, 1].
    """
    return stem_weights(samples, inverse_inclusion)

r"""`mrt.prover=ht`: the Horvitz-Thompson sum over G forced answers, weighted by their own probabilities (ours).

Unbiased for J like the plain mean, and it costs no further token. For one right spelling of probability p and G = 4 its
standard deviation against the mean's is 0.138 / 0.150 at p = 0.1, 0.129 / 0.250 at 0.5 and 0.009 / 0.150 at 0.9.

An answer is known by its stem, the tokens before the one that ends it (answer_end.py), because many tokens end it and
an engine tells the probability of the drawn one alone. With p_s the probability of stem s, n_s the samples that pass
through it and c_s those whose answer ends right there and is right,

    J = sum over distinct stems s of  p_s / (1 - (1 - p_s)^G) * c_s / n_s

Given n_s >= 1 the share c_s / n_s is an unbiased estimate of the probability that a right answer ends after s.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mrt_verl.provers.base import Branches, Prover, Sample


class HorvitzThompsonProver(Prover):
    """G forced answers, each stem weighted by p_s / (1 - (1 - p_s)^G) and shared by the samples through it."""

    needs_log_probs = True

    async def branch(
        self,
        prefix_ids: Sequence[int],
        *,
        count: int,
        sampling_params: dict[str, Any],
        request_id: str,
        references: Sequence[str] = (),
    ) -> Branches:
        drawn = await self.sample(
            prefix_ids, count=count, sampling_params=sampling_params, request_id=request_id, log_probs=True
        )
        if self.temperature(sampling_params) == 0:
            return drawn  # no draw at all: the answer has probability 1, whatever log-probs the engine gives
        weighted = zip(drawn.answers, horvitz_thompson_weights(drawn.samples), strict=True)
        return replace(drawn, answers=tuple(answer._replace(weight=weight) for answer, weight in weighted))


def horvitz_thompson_weights(samples: Sequence[Sample]) -> list[float]:
    """Horvitz-Thompson weights p_s / (1 - (1 - p_s)^G) / n_s of G sampled answers with their log-probs.

    The weighted sum of grades is unbiased for J, because 1 - (1 - p_s)^G is the probability that one of G independent
    samples passes through the stem s. Where the policy is sure of its answer it has next to no noise.

    Returns:
        One weight per sample; those of the n_s samples through one stem, if they all end there, sum to [1/G, 1].
    """
    count = len(samples)
    weights = []
    for sample in samples:
        stem = sample.token_ids[: sample.stem_tokens]
        log_prob = sum((sample.log_probs or ())[: sample.stem_tokens])
        through = sum(other.token_ids[: len(stem)] == stem for other in samples)
        weights.append(_inverse_inclusion(math.exp(min(log_prob, 0.0)), count) / through)
    return weights


def _inverse_inclusion(p: float, count: int) -> float:
    # log1p and expm1: of a rare answer 1 - (1 - p)^G loses all digits, its limit is 1/G
    if p >= 1.0:
        return 1.0
    inclusion = -math.expm1(count * math.log1p(-p))
    return p / inclusion if inclusion > 0.0 else 1.0 / count

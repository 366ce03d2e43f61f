"""Forced answers weighted by the probabilities of their stems, which `ht`, `seen` and the anchored provers share.

An answer is known by its stem, the tokens before the one that ends it (answer_end.py), because many tokens end it and
an engine tells the probability of the drawn one alone. With n_s the samples that pass through stem s and c_s those
whose answer ends right there and is right,

    J = sum over distinct stems s of  w(p_s) * c_s / n_s

where p_s is the stem's probability and w(p_s) its weight, by which the provers differ. Given n_s >= 1 the share
c_s / n_s is an unbiased estimate of the probability that a right answer ends after s.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mrt_verl.provers.base import Branches, Prover, Sample


class StemProver(Prover):
    """G forced answers, each stem weighted by `stem_weight` and shared by the samples through it."""

    needs_log_probs = True

    @staticmethod
    @abstractmethod
    def stem_weight(p: float, count: int) -> float:
        """The weight of a drawn stem.

        Args:
            p: its probability, in [0, 1].
            count: G, the answers drawn.
        """

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
        weighted = zip(drawn.answers, stem_weights(drawn.samples, self.stem_weight), strict=True)
        return replace(drawn, answers=tuple(answer._replace(weight=weight) for answer, weight in weighted))


def stem_weights(samples: Sequence[Sample], weight_of: Callable[[float, int], float]) -> list[float]:
    """The weights w(p_s) / n_s of G sampled answers with their log-probs.

    Args:
        weight_of: w, of a stem's probability and G.
    """
    weights = []
    for sample in samples:
        stem = sample.token_ids[: sample.stem_tokens]
        log_prob = math.fsum((sample.log_probs or ())[: sample.stem_tokens])
        through = sum(other.token_ids[: len(stem)] == stem for other in samples)
        weights.append(weight_of(math.exp(min(log_prob, 0.0)), len(samples)) / through)
    return weights

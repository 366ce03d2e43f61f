"""`mrt.prover=likelihood`: J is the probability of the reference answer after the stop text (ours).

A scored prefill and a token or two, no sampling noise. It ranks prefixes by belief in the reference; it is biased where
several spellings are right, and near 0 where the policy spells the answer otherwise than `mrt.reference_text`.
"""

from collections.abc import Sequence
from typing import Any

from mrt_verl.provers.base import Branches
from mrt_verl.provers.scoring import ScoringProver
from mrt_verl.settings import MRTSettings


class LikelihoodProver(ScoringProver):
    """The reference answer's probability; nothing is sampled, whatever `mrt.branches` says."""

    is_unbiased = False

    @classmethod
    def answers_drawn(cls, settings: MRTSettings) -> int:
        return 0

    async def branch(
        self,
        prefix_ids: Sequence[int],
        *,
        count: int,
        sampling_params: dict[str, Any],
        request_id: str,
        references: Sequence[str] = (),
    ) -> Branches:
        return (await self.score(prefix_ids, references, request_id))[0]

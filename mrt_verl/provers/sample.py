"""`mrt.prover=sample`: J is the mean grade of G forced answers. Unbiased; its variance is J(1 - J) / G."""

from collections.abc import Sequence
from typing import Any

from mrt_verl.provers.base import Branches, Prover


class SampleProver(Prover):
    """The mean of G forced answers, as in arXiv 2503.07572."""

    engines = ("vllm", "sglang", "endpoint")
    draws_plain_samples = True

    async def branch(
        self,
        prefix_ids: Sequence[int],
        *,
        count: int,
        sampling_params: dict[str, Any],
        request_id: str,
        references: Sequence[str] = (),
    ) -> Branches:
        return await self.sample(
            prefix_ids, count=count, sampling_params=sampling_params, request_id=request_id, log_probs=False
        )

"""`mrt.prover=anchored`: the reference scored as in `likelihood`, plus the other answers drawn as in `ht` (ours).

J = P(the reference) + the Horvitz-Thompson sum of the other spellings: what is known exactly has no noise. Unbiased at
temperature 1, the temperature of scored prompts, at which its answers are drawn.
"""

from collections.abc import Sequence
from typing import Any

from mrt_verl.provers.base import Branches, encode
from mrt_verl.provers.ht import HorvitzThompsonProver
from mrt_verl.provers.scoring import ScoringProver
from mrt_verl.sampling_params import UNTRUNCATED
from mrt_verl.settings import MRTSettings


class AnchoredProver(ScoringProver, HorvitzThompsonProver):
    """The reference's probability and the Horvitz-Thompson sum of all that does not begin with it."""

    @classmethod
    def check(cls, settings: MRTSettings) -> None:
        super().check(settings)
        if settings.branch_temperature not in (None, 1.0):
            raise ValueError(
                f"mrt.branch_temperature={settings.branch_temperature} with mrt.prover={settings.prover!r}; allowed: "
                "null or 1.0, the temperature of scored prompts"
            )

    async def branch(
        self,
        prefix_ids: Sequence[int],
        *,
        count: int,
        sampling_params: dict[str, Any],
        request_id: str,
        references: Sequence[str] = (),
    ) -> Branches:
        untruncated = {**sampling_params, **UNTRUNCATED}
        drawn = await HorvitzThompsonProver.branch(
            self, prefix_ids, count=count, sampling_params=untruncated, request_id=request_id
        )
        # one text for each token sequence
        texts = {encode(self.tokenizer, text): text for text in self.spell(references)}
        prompt_ids = [*prefix_ids, *self.stop_ids]
        scored = await self.score(prompt_ids, list(texts.values()), request_id, drawn.samples)
        exact = [encode(self.tokenizer, answer.text) for answer in scored.answers]
        others = [
            answer._replace(weight=0.0) if any(sample.token_ids[: len(ids)] == ids for ids in exact) else answer
            for answer, sample in zip(drawn.answers, drawn.samples, strict=True)
        ]
        return Branches(
            answers=(*scored.answers, *others),
            samples=(),
            failures=scored.failures + drawn.failures,
            tokens=scored.tokens + drawn.tokens,
            prompt_tokens=scored.prompt_tokens + drawn.prompt_tokens,
            cached_tokens=scored.cached_tokens + drawn.cached_tokens,
        )

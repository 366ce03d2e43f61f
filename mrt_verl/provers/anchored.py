"""`mrt.prover=anchored`: the reference scored as in `likelihood`, plus the other answers drawn as in `ht` (ours).

J = P(the reference) + the Horvitz-Thompson sum of the other spellings: what is known exactly has no noise. Unbiased at
temperature 1, the temperature of scored prompts, at which its answers are drawn.
"""

import re
from collections.abc import Sequence
from typing import Any

from mrt_verl.provers.base import Branches, ForcedAnswer, Sample
from mrt_verl.provers.ht import inverse_inclusion
from mrt_verl.provers.scoring import ScoringProver
from mrt_verl.provers.spelling import TokenPath
from mrt_verl.provers.stems import StemProver
from mrt_verl.sampling_params import UNTRUNCATED
from mrt_verl.settings import MRTSettings

_SPACED_CLOSE = re.compile(r" +\}\Z")
"""A token of spaces and a brace closes a scored box as well."""


class AnchoredProver(ScoringProver, StemProver):
    """The reference's probability and the Horvitz-Thompson sum of all that does not begin with it."""

    default_branches = 1
    stem_weight = staticmethod(inverse_inclusion)

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
        drawn = await StemProver.branch(
            self, prefix_ids, count=count, sampling_params=untruncated, request_id=request_id
        )
        scored, paths = await self.score(prefix_ids, references, request_id, drawn.samples)
        others = [
            answer._replace(weight=0.0) if self._is_scored(answer, sample, paths) else answer
            for answer, sample in zip(drawn.answers, drawn.samples, strict=True)
        ]
        is_known = not scored.failures and (bool(others) or not count)  # J is the sum of both parts
        return Branches(
            answers=(*scored.answers, *others) if is_known else (),
            samples=(),
            failures=scored.failures + drawn.failures,
            tokens=scored.tokens + drawn.tokens,
            prompt_tokens=scored.prompt_tokens + drawn.prompt_tokens,
            cached_tokens=scored.cached_tokens + drawn.cached_tokens,
        )

    def _is_scored(self, answer: ForcedAnswer, sample: Sample, paths: Sequence[TokenPath]) -> bool:
        """Whether what was scored holds this answer: the same text, on one of the same token paths."""
        stem, text = sample.token_ids[: sample.stem_tokens], _SPACED_CLOSE.sub("}", answer.text)
        return any(path.text == text and (path.moves_stop or path.ids == stem) for path in paths)

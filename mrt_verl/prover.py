"""The meta-prover: the policy itself, forced to stop thinking at a boundary and to answer at once.

J_j = E_{y ~ mu(. | x, z_0:j)}[r(x, y)] (arXiv 2503.07572) is estimated from forced answers: the prefix up to the
boundary, the stop text, and what the policy samples behind it. Token ids are concatenated, never re-tokenised, so the
engine's prefix cache serves the prefix.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)


class ForcedAnswer(NamedTuple):
    """What the policy answered when its thinking was stopped."""

    text: str
    """Text behind the stop text, without special tokens."""
    finished: bool
    """Whether it ended by itself, not by `branch_max_tokens`."""


@dataclass(frozen=True, slots=True)
class Branches:
    """The forced answers behind one prefix, and what they cost; a failed branch is counted and left out."""

    answers: tuple[ForcedAnswer, ...]
    failures: int
    tokens: int
    """Generated tokens."""
    prompt_tokens: int
    cached_tokens: int
    """Prompt tokens that the engine served from its prefix cache; 0 where the engine does not tell."""


class MetaProver:
    """Samples forced answers through verl's `server_manager.generate`."""

    def __init__(self, server_manager: Any, tokenizer: Any, settings: MRTSettings) -> None:
        self.server_manager = server_manager
        self.tokenizer = tokenizer
        self.settings = settings
        self.stop_ids: list[int] = tokenizer.encode(settings.stop_text, add_special_tokens=False)

    async def branch(
        self, prefix_ids: Sequence[int], *, count: int, sampling_params: dict[str, Any], request_id: str
    ) -> Branches:
        """Sample `count` forced answers behind `prefix_ids` (prompt and thinking up to a boundary), concurrently.

        Args:
            prefix_ids: token ids the stop text is appended to.
            sampling_params: the trace's; not changed.
            request_id: the trace's, so that the branches reach the replica whose cache holds the prefix.
        """
        prompt_ids = [*prefix_ids, *self.stop_ids]
        params = self._sampling_params(sampling_params)
        # the engine's client takes settings out of the dict it is given: each call gets its own
        calls = (self._answer(prompt_ids, dict(params), request_id) for _ in range(count))
        outputs = [output for output in await asyncio.gather(*calls) if output is not None]
        return Branches(
            answers=tuple(self._read(output.token_ids) for output in outputs),
            failures=count - len(outputs),
            tokens=sum(len(output.token_ids) for output in outputs),
            prompt_tokens=len(prompt_ids) * len(outputs),
            cached_tokens=sum(output.extra_fields.get("num_cached_tokens") or 0 for output in outputs),
        )

    def _read(self, token_ids: Sequence[int]) -> ForcedAnswer:
        finished = len(token_ids) < self.settings.branch_max_tokens or token_ids[-1] == self.tokenizer.eos_token_id
        return ForcedAnswer(self.tokenizer.decode(token_ids, skip_special_tokens=True), finished)

    def _sampling_params(self, of_trace: dict[str, Any]) -> dict[str, Any]:
        params = {**of_trace, "max_tokens": self.settings.branch_max_tokens, "logprobs": False}
        if self.settings.branch_temperature is not None:
            params["temperature"] = self.settings.branch_temperature
        if self.settings.branch_stop:
            params["stop"] = list(self.settings.branch_stop)
        return params

    async def _answer(self, prompt_ids: list[int], params: dict[str, Any], request_id: str) -> Any | None:
        try:
            async with asyncio.timeout(self.settings.branch_timeout_s):
                output = await self.server_manager.generate(
                    request_id=request_id, prompt_ids=prompt_ids, sampling_params=params
                )
        except Exception as error:  # whatever an engine raises: a branch never harms its trace, it is counted
            logger.warning("a branch failed and is left out of its mean: %r", error)
            return None
        return output if output.token_ids else None

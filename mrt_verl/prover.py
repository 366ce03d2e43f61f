"""The meta-prover: the policy itself, forced to stop thinking at a boundary and to answer at once.

J_j = E_{y ~ mu(. | x, z_0:j)}[r(x, y)] (arXiv 2503.07572) is estimated behind a prefix of the trace and the stop text:
`sample` and `ht` draw G forced answers there, `likelihood` scores the reference answer, `anchored` does both. Token ids
are concatenated, never re-tokenised, so the engine's prefix cache serves the prefix.
"""

import asyncio
import functools
import itertools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mrt_verl.judgement import horvitz_thompson_weights
from mrt_verl.sampling_params import UNTRUNCATED, answer_params, score_params
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)


class ForcedAnswer(NamedTuple):
    """What the policy answered when its thinking was stopped."""

    text: str
    """Text behind the stop text, without special tokens."""
    finished: bool
    """Whether it ended by itself, not by `branch_max_tokens`."""
    weight: float | None
    """Weight of its grade in J; None counts like every other (judgement.estimate_j)."""


class Sample(NamedTuple):
    """The tokens of a forced answer."""

    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...] | None
    """Under the distribution it was sampled from; None if not asked for."""
    extra_fields: dict[str, Any]
    """As the engine gave them; verl wants those of a sample that becomes a rollout of its own."""


@dataclass(frozen=True, slots=True)
class Branches:
    """The forced answers behind one prefix, and what they cost; a failed branch is counted and left out."""

    answers: tuple[ForcedAnswer, ...]
    samples: tuple[Sample, ...]
    """The tokens of each answer; () where answers were scored."""
    failures: int
    tokens: int
    """Generated tokens."""
    prompt_tokens: int
    cached_tokens: int
    """Prompt tokens that the engine served from its prefix cache; 0 where the engine does not tell."""


class MetaProver:
    """Estimates J behind prefixes through verl's `server_manager.generate`."""

    def __init__(self, server_manager: Any, tokenizer: Any, settings: MRTSettings) -> None:
        self.server_manager = server_manager
        self.tokenizer = tokenizer
        self.settings = settings
        self.stop_ids = _encode(tokenizer, settings.stop_text)

    async def branch(
        self,
        prefix_ids: Sequence[int],
        *,
        count: int,
        sampling_params: dict[str, Any],
        request_id: str,
        references: Sequence[str] = (),
    ) -> Branches:
        """Branch behind `prefix_ids` (prompt and thinking up to a boundary), all answers concurrently.

        Args:
            prefix_ids: token ids the stop text is appended to.
            count: forced answers to sample; `likelihood` samples none.
            sampling_params: the trace's; not changed.
            request_id: the trace's, so that the branches reach the replica whose cache holds the prefix.
            references: accepted answers, for `likelihood` and `anchored`.
        """
        prompt_ids = [*prefix_ids, *self.stop_ids]
        if self.settings.prover == "likelihood":
            return await self._score(prompt_ids, self._spell(references), request_id)
        sampled = await self.sample(
            prefix_ids,
            count=count,
            sampling_params=sampling_params,
            request_id=request_id,
            weighted=self.settings.prover != "sample",
        )
        if self.settings.prover == "anchored":
            return await self._anchor(sampled, prompt_ids, references, request_id)
        return sampled

    async def _anchor(
        self, sampled: Branches, prompt_ids: list[int], references: Sequence[str], request_id: str
    ) -> Branches:
        """J = P(the reference) + the Horvitz-Thompson sum of the other answers: what is known exactly has no noise."""
        texts = {_encode(self.tokenizer, text): text for text in self._spell(references)}
        scored = await self._score(prompt_ids, list(texts.values()), request_id, sampled.samples)
        exact = [_encode(self.tokenizer, answer.text) for answer in scored.answers]
        others = [
            answer._replace(weight=0.0) if any(sample.token_ids[: len(ids)] == ids for ids in exact) else answer
            for answer, sample in zip(sampled.answers, sampled.samples, strict=True)
        ]
        return Branches(
            answers=(*scored.answers, *others),
            samples=(),
            failures=scored.failures + sampled.failures,
            tokens=scored.tokens + sampled.tokens,
            prompt_tokens=scored.prompt_tokens + sampled.prompt_tokens,
            cached_tokens=scored.cached_tokens + sampled.cached_tokens,
        )

    async def sample(
        self,
        prefix_ids: Sequence[int],
        *,
        count: int,
        sampling_params: dict[str, Any],
        request_id: str,
        weighted: bool = False,
        log_probs: bool = False,
    ) -> Branches:
        """Sample `count` forced answers; `weighted` gives them Horvitz-Thompson weights."""
        prompt_ids = [*prefix_ids, *self.stop_ids]
        if self.settings.prover == "anchored":
            sampling_params = {**sampling_params, **UNTRUNCATED}
        params = answer_params(
            sampling_params,
            max_tokens=self.settings.branch_max_tokens,
            stop=self.settings.branch_stop,
            temperature=self.settings.branch_temperature,
            log_probs=weighted or log_probs,
        )
        outputs = await asyncio.gather(*(self._generate(prompt_ids, params, request_id) for _ in range(count)))
        drawn = [
            output
            for output in outputs
            if output is not None and output.token_ids and (output.log_probs or not weighted)
        ]
        samples = tuple(
            Sample(tuple(output.token_ids), tuple(output.log_probs) if output.log_probs else None, output.extra_fields)
            for output in drawn
        )
        weights: Sequence[float | None] = [None] * len(samples)
        if weighted:
            totals = [sum(sample.log_probs or ()) for sample in samples]
            weights = horvitz_thompson_weights([sample.token_ids for sample in samples], totals)
        return Branches(
            answers=tuple(self._read(sample, weight) for sample, weight in zip(samples, weights, strict=True)),
            samples=samples,
            failures=count - len(drawn),
            tokens=sum(len(sample.token_ids) for sample in samples),
            prompt_tokens=len(prompt_ids) * len(drawn),
            cached_tokens=sum(map(_cached, drawn)),
        )

    def _spell(self, references: Sequence[str]) -> list[str]:
        """The references as the policy writes them behind the stop text."""
        return [self.settings.reference_text.replace("{reference}", one) for one in dict.fromkeys(references)]

    async def _score(
        self, prompt_ids: list[int], texts: Sequence[str], request_id: str, samples: Sequence[Sample] = ()
    ) -> Branches:
        """The probability of each text, as the weight of one answer that says just that."""
        scored = await asyncio.gather(*(self._score_one(prompt_ids, text, request_id, samples) for text in texts))
        done = [(text, *one) for text, one in zip(texts, scored, strict=True) if one is not None]
        return Branches(
            answers=tuple(ForcedAnswer(text, True, math.exp(log_prob)) for text, log_prob, *_ in done),
            samples=(),
            failures=len(texts) - len(done),
            tokens=sum(len(outputs) for _, _, outputs, _ in done),
            prompt_tokens=sum(length * len(outputs) for _, _, outputs, length in done),
            cached_tokens=sum(_cached(output) for _, _, outputs, _ in done for output in outputs),
        )

    async def _score_one(
        self, prompt_ids: list[int], text: str, request_id: str, samples: Sequence[Sample]
    ) -> tuple[float, list[Any], int] | None:
        """(log-probability of the text's tokens, the outputs it took, their prompt's length), None if it failed.

        What a sample has in common with the text need not be scored; one that begins with all of it saves the request.
        """
        answer = _encode(self.tokenizer, text)
        ids = [*prompt_ids, *answer]
        known = max((_shared_head(answer, sample) for sample in samples), key=len, default=())
        if len(known) == len(answer):
            return sum(known), [], len(ids)
        first = len(prompt_ids) + len(known)
        outputs = [await self._generate(ids, score_params(read_prefix_cache=True), request_id)]
        # the token before the first one scored must have been computed, not read from the cache
        if outputs[0] is not None and _cached(outputs[0]) >= first:
            outputs.append(await self._generate(ids, score_params(read_prefix_cache=False), request_id))
        if outputs[-1] is None:
            return None
        # verl's list starts with the log-prob of the prompt's second token and ends in a filler
        rows = outputs[-1].extra_fields["prompt_logprobs"][first - 1 : len(ids) - 1]
        return sum(known) + sum(log_prob for (log_prob,) in rows), outputs, len(ids)

    def _read(self, sample: Sample, weight: float | None) -> ForcedAnswer:
        ids = sample.token_ids
        finished = len(ids) < self.settings.branch_max_tokens or ids[-1] == self.tokenizer.eos_token_id
        return ForcedAnswer(self.tokenizer.decode(ids, skip_special_tokens=True), finished, weight)

    async def _generate(self, prompt_ids: list[int], params: dict[str, Any], request_id: str) -> Any | None:
        try:
            async with asyncio.timeout(self.settings.branch_timeout_s):
                # the engine's client takes settings out of the dict it is given: each call gets its own
                return await self.server_manager.generate(
                    request_id=request_id, prompt_ids=prompt_ids, sampling_params=dict(params)
                )
        except Exception as error:  # whatever an engine raises: a branch never harms its trace, it is counted
            logger.warning("a branch failed and is left out of its mean: %r", error)
            return None


@functools.lru_cache(maxsize=1024)
def _encode(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of a stop text or a reference: every boundary of a prompt's rollouts asks for the same."""
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def _shared_head(answer: Sequence[int], sample: Sample) -> tuple[float, ...]:
    """The log-probs of the tokens that a sample has in common with the beginning of an answer."""
    pairs = zip(answer, sample.token_ids, strict=False)
    length = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return (sample.log_probs or ())[:length]


def _cached(output: Any) -> int:
    return output.extra_fields.get("num_cached_tokens") or 0

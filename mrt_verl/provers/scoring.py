"""Scores the reference answer after a prefix: the probability the policy gives to it, without decoding."""

import asyncio
import itertools
import math
from collections.abc import Sequence
from typing import Any

from mrt_verl.provers.base import Branches, ForcedAnswer, Prover, Sample, cached_tokens, encode, logger
from mrt_verl.sampling_params import score_params
from mrt_verl.settings import MRTSettings


class ScoringProver(Prover):
    """What `likelihood` and `anchored` share: one scored prefill for each reference answer.

    Only on vLLM: sglang's log-probs are not those of the truncated distribution, and verl's scored prompts skip its
    prefix cache. An endpoint returns no log-probs of a prompt.
    """

    scores_reference = True

    @classmethod
    def check(cls, settings: MRTSettings) -> None:
        name = settings.prover
        if not settings.stop_text.endswith("{"):
            raise ValueError(
                f"mrt.prover={name!r} with mrt.stop_text={settings.stop_text!r}; allowed: a stop text that ends in an "
                "open box (mrt_stop=short), where the reference answer stands next"
            )
        if settings.outcome != "math_verify":
            raise ValueError(
                f"mrt.prover={name!r} with mrt.outcome={settings.outcome!r}; allowed: math_verify, for which the "
                "reference is an answer. Use mrt.prover=ht"
            )
        super().check(settings)

    def spell(self, references: Sequence[str]) -> list[str]:
        """The references as the policy writes them after the stop text."""
        return [self.settings.reference_text.replace("{reference}", one) for one in dict.fromkeys(references)]

    async def score(
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
            cached_tokens=sum(cached_tokens(output) for _, _, outputs, _ in done for output in outputs),
        )

    async def _score_one(
        self, prompt_ids: list[int], text: str, request_id: str, samples: Sequence[Sample]
    ) -> tuple[float, list[Any], int] | None:
        """(log-probability of the text's tokens, the outputs it took, their prompt's length), None if it failed.

        What a sample has in common with the text need not be scored; one that begins with all of it saves the request.
        """
        answer = encode(self.tokenizer, text)
        ids = [*prompt_ids, *answer]
        known = max((_shared_head(answer, sample) for sample in samples), key=len, default=())
        if len(known) == len(answer):
            return sum(known), [], len(ids)
        wanted = len(answer) - len(known)
        outputs = [await self.generate(ids, score_params(read_prefix_cache=True), request_id)]
        # the token before the first one scored must have been computed, not read from the cache
        if outputs[0] is not None and cached_tokens(outputs[0]) >= len(ids) - wanted:
            outputs.append(await self.generate(ids, score_params(read_prefix_cache=False), request_id))
        scored = _last_rows(outputs[-1], wanted)
        return None if scored is None else (sum(known) + sum(scored), outputs, len(ids))


def _last_rows(output: Any | None, wanted: int) -> list[float] | None:
    """Log-probs of the prompt's last tokens; None where the engine did not give them, which is logged.

    verl's list has one row per scored token and ends in a filler. Counted from its end: vLLM's Model Runner V2 returns
    the rows of uncached tokens only.
    """
    if output is None:
        return None
    rows = (output.extra_fields.get("prompt_logprobs") or [])[:-1][-wanted:]
    values = [row[0] for row in rows if len(row) and row[0] is not None]
    if len(values) == wanted and not any(map(math.isnan, values)):
        return values
    logger.warning(
        "a scored prompt came back with %d of %d log-probs and is left out of its J: the server or its client does not "
        "hand on prompt_logprobs. mrt.prover=ht needs none",
        *(len(values), wanted),
    )
    return None


def _shared_head(answer: Sequence[int], sample: Sample) -> tuple[float, ...]:
    """The log-probs of the tokens that a sample has in common with the beginning of an answer."""
    pairs = zip(answer, sample.token_ids, strict=False)
    length = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return (sample.log_probs or ())[:length]

r"""Scores the reference answer after a prefix: the probability the policy gives to it, without decoding.

    P(reference) = P(its tokens up to the one that ends it) * q,    q = P(any of the tokens that end it | those)

On real vocabularies some 200 tokens close a box, and an engine hands on the log-prob of one. Two generations of one
token tell q exactly: restricted to the closing tokens the likeliest of them, c, comes with p(c) / q, free with p(c).
Answers are drawn without tokens that leave the box empty, so P is divided by the probability of all others, which two
such generations tell as well.
"""

import asyncio
import itertools
import math
from collections.abc import Sequence
from typing import Any

from mrt_verl.grading.extraction import extract_answer
from mrt_verl.provers.base import Branches, ForcedAnswer, Prover, Sample, cached_tokens, has_log_probs, logger
from mrt_verl.provers.spelling import TokenPath, required_spellings, spell, token_paths
from mrt_verl.sampling_params import free_token_params, restricted_token_params, score_params, without_tokens
from mrt_verl.settings import MRTSettings

NEGLIGIBLE = 1e-3
"""A stem less probable than this is not asked for its close: J has an error below it."""


class Requests:
    """The requests of one token path, and what they cost."""

    def __init__(self, prover: Prover, request_id: str) -> None:
        self.done: list[Any] = []
        self.prompt_tokens = 0
        self._prover = prover
        self._request_id = request_id

    async def generate(self, ids: list[int], params: dict[str, Any]) -> Any | None:
        """As Prover.generate."""
        output = await self._prover.generate(ids, params, self._request_id)
        if output is not None:
            self.done.append(output)
            self.prompt_tokens += len(ids)
        return output


class ScoringProver(Prover):
    """What `likelihood` and the anchored provers share: the reference scored on every way its tokens may be written.

    Only on vLLM: sglang's log-probs are not those of the truncated distribution, and verl's scored prompts skip its
    prefix cache. An endpoint returns no log-probs of a prompt.
    """

    needs_log_probs = True
    scores_reference = True

    @classmethod
    def check(cls, settings: MRTSettings) -> None:
        name = settings.prover
        if settings.outcome != "math_verify":
            raise ValueError(
                f"mrt.prover={name!r} with mrt.outcome={settings.outcome!r}; allowed: math_verify, for which the "
                "reference is an answer. Use mrt.prover=ht"
            )
        for text in required_spellings(settings, "7"):
            if extract_answer(text, stop_text=settings.stop_text, thinking=None, finished=True) != "7":
                raise ValueError(
                    f"mrt.reference_text={settings.reference_text!r} with mrt.stop_text={settings.stop_text!r}; "
                    f"allowed: null, or a text that is read as the answer after it ({text!r} is not read as 7)"
                )
        super().check(settings)

    async def score(
        self,
        prefix_ids: Sequence[int],
        references: Sequence[str],
        request_id: str,
        samples: Sequence[Sample] = (),
    ) -> tuple[Branches, list[TokenPath]]:
        """The probability of each spelling, as the weight of one answer that says just that; and the paths scored.

        What a sample has in common with a path need not be scored. No answers where a request failed: J is their sum,
        and one without a spelling is another J.
        """
        stop_text, stop_ids = self.stop_after(prefix_ids)
        texts = spell(self.settings.stop_text, self.settings.reference_text, references)
        paths = [path for text in texts for path in token_paths(self.tokenizer, stop_text, text)]
        heads = [max((_known(path, sample) for sample in samples), key=len, default=()) for path in paths]
        requests = [Requests(self, request_id) for _ in [*paths, "other tokens"]]

        async def probability(path: TokenPath, known: Sequence[float], of_path: Requests) -> float | None:
            return await _probability(of_path, [*prefix_ids, *stop_ids[: path.shared]], path, known)

        *raw, others = await asyncio.gather(
            *map(probability, paths, heads, requests),
            _share_of_others(requests[-1], [*prefix_ids, *stop_ids], self.banned_ids if not all(heads) else ()),
        )
        totals: dict[str, float | None] = dict.fromkeys(texts, 0.0)
        for path, head, p in zip(paths, heads, raw, strict=True):
            # a head that was drawn was drawn without them; after a stop text that moves no answer begins with them
            share = 1.0 if head or path.moves_stop else others
            total = totals[path.text]
            totals[path.text] = None if p is None or share is None or total is None else total + p / share
        outputs = [output for one in requests for output in one.done]
        answers = [ForcedAnswer(text, True, min(p, 1.0)) for text, p in totals.items() if p is not None]
        failures = len(totals) - len(answers)
        branches = Branches(
            answers=() if failures else tuple(answers),
            samples=(),
            failures=failures,
            tokens=len(outputs),
            prompt_tokens=sum(one.prompt_tokens for one in requests),
            cached_tokens=sum(map(cached_tokens, outputs)),
        )
        return branches, paths


async def _probability(
    requests: Requests, prompt_ids: list[int], path: TokenPath, known: Sequence[float]
) -> float | None:
    """The probability of a path after a prompt; None if a request failed.

    Args:
        known: log-probs of its first tokens, maybe all of them.
    """
    ids, wanted = [*prompt_ids, *path.ids], len(path.ids) - len(known)
    closing = restricted_token_params(path.closers)
    rows: list[float] | None = []
    if wanted:
        restricted, rows = await _scored(requests, ids, wanted, closing)
    else:
        restricted = await requests.generate(ids, closing)
    if restricted is None or rows is None:
        return None
    stem = math.exp(math.fsum([*known, *rows]))
    if stem < NEGLIGIBLE:
        return stem
    mass = await _closing_mass(requests, ids, restricted)
    return None if mass is None else stem * mass


async def _share_of_others(requests: Requests, ids: list[int], banned: Sequence[int]) -> float | None:
    """The probability that none of some tokens comes next; None if a request failed."""
    if not banned:
        return 1.0
    free, without = await asyncio.gather(
        requests.generate(ids, free_token_params()),
        requests.generate(ids, {**free_token_params(), **without_tokens(banned)}),
    )
    if (likeliest := _drawn(free)) is None or (allowed := _drawn(without)) is None:
        return None
    token, log_prob = likeliest
    if token not in banned:
        return min(math.exp(log_prob - allowed[1]), 1.0)
    restricted = _drawn(await requests.generate(ids, restricted_token_params(banned)))
    return None if restricted is None else max(1.0 - math.exp(log_prob - restricted[1]), NEGLIGIBLE)


async def _scored(
    requests: Requests, ids: list[int], wanted: int, further: dict[str, Any]
) -> tuple[Any | None, list[float] | None]:
    """The output of a scored prompt, and the log-probs of its last `wanted` tokens.

    Args:
        further: parameters of the one token that is generated.
    """
    output = await requests.generate(ids, {**score_params(read_prefix_cache=True), **further})
    # the token before the first one scored must have been computed, not read from the cache
    if output is not None and cached_tokens(output) >= len(ids) - wanted:
        output = await requests.generate(ids, {**score_params(read_prefix_cache=False), **further})
    return output, _last_rows(output, wanted)


async def _closing_mass(requests: Requests, ids: list[int], restricted: Any) -> float | None:
    """q after these tokens; None if a request failed.

    Args:
        restricted: the likeliest closing token, its log-prob that among the closing tokens.
    """
    free = _drawn(await requests.generate(ids, free_token_params()))
    closing = _drawn(restricted)
    if free is None or closing is None:
        return None
    (likeliest, log_prob), (closer, share) = free, closing
    if likeliest != closer:
        _, rows = await _scored(requests, [*ids, closer], 1, {})
        if rows is None:
            return None
        (log_prob,) = rows
    return min(math.exp(log_prob - share), 1.0)


def _drawn(output: Any | None) -> tuple[int, float] | None:
    """The one token of an output and its log-prob; None if the request failed or came without."""
    return None if output is None or not has_log_probs(output) else (output.token_ids[0], output.log_probs[0])


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


def _known(path: TokenPath, sample: Sample) -> tuple[float, ...]:
    """The log-probs of the tokens that a sample has in common with the beginning of a path."""
    if path.moves_stop:
        return ()  # the sample was drawn after another last token
    pairs = zip(path.ids, sample.token_ids, strict=False)
    length = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return (sample.log_probs or ())[:length]

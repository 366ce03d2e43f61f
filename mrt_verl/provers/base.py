"""What every prover is: how its forced answers are drawn, and what it needs of the run."""

import asyncio
import copy
import functools
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from mrt_verl.grading.text.boxes import after_context
from mrt_verl.provers.answer_end import read_answer
from mrt_verl.provers.spelling import empty_boxes
from mrt_verl.sampling_params import answer_params, ended_by_itself, request_seed
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import encode_open

logger = logging.getLogger(__name__)

MAX_CONTEXT = 1 << 40
"""Tokens of a context that is not known."""
TAG_TOKENS = 8
"""Tokens in which a closing tag and the line break after it stand."""
SCORE_TOKENS = 6
"""Tokens generated for one scored text at most: one a request is the least."""


class ForcedAnswer(NamedTuple):
    """What the policy answered when its thinking was stopped."""

    text: str
    """Text after the stop text, up to the close of its box or the first stop string, without special tokens."""
    finished: bool
    """Whether it ended there or by itself, not by `branch_max_tokens`."""
    weight: float | None
    """Weight of its grade in J; None counts like every other (value_estimates.estimate_j)."""


class Sample(NamedTuple):
    """The tokens of a forced answer, and of what the policy wrote after it."""

    token_ids: tuple[int, ...]
    log_probs: tuple[float, ...] | None
    """Under the distribution it was sampled from; None if not asked for."""
    extra_fields: dict[str, Any]
    """As the engine gave them; verl wants those of a sample that becomes a rollout of its own."""
    stem_tokens: int
    """Tokens before the one in which the answer ends (answer_end.py); all of them if it does not end."""


@dataclass(frozen=True, slots=True)
class Branches:
    """The forced answers after one prefix, and what they cost; a failed branch is counted and left out."""

    answers: tuple[ForcedAnswer, ...]
    samples: tuple[Sample, ...]
    """The tokens of each answer; () where answers were scored."""
    failures: int
    tokens: int
    """Generated tokens."""
    prompt_tokens: int
    cached_tokens: int
    """Prompt tokens that the engine served from its prefix cache; 0 where the engine does not tell."""


class Prover(ABC):
    """Estimates J_j = E_{y ~ mu(. | x, z_0:j)}[r(x, y)] (arXiv 2503.07572) after a prefix and the stop text.

    Token ids are concatenated, never tokenised again, so the engine's prefix cache serves the prefix. A subclass says
    in its class attributes what it needs; no other module asks for its name.
    """

    engines: ClassVar[tuple[str, ...]] = ("vllm",)
    """Inference engines that give what it needs: of `vllm`, `sglang`, `endpoint` (an OpenAI-compatible server)."""
    needs_log_probs: ClassVar[bool] = False
    """Whether its samples need exact log-probs of the distribution they were drawn from."""
    scores_reference: ClassVar[bool] = False
    """Whether it scores the reference answer, which needs to know how an answer is written after the stop text."""
    default_branches: ClassVar[int] = 4
    """G where `mrt.branches` is null."""
    pools_answers: ClassVar[bool] = False
    """Whether the right answers of the prompt's other rollouts are references as well, so that it waits for them."""
    is_unbiased: ClassVar[bool] = True
    """Whether what it draws is J in expectation; an evaluation asks for that."""
    draws_plain_samples: ClassVar[bool] = False
    """Whether its answers all count alike. Then a trace's own final answer can be one of them, and in the prefix
    variant they can be rollouts of their own."""

    def __init__(
        self, engine: Any, tokenizer: Any, settings: MRTSettings, *, context_tokens: int | None = None
    ) -> None:
        """Keep the parts.

        Args:
            engine: has `generate(request_id, prompt_ids, sampling_params)`, as verl's server manager.
            context_tokens: of the engine; None where it is not known.
        """
        self.engine = engine
        self.tokenizer = tokenizer
        self.settings = settings
        self.context_tokens = context_tokens
        self.stop_ids = encode(tokenizer, settings.stop_text)
        """Of the whole stop text; after a prefix it may lack leading line breaks (`stop_after`)."""
        self.banned_ids = empty_boxes(tokenizer, settings.stop_text)

    def on(self, engine: Any) -> Self:
        """The same prover on another engine."""
        other = copy.copy(self)
        other.engine = engine
        return other

    @classmethod
    def check(cls, settings: MRTSettings) -> None:
        """Raises ValueError: the settings exclude this prover; names the key, the value and what is allowed."""
        name = settings.prover
        if settings.variant == "prefix" and not cls.draws_plain_samples:
            raise ValueError(f"mrt.prover={name!r} with mrt.variant='prefix'; allowed there: sample")
        budget, boundary = settings.branch_token_budget, cls.boundary_tokens(settings)
        if budget is not None and budget < boundary:
            raise ValueError(
                f"mrt.branch_token_budget={budget}; allowed: {boundary} or more (one boundary: mrt.branches x "
                f"mrt.branch_max_tokens, and {SCORE_TOKENS} tokens for a scored reference), or null"
            )

    @classmethod
    def answers_drawn(cls, settings: MRTSettings) -> int:
        """Forced answers that are sampled at a boundary (G)."""
        return cls.default_branches if settings.branches is None else settings.branches

    @classmethod
    def boundary_tokens(cls, settings: MRTSettings) -> int:
        """Tokens that the branches of a boundary generate at most, with one reference answer."""
        return cls.answers_drawn(settings) * settings.branch_max_tokens + SCORE_TOKENS * int(cls.scores_reference)

    def stop_after(self, prefix_ids: Sequence[int]) -> tuple[str, tuple[int, ...]]:
        """The stop text as it follows a prefix, and its token ids."""
        near = str(self.tokenizer.decode(list(prefix_ids[-TAG_TOKENS:])))
        text = after_context(near, self.settings.stop_text, self.settings.think_close)
        return text, encode(self.tokenizer, text)

    @abstractmethod
    async def branch(
        self,
        prefix_ids: Sequence[int],
        *,
        count: int,
        sampling_params: dict[str, Any],
        request_id: str,
        references: Sequence[str] = (),
    ) -> Branches:
        """Branch after `prefix_ids`, all answers concurrently; an error inside a branch is counted, never raised.

        Args:
            prefix_ids: prompt and thinking up to a boundary; the stop text is appended to them.
            count: forced answers to sample.
            sampling_params: the trace's; not changed.
            request_id: the trace's, so that the branches reach the replica whose cache holds the prefix.
            references: accepted answers, for provers that score them.
        """

    async def sample(
        self,
        prefix_ids: Sequence[int],
        *,
        count: int,
        sampling_params: dict[str, Any],
        request_id: str,
        log_probs: bool = False,
        first: int = 0,
    ) -> Branches:
        """Sample `count` forced answers that count alike; of a prover that needs log-probs, one without failed.

        Args:
            first: number of the first of them under `mrt.seed`: others after the same prefix must have other numbers.
        """
        prompt_ids = [*prefix_ids, *self.stop_after(prefix_ids)[1]]
        params = answer_params(
            sampling_params,
            max_tokens=self.settings.branch_max_tokens,
            stop=self.settings.branch_stop,
            temperature=self.settings.branch_temperature,
            log_probs=log_probs,
            banned=self.banned_ids,
        )
        seeds = [request_seed(self.settings.seed, prompt_ids, f"answer {first + n}") for n in range(count)]
        outputs = await asyncio.gather(*(self.generate(prompt_ids, {**params, **s}, request_id) for s in seeds))
        # a server cuts a request to what its context leaves, without a word
        room = min(self.settings.branch_max_tokens, (self.context_tokens or MAX_CONTEXT) - len(prompt_ids))
        needed = self.needs_log_probs
        drawn = [out for out in outputs if out is not None and out.token_ids and (has_log_probs(out) or not needed)]
        read = [self._read(output, room) for output in drawn]
        samples = tuple(sample for _, sample in read)
        return Branches(
            answers=tuple(answer for answer, _ in read),
            samples=samples,
            failures=count - len(drawn),
            tokens=sum(len(sample.token_ids) for sample in samples),
            prompt_tokens=len(prompt_ids) * len(drawn),
            cached_tokens=sum(map(cached_tokens, drawn)),
        )

    def temperature(self, sampling_params: dict[str, Any]) -> float:
        """At which forced answers are drawn."""
        own = self.settings.branch_temperature
        return float(sampling_params.get("temperature", 1.0) if own is None else own)

    async def generate(self, prompt_ids: list[int], params: dict[str, Any], request_id: str) -> Any | None:
        """One request under `branch_timeout_s`; None if it failed, which is logged."""
        try:
            async with asyncio.timeout(self.settings.branch_timeout_s):
                # the engine's client takes settings out of the dict it is given: each call gets its own
                return await self.engine.generate(
                    request_id=request_id, prompt_ids=prompt_ids, sampling_params=dict(params)
                )
        except Exception as error:  # whatever an engine raises: a branch never harms its trace, it is counted
            logger.warning("a branch failed and is left out of its mean: %r", error)
            return None

    def _read(self, output: Any, room: int) -> tuple[ForcedAnswer, Sample]:
        ids = tuple(output.token_ids)
        ended = ended_by_itself(ids, room, self.tokenizer.eos_token_id)
        text, stem_tokens, finished = read_answer(self.tokenizer, ids, self.settings, ended_by_itself=ended)
        log_probs = tuple(output.log_probs) if output.log_probs else None
        return ForcedAnswer(text, finished, None), Sample(ids, log_probs, output.extra_fields, stem_tokens)


def has_log_probs(output: Any) -> bool:
    """Whether an engine's output has one of every token; a model whose weights are broken gives NaN."""
    log_probs = output.log_probs or ()
    return len(log_probs) >= len(output.token_ids) > 0 and all(map(math.isfinite, log_probs))


@functools.lru_cache(maxsize=1024)
def encode(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of a stop text: every boundary of a prompt's rollouts asks for the same."""
    return tuple(encode_open(tokenizer, text))


def cached_tokens(output: Any) -> int:
    """Prompt tokens of an engine's output that came from its prefix cache."""
    return output.extra_fields.get("num_cached_tokens") or 0

"""One rollout: trace → episodes → boundaries → forced answers, over any engine with `generate`.

verl's agent loops, the evaluation and data_prep all sample with this; which branches they share differs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mrt_verl.branching import branch_chosen
from mrt_verl.episode_kinds import load_splitter
from mrt_verl.episodes import Episode
from mrt_verl.grading.extraction import extract_answer
from mrt_verl.insertions import EstimateJ, load_policy
from mrt_verl.provers import Branches, load_prover
from mrt_verl.sampling_params import ended_by_itself, without_end
from mrt_verl.settings import MRTSettings
from mrt_verl.trace import Trace, TraceSampler, in_time

Ask = Callable[[list[int], int], Awaitable[Branches]]
"""ask(prefix_ids, count): `count` forced answers after a prefix that starts with the prompt."""


class Engine(Protocol):
    """Whatever samples tokens after a prompt: verl's server manager, evaluation.engines, a test's script."""

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Any:
        """One continuation, as verl's TokenOutput: token_ids, log_probs, extra_fields, num_preempted."""
        ...


@dataclass(frozen=True, slots=True)
class Boundary:
    """An episode, and what stands in the context after the prompt where it ends."""

    episode: Episode
    """Positions in everything generated."""
    context_ids: list[int]
    """The episode's own tokens are its end."""
    close_ids: Sequence[int] = ()
    """What closed the thinking there, if the policy did: a forced answer follows it, not the stop text's close."""


@dataclass(frozen=True, slots=True)
class Response:
    """One sampled response and its episode boundaries."""

    trace: Trace
    boundaries: list[Boundary]
    answer_start: int | None
    """First token of the final answer; None where the thinking was never closed, 0 without any thinking."""
    markers: int
    """Switch markers that open a step, before tiny episodes are merged."""
    finished: bool
    """Whether it ended by itself, not by the budget."""

    @property
    def ids(self) -> list[int]:
        return self.trace.ids

    @property
    def episodes(self) -> list[Episode]:
        return [boundary.episode for boundary in self.boundaries]


class Rollout:
    """The policy on an engine under the settings of a run; safe for many coroutines at once."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Any,
        settings: MRTSettings,
        *,
        response_tokens: int,
        context_tokens: int | None = None,
    ) -> None:
        """Keep the parts.

        Args:
            response_tokens: most tokens of a response, inserted ones included.
            context_tokens: of the engine, prompt included; None where it is not known.

        Raises:
            ValueError: a setting names a part that does not exist.
        """
        self.engine = engine
        self.tokenizer = tokenizer
        self.settings = settings
        self.response_tokens = response_tokens
        self.splitter = load_splitter(tokenizer, settings)
        self.context_tokens = context_tokens
        self.prover = load_prover(engine, tokenizer, settings, context_tokens=context_tokens)
        self.branches = self.prover.answers_drawn(settings)
        self.policy = load_policy(settings)
        self.sampler = TraceSampler(
            engine,
            tokenizer,
            response_length=response_tokens,
            think_close=settings.think_close,
            min_left=settings.insert_min_left,
            seed=settings.seed,
        )

    def before_thinking(self, prompt_ids: Sequence[int]) -> list[int]:
        """The prefix of J_{-1}: the prompt, with the opening tag where the chat template does not write it."""
        tag = self.settings.think_open
        opened = tag is None or self.splitter.is_thinking_open(prompt_ids)
        return [*prompt_ids, *([] if opened else self.tokenizer.encode(tag, add_special_tokens=False))]

    async def sample(
        self,
        prompt_ids: list[int],
        sampling_params: dict[str, Any],
        request_id: str,
        *,
        trace: Trace | None = None,
        insert: bool = True,
        purpose: str = "trace",
        estimate_j: EstimateJ | None = None,
    ) -> Response:
        """One response to a prompt.

        Args:
            trace: what the response starts with; None starts it anew.
            insert: whether the policy of `mrt.insertion` may write into it.
            purpose: tells apart the responses to one prompt under `mrt.seed`.
            estimate_j: for that policy; None where it must not know the reference answer.

        Raises:
            TraceTimeout: it took longer than `mrt.trace_timeout_s`.
        """
        sampling = self.sampler.sample(
            trace or Trace(),
            prompt_ids,
            sampling_params,
            request_id,
            policy=self.policy if insert else None,
            estimate_j=estimate_j,
            purpose=purpose,
        )
        return self.read(prompt_ids, await in_time(sampling, self.settings.trace_timeout_s))

    def read(self, prompt_ids: Sequence[int], trace: Trace) -> Response:
        """Episodes, boundaries and answer of a trace after a prompt."""
        thinking_open = self.splitter.is_thinking_open(prompt_ids)
        split = self.splitter.split(trace.ids, thinking_open=thinking_open, inserted=trace.inserted)
        boundaries = [Boundary(episode, trace.ids[: episode.end]) for episode in split.episodes]
        if boundaries and split.closed:
            close = trace.ids[split.think_end : split.answer_start]
            boundaries[-1] = replace(boundaries[-1], close_ids=close)
        room = self.response_tokens
        if self.context_tokens is not None:  # a server cuts a request to what its context leaves, without a word
            room = min(room, self.context_tokens - len(prompt_ids))
        finished = ended_by_itself(trace.ids, room, self.tokenizer.eos_token_id)
        return Response(trace, boundaries, split.final_answer_start, split.markers, finished)

    @property
    def thinking_room(self) -> int:
        """Tokens of a response after which a forced answer still fits."""
        return self.response_tokens - len(self.prover.stop_ids) - self.settings.branch_max_tokens

    def final_answer(self, response: Response) -> str | None:
        """What a response answers by itself; None where there is no answer."""
        if response.answer_start is None:
            return None
        text = str(self.tokenizer.decode(response.ids[response.answer_start :], skip_special_tokens=True))
        return extract_answer(text, thinking=None, finished=response.finished)

    def own_is_sample(self, response: Response) -> bool:
        """Whether the response's own final answer is one of the samples of its last boundary."""
        return self.prover.draws_plain_samples and bool(response.boundaries) and response.answer_start is not None

    def answer_tokens(self, branches: Branches) -> float:
        """Mean tokens of a forced answer, the stop text included."""
        generated = branches.tokens / len(branches.answers) if branches.answers else 0.0
        return len(self.prover.stop_ids) + generated

    async def branch(
        self,
        prompt_ids: list[int],
        boundaries: Sequence[Boundary],
        ask: Ask,
        *,
        own_is_sample: bool = False,
        before: Branches | None = None,
        every: bool = False,
    ) -> dict[int, Branches]:
        """Forced answers at the chosen boundaries of a response, by the boundary's number.

        Args:
            ask: draws forced answers; a host may share them between rollouts there.
            own_is_sample: the last boundary needs one forced answer less.
            before: the answers without thinking, for `mrt.boundary_choice=uncertain`.
            every: all boundaries, whatever the settings choose.
        """
        last = len(boundaries) - 1

        async def branch_at(number: int) -> Branches:
            boundary = boundaries[number]
            # a trace may end the sequence inside its thinking
            thinking = without_end([*boundary.context_ids, *boundary.close_ids], self.tokenizer.eos_token_id)
            own = int(own_is_sample and number == last)
            return await ask([*prompt_ids, *thinking], self.branches - own)

        if every:
            return dict(enumerate(await asyncio.gather(*map(branch_at, range(len(boundaries))))))
        return await branch_chosen(len(boundaries), self.settings, before, branch_at)

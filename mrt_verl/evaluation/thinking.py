"""Samples the thinking: a plain trace, one with a sliding window of episodes, or one that is kept from stopping."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mrt_verl.episodes import Episode, EpisodeSplit, EpisodeSplitter
from mrt_verl.evaluation.engines import Engine, TokenOutput
from mrt_verl.evaluation.problems import Problem
from mrt_verl.insertions import backtrack_marker
from mrt_verl.settings import MRTSettings


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How traces are sampled."""

    response_tokens: int
    """Budget of a trace: most tokens of thinking and answer."""
    sampling_params: dict[str, Any] = field(default_factory=lambda: {"temperature": 1.0})
    """The engine's; forced answers use them too, but for `mrt.branch_temperature`."""
    direct_answers: int = 16
    """Answers without thinking per problem, for J_{-1} and the direct maj@k baseline; >= 1."""
    insertions: int = 0
    """Budget forcing: how often a switch marker keeps the thinking open where it ended (W); 8 in the reference."""
    insertion_tokens: int = 2048
    """Most new tokens behind each of them."""
    window: int | None = None
    """Linearised sampling: finished episodes that stay in the context beside the one being written; None keeps all."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """An episode and what stands in the context, behind the prompt, where it ends."""

    episode: Episode
    """Positions in everything generated."""
    context_ids: list[int]
    """The episode's own tokens are its end."""


@dataclass(frozen=True, slots=True)
class Thought:
    """One sampled response and its boundaries."""

    response_ids: list[int]
    boundaries: list[Boundary]
    answer_start: int | None
    """First token of the final answer; None where the thinking was never closed, 0 without any thinking."""
    markers: int
    finished: bool
    """Whether it ended by itself, not by the budget."""

    @property
    def answer_ids(self) -> list[int] | None:
        """The final answer's tokens."""
        return None if self.answer_start is None else self.response_ids[self.answer_start :]


class Thinker:
    """The policy on an engine, with the splitter of the run's settings."""

    def __init__(self, engine: Engine, tokenizer: Any, settings: MRTSettings, plan: SamplingPlan) -> None:
        """Keep the parts.

        Raises:
            ValueError: the window does not leave the splitter room for the episode being written.
        """
        if plan.window is not None and not 1 <= plan.window < settings.max_episodes:
            raise ValueError(f"window={plan.window}; allowed: 1 … {settings.max_episodes - 1}, below mrt.max_episodes")
        self.engine = engine
        self.tokenizer = tokenizer
        self.settings = settings
        self.plan = plan
        self.splitter = EpisodeSplitter(
            tokenizer,
            markers=settings.markers,
            think_open=settings.think_open,
            think_close=settings.think_close,
            min_episode_tokens=settings.min_episode_tokens,
            min_steps=settings.min_steps,
            max_episodes=settings.max_episodes,
            single_step_markers=[backtrack_marker(settings)] if settings.insertion == "backtrack" else [],
        )

    def encode(self, problem: Problem) -> list[int]:
        """The problem's prompt by the chat template, as verl's rollouts see it."""
        ids = self.tokenizer.apply_chat_template(problem.messages, add_generation_prompt=True, return_dict=False)
        return list(ids)

    async def think(self, prompt_ids: list[int], request_id: str) -> Thought:
        """One response to a prompt."""
        if self.plan.window is not None:
            return await self._think_linearised(prompt_ids, request_id, self.plan.window)
        output = await self._generate(prompt_ids, request_id, self.plan.response_tokens)
        ids = output.token_ids
        split = self.splitter.split(ids, thinking_open=self.splitter.is_thinking_open(prompt_ids))
        boundaries = [Boundary(episode, ids[: episode.end]) for episode in split.episodes]
        return Thought(ids, boundaries, _answer_start(split), split.markers, self._is_finished(ids))

    async def extend(self, prompt_ids: list[int], thought: Thought, request_id: str) -> list[Boundary]:
        """Budget forcing (arXiv 2503.07572): up to W times a switch marker, in rotation, where the thinking ended.

        Returns:
            One boundary per insertion, positions counted on from the end of the thinking; [] without thinking.
        """
        if not thought.boundaries:
            return []
        context = self.without_end(thought.boundaries[-1].context_ids)[:]
        shift = thought.boundaries[-1].episode.end - len(context)
        boundaries = []
        for insertion in range(self.plan.insertions):
            start = len(context)
            context += self._marker_ids(context, self.settings.markers[insertion % len(self.settings.markers)])
            marker_end = len(context)
            tag = self.settings.think_close
            stop = {"stop": [tag], "skip_special_tokens": False} if tag else {}
            output = await self._generate([*prompt_ids, *context], request_id, self.plan.insertion_tokens, **stop)
            chunk = output.token_ids
            closed_at = self.splitter.split(chunk, thinking_open=True).think_end
            context += self.without_end(chunk[:closed_at])
            episode = Episode(start + shift, marker_end + shift, len(context) + shift)
            boundaries.append(Boundary(episode, list(context)))
        return boundaries

    async def _think_linearised(self, prompt_ids: list[int], request_id: str, window: int) -> Thought:
        """Write on with only the last `window` finished episodes in the context (the paper's linearised evaluation)."""
        thinking_open = self.splitter.is_thinking_open(prompt_ids)
        openings = ["\n\n" + marker for marker in self.settings.markers]
        stream: list[int] = []
        context: list[int] = []
        boundaries: list[Boundary] = []
        known = markers = 0  # episodes of the context whose boundary is known; markers of what left it
        while True:
            room = self.plan.response_tokens - len(stream)
            output = await self._generate([*prompt_ids, *context], request_id, room, stop=openings)
            stream += output.token_ids
            context += output.token_ids
            shift = len(stream) - len(context)
            split = self.splitter.split(context, thinking_open=thinking_open)
            text = self.tokenizer.decode(output.token_ids)
            ended = len(stream) >= self.plan.response_tokens or not any(opening in text for opening in openings)
            finished = len(split.episodes) if split.closed or ended else len(split.episodes) - 1
            for episode in split.episodes[known:finished]:
                moved = Episode(episode.start + shift, episode.marker_end + shift, episode.end + shift)
                boundaries.append(Boundary(moved, context[: episode.end]))
            known = max(known, finished)
            if ended:
                start = _answer_start(split)
                start = start if not start else start + shift
                return Thought(stream, boundaries, start, markers + split.markers, self._is_finished(stream))
            if known > window and not split.closed:
                dropped = known - window
                first, kept = split.episodes[0].start, split.episodes[dropped].start
                context = context[:first] + context[kept:]
                markers += sum(episode.marker_end > episode.start for episode in split.episodes[:dropped])
                known = window

    async def _generate(self, prompt_ids: list[int], request_id: str, max_tokens: int, **params: Any) -> TokenOutput:
        params = {**self.plan.sampling_params, "max_tokens": max_tokens, **params}
        return await self.engine.generate(request_id=request_id, prompt_ids=prompt_ids, sampling_params=params)

    def _marker_ids(self, context: Sequence[int], marker: str) -> list[int]:
        """The marker at the start of a paragraph of its own."""
        tail = self.tokenizer.decode(list(context[-4:]))
        breaks = "\n" * max(0, 2 - (len(tail) - len(tail.rstrip("\n"))))
        return list(self.tokenizer.encode(breaks + marker, add_special_tokens=False))

    def without_end(self, ids: list[int]) -> list[int]:
        """The tokens without an end of sequence, behind which nothing sensible follows."""
        return ids[:-1] if ids[-1:] == [self.tokenizer.eos_token_id] else ids

    def _is_finished(self, ids: list[int]) -> bool:
        return ids[-1:] == [self.tokenizer.eos_token_id] or len(ids) < self.plan.response_tokens


def _answer_start(split: EpisodeSplit) -> int | None:
    if split.closed:
        return split.answer_start
    return None if split.episodes else 0

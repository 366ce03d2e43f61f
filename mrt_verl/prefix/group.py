"""What both modes of the prefix variant are made of."""

import asyncio
import random
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from mrt_verl.online import RolledOut
from mrt_verl.provers import Branches
from mrt_verl.rollout import Response, Rollout
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.trace import Trace

ATTEMPTS = 2
"""Times a rollout asks for what is shared: another rollout's attempt may fail, then it makes its own."""
Shared = TypeVar("Shared")


class Host(Protocol):
    """How a host samples for one rollout of the prompt."""

    async def trace(self, session: int, kind: str) -> RolledOut:
        """A plain rollout, J unknown; `kind` is that of its record."""
        ...

    async def go_on(self, trace: Trace, request_id: str, session: int) -> tuple[Response, Sequence[Branches]]:
        """A trace continued to its end, and the branches that this paid for."""
        ...


class Once(Generic[Shared]):
    """What the rollouts of a prompt share, made by the first of them that asks, in a task of its own."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Shared] | None = None

    async def get(self, make: Callable[[], Any]) -> tuple[Shared, bool]:
        """The shared thing, and whether this call made (and pays for) it."""
        for attempt in range(ATTEMPTS):
            task = self._task
            owns = task is None
            if task is None:
                task = self._task = asyncio.create_task(make())
            try:
                return await asyncio.shield(task), owns
            except Exception:
                if self._task is task:
                    self._task = None
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")


class PrefixGroup(ABC):
    """The rollouts of one prompt; a host keeps it while any of them is under way."""

    def __init__(
        self,
        rollout: Rollout,
        count: int,
        prompt_ids: list[int],
        sampling_params: dict[str, Any],
        *,
        given: Callable[[], list[int]] | None = None,
    ) -> None:
        """Keep the parts.

        Args:
            count: rollouts of the prompt.
            given: the dataset's prefix (`mrt.prefix_source=dataset`); it may raise ValueError.
        """
        self.rollout, self.count = rollout, count
        self.settings = rollout.settings
        self.prompt_ids, self.sampling_params, self.given = prompt_ids, sampling_params, given
        self.source: Once[Any] = Once()
        """What the other rollouts start from."""

    @abstractmethod
    def roll_out(self, session: int, host: Host) -> Awaitable[RolledOut]:
        """The rollout number `session` of the prompt.

        Raises:
            TraceLost: its trace took too long, or its forced answer failed.
        """

    def cut(self, ends: Sequence[int], ids: list[int]) -> int | None:
        """One of some ends of episodes, at random among those that leave room for an answer; None if there is none.

        The trace itself seeds the choice: the same trace is cut at the same place.
        """
        fitting = self.fitting(ends)
        return random.Random(zlib.crc32(repr(ids).encode())).choice(fitting) if fitting else None

    def fitting(self, ends: Sequence[int]) -> list[int]:
        """The ends after which there is room for a forced answer."""
        return [end for end in ends if end <= self.rollout.thinking_room]

    async def force(self, prefix_ids: list[int], count: int, request_id: str, *, first: int = 0) -> Branches:
        """Forced answers that are rollouts of their own, with log-probs if the host trains on them."""
        return await self.rollout.prover.sample(
            prefix_ids,
            count=count,
            sampling_params=self.sampling_params,
            request_id=request_id,
            log_probs=bool(self.sampling_params.get("logprobs")),
            first=first,
        )

    def append(self, trace: Trace, forced: Branches, number: int) -> int:
        """Write stop text and forced answer into a trace; returns the stop text's tokens."""
        stop_ids = self.rollout.prover.stop_after([*self.prompt_ids, *trace.ids])[1]
        sample = forced.samples[number]
        trace.add_written(stop_ids)
        trace.add_sampled(sample.token_ids, sample.log_probs)
        trace.extra_fields = sample.extra_fields
        return len(stop_ids)

    def rolled_out(
        self, trace: Trace, record: RolloutRecord, shown: slice, started: float, request_id: str
    ) -> RolledOut:
        """The rollout, with the text of some of its tokens if traces are logged."""
        if self.settings.trace_dir is not None:
            record.response.prompt_text = self.rollout.tokenizer.decode(self.prompt_ids)
            record.response.episode_texts = [self.rollout.tokenizer.decode(trace.ids[shown])]
        return RolledOut(trace, record, time.perf_counter() - started, request_id)

"""Which boundaries of a trace are branched, and that equal prefixes of one prompt are branched once."""

import asyncio
import contextlib
import itertools
import math
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from mrt_verl.answer_pool import AnswerPool, AreRight
from mrt_verl.provers import Branches, Prover, prover_class
from mrt_verl.settings import MRTSettings

Shared = TypeVar("Shared")
BranchAt = Callable[[int], Awaitable[Branches]]
"""Branches one boundary of a trace, by its number from 0."""


class PromptBranches:
    """Branches after the prefixes of one prompt, each started once."""

    def __init__(self) -> None:
        self.pool = AnswerPool()
        self._tasks: dict[tuple[int, bytes, tuple[str, ...]], asyncio.Task[Branches]] = {}

    def start(
        self, prover: Prover, prefix_ids: Sequence[int], *, count: int, references: Sequence[str] = (), **how: Any
    ) -> tuple["asyncio.Task[Branches]", bool]:
        """The branches after a prefix, and whether this call started (and pays for) them; `how` as for `branch`."""
        key = (count, blake2b(array("q", prefix_ids).tobytes(), digest_size=16).digest(), tuple(references))
        is_new = key not in self._tasks
        if is_new:
            branching = prover.branch(prefix_ids, count=count, references=references, **how)
            self._tasks[key] = asyncio.create_task(branching)
        return self._tasks[key], is_new


class PerPrompt(Generic[Shared]):
    """What the rollouts of a prompt share, kept while any of them is under way: verl starts them in one process."""

    def __init__(self) -> None:
        self._prompts: dict[str, Shared] = {}
        self._under_way: Counter[str] = Counter()

    @contextlib.contextmanager
    def of_prompt(self, uid: str, make: Callable[[], Shared]) -> Iterator[Shared]:
        """The prompt's own, for one of its rollouts; the first of them makes it."""
        if uid not in self._prompts:
            self._prompts[uid] = make()
        self._under_way[uid] += 1
        try:
            yield self._prompts[uid]
        finally:
            self._under_way[uid] -= 1
            if not self._under_way[uid]:
                del self._prompts[uid], self._under_way[uid]


class RolloutBranches:
    """One rollout's way to the branches of its prompt; it pays for those that it is the first to ask for."""

    def __init__(
        self,
        shared: PromptBranches,
        *,
        sampling_params: dict[str, Any],
        references: Sequence[str] = (),
        are_right: AreRight | None = None,
    ) -> None:
        """Keep them.

        Args:
            references: accepted answers, for provers that score them.
            are_right: grades what the prompt's rollouts answered, for provers that score that too.
        """
        self.paid: list[Branches] = []
        self.pool = shared.pool
        self._shared = shared
        self._sampling_params = sampling_params
        self._references = tuple(references)
        self._are_right = are_right

    async def await_pool(self) -> None:
        """From now on the right answers of the prompt's rollouts are references too; waits for all of their traces."""
        if self._are_right is not None:
            self._references = tuple(dict.fromkeys([*self._references, *await self.pool.right(self._are_right)]))

    async def ask(self, prover: Prover, prefix_ids: Sequence[int], count: int, request_id: str) -> Branches:
        """The branches after a prefix, waited for."""
        task, owns = self._shared.start(
            *(prover, prefix_ids),
            count=count,
            sampling_params=self._sampling_params,
            request_id=request_id,
            references=self._references,
        )
        branches = await asyncio.shield(task)  # other rollouts wait for it too
        if owns:
            self.paid.append(branches)
        return branches


def max_boundaries(settings: MRTSettings) -> int:
    """Boundaries of a trace that are branched at most: `max_episodes`, or what `branch_token_budget` allows."""
    if settings.branch_token_budget is None:
        return settings.max_episodes
    affordable = settings.branch_token_budget // prover_class(settings).boundary_tokens(settings)
    return min(settings.max_episodes, affordable)


async def branch_chosen(
    count: int, settings: MRTSettings, before: Branches | None, branch_at: BranchAt
) -> dict[int, Branches]:
    """Branch the boundaries that `mrt.boundary_choice` chooses among `count`, by their number.

    Args:
        before: the answers without thinking, which `uncertain` starts from.
    """
    limit = max_boundaries(settings)
    if settings.boundary_choice == "uncertain" and before is not None:
        return await branch_where_uncertain(count, limit, before, branch_at)
    chosen = choose_evenly(count, limit)
    return dict(zip(chosen, await asyncio.gather(*map(branch_at, chosen)), strict=True))


def choose_evenly(count: int, limit: int) -> list[int]:
    """Indices of at most `limit` of `count` boundaries, evenly spaced, the last among them; [] if `limit` is 0."""
    if count <= limit:
        return list(range(count))
    return [(index + 1) * count // limit - 1 for index in range(limit)]


async def branch_where_uncertain(count: int, limit: int, before: Branches, branch_at: BranchAt) -> dict[int, Branches]:
    """Branch at most `limit` of `count` boundaries, those between which the forced answers disagree most.

    The last boundary comes first; then the gap whose two ends disagree most is halved, again and again, until nothing
    disagrees or `limit` is reached. J needs no grade for this: where the answers are the same, it is. A boundary is
    awaited before the next is chosen, so this costs up to `limit` times the time of one forced answer.

    Args:
        before: the answers without thinking, the left end of the first gap.
        branch_at: branches boundary 0 … count - 1.
    """
    ends = {-1: before}
    if count and limit:
        ends[count - 1] = await branch_at(count - 1)
    while len(ends) <= limit:
        at = sorted(ends)
        gaps = [(disagreement(ends[a], ends[b]), b - a, a) for a, b in itertools.pairwise(at) if b - a > 1]
        worst, width, left = max(gaps, default=(0.0, 0, 0))
        if worst == 0.0:
            break
        middle = left + width // 2
        ends[middle] = await branch_at(middle)
    return {boundary: branches for boundary, branches in ends.items() if boundary >= 0}


def disagreement(one: Branches, other: Branches) -> float:
    """Total variation distance between the forced answers of two boundaries, in [0, 1]; 1 where one has none."""
    if not one.answers or not other.answers:
        return 1.0
    difference = _masses(one)
    difference.subtract(_masses(other))
    return math.fsum(map(abs, difference.values())) / 2


def _masses(branches: Branches) -> "Counter[str]":
    masses: Counter[str] = Counter()
    for answer in branches.answers:
        masses[answer.text.strip()] += 1 / len(branches.answers) if answer.weight is None else answer.weight  # type: ignore[assignment]
    return masses

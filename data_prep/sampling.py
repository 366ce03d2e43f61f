"""Choosing problems by seed: each has a rank that depends on its text and the seed, not on the order of the rows."""

import heapq
from hashlib import blake2b
from typing import Any

from data_prep.duplicates import normalised
from data_prep.problems import Problem


def rank(text: str, seed: int, purpose: str) -> int:
    """A number in [0, 2^64) that is uniform over seeds; equal for equal texts.

    Args:
        text: the problem's normalised text.
        purpose: choices for different purposes are independent of each other.
    """
    key = f"{purpose}:{seed}".encode()
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest(), "big")


class Smallest:
    """Keeps the `count` items of smallest rank and gives back what falls out, one item at a time."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: list[tuple[int, int, Any]] = []
        self._taken = 0

    def would_keep(self, item_rank: int) -> bool:
        """Whether an item of this rank would be kept for now."""
        return len(self._heap) < self._count or (self._count > 0 and item_rank < -self._heap[0][0])

    def push(self, item_rank: int, item: Any) -> Any | None:
        """Take an item; returns the one that falls out, None while there is room."""
        self._taken += 1
        entry = (-item_rank, -self._taken, item)
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, entry)
            return None
        return heapq.heappushpop(self._heap, entry)[2]

    def by_rank(self) -> list[Any]:
        """The items kept, smallest rank first."""
        return [item for _, _, item in sorted(self._heap, reverse=True)]


class Selection:
    """Of a stream of problems: some held out, and of the others `limit` after the first `skip`, or all."""

    def __init__(self, seed: int, *, skip: int, limit: int | None, held_out: int) -> None:
        self._seed, self._skip = seed, skip
        self._held_out = Smallest(held_out) if held_out else None
        self._chosen = Smallest(skip + limit) if limit is not None else None
        self.not_sampled = 0
        """Problems that were left out so far."""

    def may_take(self, problem: Problem) -> bool:
        """Whether the problem can still be chosen; one that cannot is counted as left out."""
        if self._chosen is None or self._chosen.would_keep(self._rank(problem, "sample")):
            return True
        if self._held_out is not None and self._held_out.would_keep(self._rank(problem, "test")):
            return True
        self.not_sampled += 1
        return False

    def push(self, problem: Problem) -> Problem | None:
        """Take a problem; returns one that is chosen already, which happens only without a limit."""
        left: Problem | None = problem
        if self._held_out is not None:
            left = self._held_out.push(self._rank(problem, "test"), problem)
        if left is None or self._chosen is None:
            return left
        if self._chosen.push(self._rank(left, "sample"), left) is not None:
            self.not_sampled += 1
        return None

    def held_out(self) -> list[Problem]:
        """What was held out, in the order of the seed."""
        return self._held_out.by_rank() if self._held_out else []

    def chosen(self) -> list[Problem]:
        """What was chosen under a limit, in the order of the seed."""
        ordered = self._chosen.by_rank() if self._chosen else []
        self.not_sampled += min(self._skip, len(ordered))
        return ordered[self._skip :]

    def _rank(self, problem: Problem, purpose: str) -> int:
        return rank(normalised(problem.identity), self._seed, purpose)

"""Choosing problems by seed: each has a rank that depends on its text and the seed, not on the order of the rows."""

import heapq
from collections.abc import Hashable
from hashlib import blake2b
from typing import Any


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

    def push(self, item_rank: int, item: Hashable) -> Any | None:
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

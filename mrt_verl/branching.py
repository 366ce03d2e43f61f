"""Which boundaries of a trace are branched, and that equal prefixes of one prompt are branched once."""

import asyncio
import itertools
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Any
from weakref import WeakValueDictionary

from mrt_verl.prover import Branches, MetaProver


class SharedBranches:
    """Branches by prompt and prefix, shared by the rollouts of a prompt: verl starts them together in one process.

    Weak: an entry lives as long as a rollout holds it, and a prompt that is run again simply makes new ones.
    """

    def __init__(self) -> None:
        self._tasks: WeakValueDictionary[tuple[str, int, bytes], asyncio.Task[Branches]] = WeakValueDictionary()

    def start(
        self, prover: MetaProver, uid: str, prefix_ids: Sequence[int], *, count: int, **how: Any
    ) -> tuple["asyncio.Task[Branches]", bool]:
        """The branches behind a prefix, and whether this call started (and pays for) them; `how` as for `branch`."""
        key = (uid, count, blake2b(array("q", prefix_ids).tobytes(), digest_size=16).digest())
        task = self._tasks.get(key)
        if task is not None:
            return task, False
        task = asyncio.create_task(prover.branch(prefix_ids, count=count, **how))
        self._tasks[key] = task
        return task, True


def choose_evenly(count: int, most: int) -> list[int]:
    """Indices of at most `most` of `count` boundaries, evenly spaced, the last among them; [] if `most` is 0."""
    if count <= most:
        return list(range(count))
    return [(index + 1) * count // most - 1 for index in range(most)]


async def branch_where_uncertain(
    count: int, most: int, before: Branches, branch_at: Callable[[int], Awaitable[Branches]]
) -> dict[int, Branches]:
    """Branch at most `most` of `count` boundaries, those between which the forced answers disagree most.

    The last boundary comes first; then the gap whose two ends disagree most is halved, again and again, until nothing
    disagrees or `most` is reached. J needs no grade for this: where the answers are the same, it is. A boundary is
    awaited before the next is chosen, so this costs up to `most` times the time of one forced answer.

    Args:
        before: the answers without thinking, the left end of the first gap.
        branch_at: branches boundary 0 … count - 1.
    """
    ends = {-1: before}
    if count and most:
        ends[count - 1] = await branch_at(count - 1)
    while len(ends) <= most:
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
    return sum(map(abs, difference.values())) / 2


def _masses(branches: Branches) -> "Counter[str]":
    masses: Counter[str] = Counter()
    for answer in branches.answers:
        masses[answer.text.strip()] += 1 / len(branches.answers) if answer.weight is None else answer.weight  # type: ignore[assignment]
    return masses

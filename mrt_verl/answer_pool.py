"""What the rollouts of a prompt answered rightly, as they spelled it, known once all of them are written (ours).

A policy writes an answer in ways that the dataset's reference does not show: `0.5` for `\\frac{1}{2}`, a set in another
order. What a group's own final answers spelled rightly is what forced answers will say too, so a prover that scores
answers scores these as well (provers/pooled.py).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence

AreRight = Callable[[Sequence[str]], Awaitable[list[bool]]]
"""are_right(answers): whether each is right, as the content of a box."""
MOST = 4
"""Spellings that are scored beside the reference: each costs some three requests a boundary."""


class AnswerPool:
    """The final answers of one prompt's rollouts; those wait for each other that write at the same time."""

    def __init__(self) -> None:
        self._writing = 0
        self._all_written = asyncio.Event()
        self._all_written.set()
        self._counts: Counter[str] = Counter()
        self._verdicts: dict[str, bool] = {}
        self._grading = asyncio.Lock()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """While a rollout writes its trace; one that fails is waited for no longer."""
        self._writing += 1
        self._all_written.clear()
        try:
            yield
        finally:
            self._writing -= 1
            if not self._writing:
                self._all_written.set()

    def add(self, answer: str | None) -> None:
        """The final answer of a rollout, None where there is none."""
        if answer:
            self._counts[answer] += 1

    async def right(self, are_right: AreRight) -> tuple[str, ...]:
        """The right answers, the most frequent first, at most MOST; waits until every rollout is written."""
        await self._all_written.wait()
        async with self._grading:
            if new := [answer for answer in self._counts if answer not in self._verdicts]:
                self._verdicts.update(zip(new, await are_right(new), strict=True))
        ranked = (answer for answer, _ in self._counts.most_common())
        # one that came while others were graded is none yet
        return tuple(answer for answer in ranked if self._verdicts.get(answer))[:MOST]

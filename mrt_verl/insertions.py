"""Insertion policies: text written into a trace where its policy pauses, as the opening of a further episode.

A kind of your own is a class with `pause_every` and `insert`, made from (MRTSettings), and named by
`mrt.insertion=package.module:Class`:

    class AskTwice:
        pause_every = None  # pause only where the model closes its thinking

        def __init__(self, settings):
            pass

        async def insert(self, pause):
            return "Is that really so?" if not pause.inserted else None

Inserted tokens are never trained on (response_mask 0, log-prob 0).
"""

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mrt_verl.branching import max_boundaries
from mrt_verl.registry import resolve
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import Tag, paragraph_starts

EstimateJ = Callable[[Sequence[int]], Awaitable[float | None]]
"""estimate_j(ids): the prover's J after the prompt and these token ids of the response, None if it failed."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a trace stands when its policy is asked."""

    prompt_ids: list[int]
    response_ids: list[int]
    inserted: tuple[tuple[int, int], ...]
    """Token spans of the insertions so far."""
    close_start: int | None
    """First of the last tokens, which close the thinking, whose place an insertion takes; None where it goes on."""
    estimate_j: EstimateJ | None
    """None where a trace is only validated: what helps it must not know the reference answer."""
    tokenizer: Any

    @property
    def is_closing(self) -> bool:
        """Whether the trace closes its thinking here."""
        return self.close_start is not None

    @property
    def thinking_ids(self) -> list[int]:
        """Token ids of the response up to there."""
        return self.response_ids[: self.close_start]


class InsertionPolicy(Protocol):
    """Decides what is written where a trace pauses."""

    pause_every: int | None
    """Tokens after which a trace pauses, at the end of its paragraph; None: only where it closes its thinking."""

    async def insert(self, pause: Pause) -> str | None:
        """Text of a new paragraph; None lets the trace go on by itself to its end."""
        ...


def needs_j(policy: InsertionPolicy | None) -> bool:
    """Whether a policy declares `needs_j = True`: it never writes where it cannot ask for J, as in an evaluation."""
    return bool(getattr(policy, "needs_j", False))


class BudgetForcing:
    """Keeps the thinking open by switch markers in rotation, up to `insert_max` (budget forcing)."""

    def __init__(self, settings: MRTSettings) -> None:
        self.pause_every = settings.insert_every
        self._texts = settings.insert_texts
        self._max = settings.insert_max

    async def insert(self, pause: Pause) -> str | None:
        count = len(pause.inserted)
        return self._texts[count % len(self._texts)] if count < self._max else None


class Backtrack:
    """Sends a trace that closes on a wrong answer back to the step where success was likeliest; training only."""

    pause_every: int | None = None
    needs_j = True

    def __init__(self, settings: MRTSettings) -> None:
        self._text = settings.backtrack_text
        self._marker = settings.backtrack_marker
        self._step = re.compile(settings.step_pattern)
        self._think_open = settings.think_open
        self._max = settings.insert_max
        self._max_steps = max_boundaries(settings)

    async def insert(self, pause: Pause) -> str | None:
        if pause.estimate_j is None or not pause.is_closing or len(pause.inserted) >= self._max:
            return None
        ids = pause.thinking_ids
        steps = find_steps(pause.tokenizer, ids, self._step, self._marker, self._think_open)
        if not steps:
            return None
        j_end = await pause.estimate_j(pause.response_ids)  # with the close, as the last boundary is asked
        if j_end is None or j_end > 0.5:
            return None
        steps = steps[:: -(-len(steps) // self._max_steps)]  # evenly thinned out, the first one stays
        js = [j or 0.0 for j in await asyncio.gather(*(pause.estimate_j(ids[:start]) for _, start in steps))]
        # of equal chances the later step keeps more of the work; without any chance all of it is in doubt
        best = max(range(len(js)), key=lambda index: (js[index], index)) if any(js) else 0
        return self._text.replace("{step}", steps[best][0])  # other braces are text


def find_steps(
    tokenizer: Any, ids: Sequence[int], step: re.Pattern[str], marker: str, think_open: str | None = None
) -> list[tuple[str, int]]:
    """(name, first token) of the numbered steps of the last attempt, those after the last backtrack sentence.

    Args:
        think_open: the tag that opens the thinking, where the policy writes it itself: no part of the first step.
    """
    steps: list[tuple[str, int]] = []
    starts = paragraph_starts(tokenizer, ids)
    if think_open is not None and starts:
        first_paragraph = np.asarray(ids[: starts[1] if len(starts) > 1 else len(ids)])
        opened = next(_tag(tokenizer, think_open).occurrences(first_paragraph), (0, 0))[1]
        starts = [opened + start for start in paragraph_starts(tokenizer, ids[opened:])]
    for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        text = tokenizer.decode(ids[start:end]).lstrip()
        found = step.match(text)
        if text.startswith(marker):
            steps = []
        elif found is not None:
            steps.append((found.group(1), start))
    return steps


@functools.lru_cache(maxsize=2)  # a tag that is several tokens looks its first one up in the whole vocabulary
def _tag(tokenizer: Any, text: str) -> Tag:
    return Tag(tokenizer, text)


POLICIES: dict[str, Callable[[MRTSettings], InsertionPolicy]] = {
    "budget_forcing": BudgetForcing,
    "backtrack": Backtrack,
}


def load_policy(settings: MRTSettings) -> InsertionPolicy | None:
    """The policy that `mrt.insertion` names, None for null.

    Raises:
        ValueError: there is none of this name.
    """
    if settings.insertion is None:
        return None
    return resolve("insertion", settings.insertion, POLICIES, nullable=True)(settings)

"""Calls that come one by one meet in groups, and a group that stays incomplete is given up (molt.py; plain asyncio)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any

LOOK_S = 1.0
QUIET_S = 60.0
"""Seconds that a group waits for its next call while nothing is sampled and no other call comes. molt starts a prompt's
calls at once, but Ray runs 1,000 calls of an actor at a time: the others wait until a sampled group is done."""
Rows = list[Any]
Call = asyncio.Future[Rows]


class Arrivals:
    """The calls of one process."""

    def __init__(self, stall_timeout_s: float | None) -> None:
        """Keep the limit of a wait while other groups are sampled; None waits until they are done."""
        self._stall_timeout_s = stall_timeout_s
        self._waiting: dict[Hashable, list[Call]] = {}
        self._came = 0
        self._sampled = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def meet(self, key: Hashable, wanted: int, roll_out: Callable[[], Awaitable[list[Rows]]]) -> Rows:
        """The rows of one call, from the `roll_out` of the last of `wanted` calls with its key.

        Raises:
            ValueError: the others did not come.
            Exception: what `roll_out` raised, in each call of the group.
        """
        call: Call = asyncio.get_running_loop().create_future()
        calls = self._waiting.setdefault(key, [])
        calls.append(call)
        self._came += 1
        if len(calls) == wanted:
            del self._waiting[key]
            self._start(self._sample(calls, roll_out))
        elif len(calls) == 1:
            self._start(self._watch(key, calls, wanted))
        return await call

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)  # of its own: a call that is cancelled must not take its group with it
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sample(self, calls: list[Call], roll_out: Callable[[], Awaitable[list[Rows]]]) -> None:
        self._sampled += 1
        try:
            answer(calls, await roll_out())
        except Exception as error:  # molt drops the rollouts, and says why
            answer(calls, [error] * len(calls))
        finally:
            self._sampled -= 1

    async def _watch(self, key: Hashable, calls: list[Call], wanted: int) -> None:
        """Give a group up whose next call does not come; looks are counted, so a loop that was blocked costs one."""
        quiet_s = waited_s = 0.0
        while True:
            came, own = self._came, len(calls)
            await asyncio.sleep(LOOK_S)
            if self._waiting.get(key) is not calls:
                return
            quiet_s = 0.0 if self._sampled or self._came != came else quiet_s + LOOK_S
            waited_s = 0.0 if len(calls) != own else waited_s + LOOK_S
            if quiet_s >= QUIET_S:
                limit = f"{QUIET_S:g} seconds without sampling"
            elif self._stall_timeout_s is not None and waited_s >= self._stall_timeout_s:
                limit = f"mrt.stall_timeout_s={self._stall_timeout_s:g} seconds"
            else:
                continue
            del self._waiting[key]
            error = ValueError(
                f"openrlhf.n_samples_per_prompt={wanted} with {len(calls)} rollouts of a prompt and no further one in "
                f"{limit}; allowed: the run's --rollout.n_samples_per_prompt, with --rollout.num_runners 1"
            )
            answer(calls, [error] * len(calls))
            return


def answer(calls: Sequence[Call], answers: Sequence[Rows | Exception]) -> None:
    """Hand each call its rows, or what went wrong; one that was cancelled takes none."""
    for call, one in zip(calls, answers, strict=True):
        if call.done():
            continue
        if isinstance(one, Exception):
            call.set_exception(one)
        else:
            call.set_result(one)

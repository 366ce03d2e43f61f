"""Ends a run that waits in vain: no rollout finishes any more, or an actor that makes them is gone."""

from collections.abc import Hashable, Sequence
from typing import Any

from mrt_verl.hooks.actor_watch import ActorWatch


class RolloutsStalled(RuntimeError):
    """The rollouts of a step will not come."""


class StallWatch:
    """Told by the sampler after each of its polls what there is."""

    def __init__(self, timeout_s: float | None) -> None:
        """Keep the limit; `timeout_s` is `mrt.stall_timeout_s`."""
        self._timeout_s = timeout_s
        self._state: Hashable = None
        self._waited_s = 0.0

    def begin(self) -> None:
        """A new wait: what the trainer did since the last one is no stall."""
        self._state, self._waited_s = None, 0.0
        if ActorWatch.of_process is not None:
            ActorWatch.of_process.looked_for_rollouts()

    def polled(self, seconds: float, state: Hashable, waiting: str) -> None:
        """One poll of so many seconds is over.

        Args:
            state: anything that differs once a rollout has finished.
            waiting: what is waited for, in words.

        Raises:
            RolloutsStalled: an actor is gone, or the state was the same for `mrt.stall_timeout_s`.
        """
        watch = ActorWatch.of_process
        if watch is not None:
            watch.looked_for_rollouts()
            if watch.fault is not None:
                raise RolloutsStalled(f"{watch.fault}; {waiting}")
        if state != self._state:
            self._state, self._waited_s = state, 0.0
            return
        self._waited_s += seconds
        if self._timeout_s is not None and self._waited_s >= self._timeout_s:
            raise RolloutsStalled(
                f"no rollout has finished for mrt.stall_timeout_s={self._timeout_s:g} seconds; {waiting}"
            )


def raise_if_dead(what: str) -> None:
    """Look at the actors now, where something is missing.

    Raises:
        RolloutsStalled: one is gone; says which, and `what` came of it.
    """
    watch = ActorWatch.of_process
    if watch is not None and (fault := watch.confirm()) is not None:
        raise RolloutsStalled(f"{fault}; {what}")


def state_of(buffer: Any, partition_id: str) -> tuple[int, ...]:
    """What of verl's replay buffer changes when a rollout finishes: rollouts, and prompts by their status."""
    return (len(buffer.partitions[partition_id]), *map(len, _prompts(buffer, partition_id)))


def waiting_of(buffer: Any, partition_id: str, step: int) -> str:
    """What a replay buffer waits for, in words."""
    pending, running, finished, failed = map(len, _prompts(buffer, partition_id))
    return (
        f"step {step}: {running} prompts running, {pending} pending, {finished} finished, {failed} failed, "
        f"{len(buffer.partitions[partition_id])} rollouts there"
    )


def _prompts(buffer: Any, partition_id: str) -> Sequence[set[str]]:
    by_status = (buffer.pending_keys, buffer.running_keys, buffer.finished_keys, buffer.failure_keys)
    return [keys[partition_id] for keys in by_status]

"""Whether the trainer's process runs at all: asked where it is not, in the first agent-loop worker.

A process that is stopped tells nobody, and the driver waits for it for ever. The thread in it that looks at the actors
(actor_watch.py) is heard by that worker at each look. Where it is silent for `mrt.stall_timeout_s` and `LATE_S`, and
takes no processor time all the while, the worker says so and kills it; the run ends as where the trainer died. On
another node than the worker's this cannot be seen, and nothing happens.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import ray

from mrt_verl.processes import cpu_seconds

logger = logging.getLogger(__name__)

TICK_S = 10.0
"""Seconds between two looks at how long it has been silent."""
LATE_S = 60.0
"""Seconds by which its thread may be late: it waits for actors that do not answer."""
SAY_S = 3.0
"""Seconds that Ray gets to take the last line to the driver's console."""


@dataclass(frozen=True)
class Trainer:
    """The trainer's process, as it is handed to the worker that hears it."""

    pid: int
    node: str
    limit_s: float
    """`mrt.stall_timeout_s`."""

    @classmethod
    def this(cls, limit_s: float | None) -> Self | None:
        """This process; None without a limit, or where it is no actor of Ray's."""
        if limit_s is None or not ray.is_initialized():
            return None
        context = ray.get_runtime_context()
        if context.get_actor_id() is None:
            return None
        return cls(os.getpid(), context.get_node_id(), limit_s)

    def is_heard(self, worker: Any) -> str | None:
        """Asked on the worker, which hears by it that the trainer runs; nothing is wrong there."""
        watch = TrainerWatch.of_process
        if watch is None or watch.trainer.pid != self.pid:
            watch = TrainerWatch.of_process = TrainerWatch(self)
            watch.start()
        watch.heard()
        return None

    def processor_seconds(self) -> float | None:
        """What it has taken; None where it is not on this node."""
        return cpu_seconds(self.pid) if ray.get_runtime_context().get_node_id() == self.node else None

    def kill(self) -> None:
        """End it, stopped or not."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)


class TrainerWatch:
    """Counts for how long the trainer has been silent and still, in the worker's process."""

    of_process: ClassVar["TrainerWatch | None"] = None

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._silent_s = 0.0
        self._taken_s: float | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="mrt-trainer-watch").start()

    def heard(self) -> None:
        self._silent_s = 0.0

    def _run(self) -> None:
        # ticks, not the clock: where this process was stopped as well, it has nothing to say about the other one
        while self._silent_s < self.trainer.limit_s + LATE_S:
            if self._stopped.wait(TICK_S) or TrainerWatch.of_process is not self:
                return
            before, self._taken_s = self._taken_s, self.trainer.processor_seconds()
            is_still = self._taken_s is not None and self._taken_s == before
            self._silent_s = self._silent_s + TICK_S if is_still else 0.0
        logger.error(
            "the trainer's process %d has not run for mrt.stall_timeout_s=%g seconds: it is stopped. It is killed, "
            "which ends the run",
            *(self.trainer.pid, self.trainer.limit_s),
        )
        time.sleep(SAY_S)
        self.trainer.kill()

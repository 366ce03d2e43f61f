"""The actors that a step waits for: agent-loop workers, reward workers, the engine's servers and what they run.

Where one of them is killed, verl waits for its rollouts for ever, or trains on those of the others. A thread in the
trainer's process looks at all of them and says so at once; the sampler ends the run (stall.py). Where the trainer does
not wait for rollouts, it may be saving: only after `mrt.stall_timeout_s` the thread ends its process, or after
`HANDOVER_S` where it hands weights to a server that is dead. Handing weights or prompts to one that lives but does not
take them may last `mrt.stall_timeout_s` as well. An update or a save that lasts longer is told and goes on: an actor
of the trainer's that is stopped cannot be told from one that computes. The trainer's own process is watched from
another one (trainer_watch.py).
"""

import contextlib
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, ClassVar

import ray
from ray.exceptions import ActorDiedError, GetTimeoutError

from mrt_verl.hooks.trainer_watch import Trainer

logger = logging.getLogger(__name__)

LOOK_S = 10.0
"""Seconds between two looks."""
AGAIN_S = 2.0
"""Seconds after which a fault is looked at again: a trainer may take a server away on purpose."""
ANSWER_S = 5.0
"""Seconds that a look waits for answers; an actor that is busy answers a later one."""
HANDOVER_S = 60.0
"""Seconds that the trainer may hand over weights or prompts once a fault is known; it saves before that."""

Question = tuple[Any, Callable[[Any], str | None]]
"""An actor, and what is called on it there; it returns what is wrong, or None."""


class ActorWatch:
    """Looks at actors; `fault` says in one line which one is gone, None as long as all are there."""

    of_process: ClassVar["ActorWatch | None"] = None
    """verl makes the agent loop manager and the sampler in one process, and hands neither the other."""

    def __init__(self, questions: Callable[[], Mapping[str, Question]], *, grace_s: float | None = None) -> None:
        """Keep the parts.

        Args:
            questions: by name what to ask of whom now; asked anew at each look, since servers come and go.
            grace_s: `mrt.stall_timeout_s`, seconds that a run may take to end by itself once a fault is known, and to
                hand over weights or prompts; None for as long as it takes.
        """
        self._grace_s = grace_s
        self.fault: str | None = None
        self._questions = questions
        self._looked_at, self._is_told = time.monotonic(), False
        self._asked: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Look every `LOOK_S` seconds from now on."""
        threading.Thread(target=self._run, daemon=True, name="mrt-actor-watch").start()

    def stop(self) -> None:
        self._stopped.set()

    def looked_for_rollouts(self) -> None:
        """The trainer did, just now."""
        self._looked_at, self._is_told = time.monotonic(), False

    def confirm(self) -> str | None:
        """The fault, looked for now: twice, so that an actor which was taken away on purpose is none."""
        if self.fault is None and (first := self._look()) is not None:
            time.sleep(AGAIN_S)
            self.fault = first if self._look() is not None else None
        return self.fault

    def _run(self) -> None:
        known_at, handing_since = None, None
        while not self._stopped.wait(LOOK_S):
            self.confirm()
            now = time.monotonic()
            if self.fault is not None and known_at is None:
                logger.error("%s: the run ends when its trainer next waits for rollouts", self.fault)
                known_at = now
            self._warn_of_long_work(now - self._looked_at)
            what = handed_over()
            handing_since = (handing_since or now) if what is not None else None
            why = self._why_it_hangs(now - (known_at or now), what, now - (handing_since or now))
            if why is not None:
                end_process(why)
                return

    def _why_it_hangs(self, known_s: float, what: str | None, handing_s: float) -> str | None:
        """Why the trainer will not end by itself; None as long as it may.

        Args:
            known_s: seconds since the fault is known, 0 without one.
            what: that it hands over.
            handing_s: seconds for which it has done so.
        """
        limit = self._grace_s if self.fault is None else HANDOVER_S
        fault = "" if self.fault is None else f"{self.fault}; "
        if limit is not None and handing_s >= limit:
            told = f"mrt.stall_timeout_s={limit:g}" if self.fault is None else f"{handing_s:.0f}"
            return f"{fault}the trainer has handed over {what} for {told} seconds, and nobody takes them"
        if self.fault is not None and self._grace_s is not None and known_s >= self._grace_s:
            return f"{fault}the trainer did not end within mrt.stall_timeout_s={self._grace_s:g}"
        return None

    def _warn_of_long_work(self, seconds: float) -> None:
        """One warning where the trainer has not looked for rollouts for so long."""
        if self._grace_s is not None and seconds >= self._grace_s and not self._is_told:
            self._is_told = True
            logger.warning(
                "the trainer has not looked for rollouts for mrt.stall_timeout_s=%g seconds: it updates or saves for "
                "that long, or one of its processes hangs; nothing ends the run here",
                self._grace_s,
            )

    def _look(self) -> str | None:
        try:
            with self._lock:
                return self._fault_now()
        except ActorDiedError as error:
            return f"the load balancer of the engine's servers died: {_told(error)}"
        except Exception as error:  # Ray may be shutting down; what cannot be asked is no fault
            logger.debug("a look at the actors failed: %r", error)
            return None

    def _fault_now(self) -> str | None:
        questions = self._questions()
        # an actor that has not answered yet is not asked twice
        self._asked = {name: ref for name, ref in self._asked.items() if name in questions}
        for name, (actor, question) in questions.items():
            if name not in self._asked:
                self._asked[name] = actor.__ray_call__.remote(question)
        ray.wait(list(self._asked.values()), num_returns=len(self._asked), timeout=ANSWER_S)
        faults = {name: self._answer(name) for name in list(self._asked)}
        return next((f"{name} {fault}" for name, fault in faults.items() if fault is not None), None)

    def _answer(self, name: str) -> str | None:
        ready, _ = ray.wait([self._asked[name]], timeout=0)
        if not ready:
            return None
        ref = self._asked.pop(name)
        try:
            said = ray.get(ref)
        except ActorDiedError as error:
            return f"died: {_told(error)}"
        except Exception as error:  # the question failed, or the network did for a moment: nothing is known
            logger.debug("%s could not be asked: %r", name, error)
            return None
        return None if said is None else str(said)


def is_there(actor: Any) -> str | None:
    """The question that any living actor answers."""
    return None


def engine_fault(server: Any) -> str | None:
    """Asked on one of verl's servers: what is wrong with the engine it runs, a vLLM whose core died."""
    engine = getattr(server, "engine", None)
    return "has a dead engine core" if getattr(engine, "errored", False) is True else None


def servers_of(balancer: Any) -> dict[str, Any]:
    """Asked on verl's load balancer: its servers by name; {} on one that keeps them otherwise."""
    return dict(getattr(balancer, "_servers", None) or {})


def questions_of(manager: Any, trainer: Trainer | None = None) -> dict[str, Question]:
    """What to ask of whom on behalf of one of verl's agent loop managers; its first worker hears the trainer by it."""
    found: dict[str, Question] = {
        f"agent-loop worker {number}": (worker, is_there if number or trainer is None else trainer.is_heard)
        for number, worker in enumerate(manager.agent_loop_workers)
    }
    for number, worker in enumerate(manager.reward_loop_worker_handles or ()):
        found[f"reward worker {number}"] = (worker, is_there)
    balancer = getattr(manager.llm_client, "_load_balancer", None)
    if balancer is not None:
        with contextlib.suppress(GetTimeoutError):  # a busy one tells at another look
            servers = ray.get(balancer.__ray_call__.remote(servers_of), timeout=ANSWER_S)
            found |= {f"server {name}": (server, engine_fault) for name, server in servers.items()}
    return found


def handed_over() -> str | None:
    """What a thread of this process hands to servers or agent-loop workers now; it waits until they have it."""
    tops = sys._current_frames().values()
    found = (_handed_over_by(frame) for top in tops for frame, _ in traceback.walk_stack(top))
    return next((what for what in found if what is not None), None)


def _handed_over_by(frame: FrameType) -> str | None:
    """By module: while a coroutine of verl's waits, of its callers only the trainer's hook is on the stack."""
    module, function = str(frame.f_globals.get("__name__")), frame.f_code.co_name
    if module.startswith("verl.checkpoint_engine.") or (
        module.startswith("verl.trainer.") and function == "on_step_end"
    ):
        return "weights"
    return "prompts" if (module, function) == ("mrt_verl.hooks.loop_manager", "generate_sequences") else None


def end_process(why: str) -> None:
    """End this process with exit code 1 and one line, whatever its threads wait for."""
    logger.error("the run cannot go on: %s", why)
    with contextlib.suppress(Exception):
        time.sleep(3)  # Ray takes the line to the driver's console
    os._exit(1)


def _told(error: BaseException) -> str:
    """Ray's account of a death in one line: which process where, and why, the memory monitor for one."""
    return " ".join(str(error).replace(ActorDiedError.BASE_ERROR_MSG, "").split())[:400] or "Ray does not say why"

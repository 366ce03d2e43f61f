"""Faults of the driver, which is `main_ppo` itself: killed, stopped, or told to end by Ctrl-C or by a scheduler."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.case import PATIENCE, Case, Seen
from tests.faults.trainings import START_S, ended, finished, training

STOPPED_S, LONG_STEPS = 45, 80
"""Seconds that a stopped driver stays so, longer than mrt.stall_timeout_s here; steps that take longer still."""


def killed(workspace: Path, out: Path) -> Seen:
    """kill -9: nobody is there to tell, and nothing may stay."""
    seen = Seen()
    with training(workspace, out) as one:
        seen.check("the first step is done", one.wait_for(r"step:1 - ", START_S) is not None)
        os.kill(one.process.pid, signal.SIGKILL)
        started = time.monotonic()
        left = one.left(120)
        seen.check(f"no process is left {left or ''}", not left)
        seen.what = f"all processes gone after {time.monotonic() - started:.0f} s"
    return seen


def told_to_end(number: signal.Signals) -> Callable[[Path, Path], Seen]:
    """A case: it ends at once and leaves nothing; the same command goes on from the last step that was saved."""

    def run(workspace: Path, out: Path) -> Seen:
        seen = Seen()
        with training(workspace, out, "trainer.save_freq=1") as one:
            seen.check("the second step is done", one.wait_for(r"step:2 - ", START_S) is not None)
            started = time.monotonic()
            os.kill(one.process.pid, number)
            code = ended(one, 60 * PATIENCE)
            seen.told_s = time.monotonic() - started
            seen.check(f"it ended, with an exit code that is not 0 ({code})", code not in (None, 0))
            left = one.left(60)
            seen.check(f"no process is left {left or ''}", not left)
            gone_s = time.monotonic() - started
        with training(workspace, out, "trainer.save_freq=1") as again:
            resumed = again.wait_for(r"Resuming from \S*global_step_\d+", START_S) is not None
            seen.check("it resumes", resumed)
            step = max(map(int, re.findall(r"Resuming from \S*global_step_(\d+)", again.log)), default=0)
            seen.check(f"from step 1, 2 or 3 ({step})", 1 <= step <= 3)
            finished(again, seen)
        seen.what = f"exit code {code}, all processes gone after {gone_s:.0f} s; resumed from step {step}"
        return seen

    return run


def stopped(workspace: Path, out: Path) -> Seen:
    """SIGSTOP, which is what Ctrl-Z does: what trains is in other processes, and the driver prints what they said."""
    seen = Seen()
    with training(workspace, out, "mrt.stall_timeout_s=20", f"trainer.total_training_steps={LONG_STEPS}") as one:
        seen.check("the first step is done", one.wait_for(r"step:1 - ", START_S) is not None)
        os.kill(one.process.pid, signal.SIGSTOP)
        before = steps_logged(out)
        time.sleep(STOPPED_S)
        meanwhile = steps_logged(out) - before
        seen.check(f"steps while it was stopped ({meanwhile})", meanwhile > 0)
        seen.check("and not the last", steps_logged(out) < LONG_STEPS)
        os.kill(one.process.pid, signal.SIGCONT)
        finished(one, seen, LONG_STEPS)
        seen.check("nothing was told of a stall", "for mrt.stall_timeout_s=" not in one.log)
        seen.check(f"metrics of {LONG_STEPS} steps", steps_logged(out) == LONG_STEPS)
    seen.what = f"{meanwhile} steps in the {STOPPED_S} s that it was stopped, {LONG_STEPS} in all"
    return seen


def steps_logged(out: Path) -> int:
    """Lines that verl has written to its metrics file."""
    path = out / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


CASES = (
    Case("driver_killed", "kill -9 of the driver", "rollout", "nothing is left", killed),
    Case("driver_stopped", "SIGSTOP of the driver, then SIGCONT", "rollout", "goes on", stopped),
    Case(
        *("driver_interrupted", "SIGINT of the driver (Ctrl-C)", "rollout or save"),
        *("ends, nothing is left, resumes", told_to_end(signal.SIGINT)),
        900,
    ),
    Case(
        *("driver_terminated", "SIGTERM of the driver (a scheduler)", "rollout or save"),
        *("ends, nothing is left, resumes", told_to_end(signal.SIGTERM)),
        900,
    ),
)

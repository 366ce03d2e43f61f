"""Faults of a training: who is killed or stopped when, what is full, what a user's function does."""

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.case import PATIENCE, Case, Seen
from tests.faults.moments import during
from tests.faults.training import Training

START_S = 400 * PATIENCE
"""Seconds that a run may take to its first step."""
STEPS = 5


@contextlib.contextmanager
def training(workspace: Path, out: Path, *overrides: str, **how: object) -> Iterator[Training]:
    """A run of some steps that is ended in any case."""
    run = Training(workspace, out, [f"trainer.total_training_steps={STEPS}", *overrides], **how)  # type: ignore[arg-type]
    try:
        yield run
    finally:
        run.end()


def killed(
    kind: str,
    told: str,
    *overrides: str,
    number: signal.Signals = signal.SIGKILL,
    within: float = 90,
    in_update: bool = False,
) -> Callable:
    """A case: a signal to every process of a kind, in a rollout or in an update, ends the run in one line."""
    environment = during("slow_update") if in_update else {}

    def run(workspace: Path, out: Path) -> Seen:
        seen = Seen()
        with training(workspace, out, *overrides, environment=environment) as one:
            seen.check("the first step is done", one.wait_for(r"step:1 - ", START_S) is not None)
            time.sleep(1)
            if in_update:
                seen.check("an update begins", one.wait_for("MOMENT: update", START_S, after=len(one.log)) is not None)
            hit(one, seen, kind, told, number, within)
        return seen

    return run


def hit(
    run: Training, seen: Seen, kind: str, told: str, number: signal.Signals = signal.SIGKILL, within: float = 90
) -> None:
    """A signal to every process of a kind now; the run must tell in a line that matches, and end by itself."""
    after, steps = len(run.log), run.steps
    seen.check(f"there is a {kind}", run.signal(kind, number) > 0)
    seen.told_s = run.wait_for(told, within * PATIENCE, after=after)
    seen.check(f"told within {within:g} s: {told}", seen.told_s is not None)
    code = ended(run, 120 * PATIENCE)
    seen.check("the run ended by itself, with an exit code that is not 0", code not in (None, 0))
    left = run.left(30)
    seen.check(f"no process is left {left or ''}", not left)
    seen.what = f"exit code {code} in step {steps + 1}: {line_of(run.log[after:], told)}"


def ended(run: Training, seconds: float) -> int | None:
    """Its exit code; None if it is still running."""
    try:
        return run.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def line_of(log: str, told: str) -> str:
    """The line that tells, for the table."""
    found = next((line for line in log.splitlines() if re.search(told, line)), "nothing was told")
    return re.sub(r"\([\w:]+ pid=\d+\)\s*", "", found)[:200]


def finished(run: Training, seen: Seen, steps: int = STEPS) -> None:
    """It went on to its last step, and left nothing."""
    code = ended(run, START_S)
    seen.check(f"exit code 0, and {steps} steps ({code}, {run.steps})", (code, run.steps) == (0, steps))
    left = run.left(30)
    seen.check(f"no process is left {left or ''}", not left)


def killed_while_saving(workspace: Path, out: Path) -> Seen:
    """Everything is killed while step 2 is saved; then the same command again, and what it advises."""
    seen = Seen()
    save = ["trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=1"]
    with training(workspace, out, *save) as one:
        until = time.monotonic() + START_S
        half = out / "checkpoints" / "global_step_2" / "actor"
        while time.monotonic() < until and not any(half.glob("model_*.pt")):
            time.sleep(0.005)
        one.end()
    said = sorted(f"{path.name} {path.stat().st_size}" for path in half.glob("*"))
    if (out / "metrics.jsonl").exists():  # verl's logger empties it
        (out / "metrics.jsonl").rename(out / "metrics_before.jsonl")
    started = time.monotonic()
    with training(workspace, out, *save) as again:
        told = again.wait_for("the newest whole|no checkpoint there is whole", 60 * PATIENCE)
        code = None if told is None else ended(again, 60 * PATIENCE)
        refusal = re.search(r"reward_model=mrt: .*", again.log)
        if refusal:
            seen.told_s = time.monotonic() - started
            seen.check(f"refused with an exit code that is not 0 ({code})", code not in (None, 0))
        else:
            finished(again, seen)
        seen.what = f"{'; '.join(said)}: {refusal[0][:300] if refusal else f'resumed, {again.steps} steps'}"
    if refusal and (advised := re.search(r"trainer\.resume_from_path=(\S+),", refusal[0])):
        path = ["trainer.resume_mode=resume_path", f"trainer.resume_from_path={advised[1]}"]
        with training(workspace, out, *save, *path) as resumed:
            resumed.wait_for(r"step:\d+ - ", START_S)
            finished(resumed, seen)
            seen.what += f"; as advised: {resumed.steps} steps"
    return seen


def two_runs(workspace: Path, out: Path) -> Seen:
    """The same command again while the first one runs."""
    seen = Seen()
    with training(workspace, out, "trainer.save_freq=1") as first:
        first.wait_for(r"step:1 - ", START_S)
        started = time.monotonic()
        with training(workspace, out, "trainer.save_freq=1") as second:
            code = ended(second, 120 * PATIENCE)
            told = re.search(r"reward_model=mrt: .* is in use by process \d+.*", second.log)
        seen.told_s = time.monotonic() - started if told else None
        seen.check(f"the second is refused, exit code {code}", bool(told) and code not in (None, 0))
        seen.check("the first is alive", first.process.poll() is None)
        finished(first, seen)
        lines = (out / "metrics.jsonl").read_text().count("\n")
        seen.check(f"its metrics are whole ({lines} lines)", lines >= STEPS)
        seen.what = told[0][:200] if told else "nothing was told"
    return seen


def actor_stopped(workspace: Path, out: Path) -> Seen:
    """SIGSTOP of what trains, told after mrt.stall_timeout_s; it computes no longer than that, but it might."""
    seen = Seen()
    with training(workspace, out, "mrt.stall_timeout_s=20") as one:
        seen.check("the first step is done", one.wait_for(r"step:1 - ", START_S) is not None)
        after = len(one.log)
        seen.check("there is an actor", one.signal("actor", signal.SIGSTOP) > 0)
        seen.told_s = one.wait_for(LONG, 90 * PATIENCE, after=after)
        seen.check(f"told within 90 s: {LONG}", seen.told_s is not None)
        seen.what = line_of(one.log[after:], LONG)
        one.signal("actor", signal.SIGCONT)
        finished(one, seen)
    seen.what += f"; continued: {one.steps} steps"
    return seen


LONG = r"has not looked for rollouts for mrt\.stall_timeout_s=20"
ENGINE = r"has a dead engine core"
SILENT = r"the trainer's process \d+ has not run for mrt\.stall_timeout_s=20"
STALL, STOP = ("mrt.stall_timeout_s=20",), signal.SIGSTOP
STALLED = r"(no rollout has finished|has handed over \w+) for mrt\.stall_timeout_s=20"
"""Which of them depends on where in its step the trainer was."""
CASES = (
    Case(
        "engine_killed", "kill -9 of vLLM's engine core", "rollout", "ends in one line", killed("engine core", ENGINE)
    ),
    Case(
        *("agent_loop_killed", "kill -9 of an agent-loop worker", "rollout", "ends in one line"),
        killed("agent-loop worker", r"agent-loop worker \d+ died"),
    ),
    Case(
        *("reward_killed", "kill -9 of a reward worker", "rollout", "ends in one line"),
        killed("reward worker", r"reward worker \d+ died"),
    ),
    Case(
        *("engine_stopped", "SIGSTOP of vLLM's engine core", "rollout", "ends after mrt.stall_timeout_s=20"),
        killed("engine core", STALLED, *STALL, number=STOP),
    ),
    Case(
        *("agent_loop_stopped", "SIGSTOP of an agent-loop worker", "rollout", "ends after mrt.stall_timeout_s=20"),
        killed("agent-loop worker", STALLED, *STALL, number=STOP),
    ),
    Case(
        *("reward_stopped", "SIGSTOP of a reward worker", "rollout", "ends after mrt.stall_timeout_s=20"),
        killed("reward worker", STALLED, *STALL, number=STOP),
    ),
    Case(
        *("actor_killed", "kill -9 of the trainer's actor", "rollout", "ends with what Ray says"),
        killed("actor", r"ActorDiedError|died unexpectedly"),
    ),
    Case("actor_stopped", "SIGSTOP of the trainer's actor", "update", "told; goes on with it", actor_stopped),
    Case(
        *("trainer_killed", "kill -9 of the process of the trainer's loop", "rollout", "ends with what Ray says"),
        killed("trainer", r"ActorDiedError|died unexpectedly"),
    ),
    Case(
        *("trainer_stopped", "SIGSTOP of the process of the trainer's loop", "rollout"),
        *(
            "killed after mrt.stall_timeout_s=20 and a minute",
            killed("trainer", SILENT, *STALL, number=STOP, within=150),
        ),
    ),
    Case(
        *("engine_killed_in_update", "kill -9 of vLLM's engine core", "update", "ends in one line"),
        killed("engine core", ENGINE, in_update=True),
    ),
    Case(
        *("agent_loop_killed_in_update", "kill -9 of an agent-loop worker", "update", "ends in one line"),
        killed("agent-loop worker", r"agent-loop worker \d+ died", in_update=True),
    ),
    Case(
        *("killed_while_saving", "kill -9 of everything", "save"),
        *("resumes, or names the newest whole step and resumes from it", killed_while_saving),
        1200,
    ),
    Case(
        "two_runs", "the same command a second time", "training", "the second is refused, the first goes on", two_runs
    ),
)

"""Faults of a disk, and of a user's reward function, in a training."""

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.case import PATIENCE, Case, Seen
from tests.faults.training import Training
from tests.faults.trainings import START_S, STEPS, ended, finished, hit, line_of, training

FUNCTION = """
import os, time, zlib

def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    kind = zlib.crc32(solution_str.encode()) % 40
    if kind == 0:
        time.sleep(1000)
    if kind == 1:
        os._exit(3)
    if kind == 2:
        print(("y" * 999 + "\\n") * 10_000)
    return float(str(ground_truth) in solution_str[-40:])
"""
SLOW_FUNCTION = """
import pathlib, time

HERE = pathlib.Path(__file__).parent

def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    if (HERE / "slow").exists():
        (HERE / "grading").touch()
        time.sleep(2)
    return float(str(ground_truth) in solution_str[-40:])
"""
"""Takes two seconds an answer while there is a file `slow`, and says so by a file `grading`."""


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Callable[[], None]]:
    """A file system of 64 KB, nearly full; where none can be mounted, the yielded call takes `place` away."""
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        yield lambda: (place.rename(place.with_name("before")), place.write_text(""), None)[-1]
        return
    try:
        (place / "filler").write_bytes(b"x" * 60_000)
        yield lambda: None
    finally:
        subprocess.run(["umount", str(place)])


def disk_and_function(workspace: Path, out: Path) -> Seen:
    """The trace directory is full; a function sleeps for ever, exits, or prints 10 MB, each on 2.5 % of the answers."""
    seen, path = Seen(), out / "score.py"
    out.mkdir(parents=True)
    path.write_text(FUNCTION)
    overrides = ["mrt.outcome=compute_score", f"reward.custom_reward_function.path={path}", "mrt.grade_timeout_s=3"]
    with (
        small_disk(out / "small") as take_away,
        training(workspace, out, f"mrt.trace_dir={out}/small/traces", *overrides) as one,
    ):
        one.wait_for(r"step:1 - ", START_S)
        take_away()
        finished(one, seen)
        warnings = re.findall(r"jsonl cannot be written \([^)]*\)", one.log)
        seen.check(f"one warning of the disk ({len(warnings)})", len(warnings) == 1)
        for told in ("gradings timed out", "grading processes died", "prints more than"):
            seen.check(f"told: {told}", told in one.log)
        size = one.log_path.stat().st_size / 2**20
        seen.check(f"the log has less than 5 MB ({size:.1f})", size < 5)
        lost = sum(one.metric("mrt/grade_timeouts")) + sum(one.metric("mrt/grade_errors"))
        restarts = sum(one.metric("mrt/grade_restarts"))
        told = f"{lost:.0f} answers left out, {restarts:.0f} restarts, {size:.1f} MB of log"
        seen.what = f"{one.steps} steps; {''.join(warnings[:1])}; {told}"
    return seen


FULL = r"No space left|iostream error|File exists|Not a directory"
"""What Python says of a full disk, what torch does, and what a file in a directory's place looks like."""


def checkpoint_disk_full(workspace: Path, out: Path) -> Seen:
    """No room for the checkpoint of step 1: the run ends; with room the same command starts anew and goes on."""
    seen = Seen()
    save = ["trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=1"]
    with small_disk(out / "checkpoints") as take_away, training(workspace, out, *save) as one:
        take_away()
        warned = one.wait_for(r"has [\d.]+ MB left, and a checkpoint of this model takes", START_S)
        seen.check("the lack of room was told at the start", warned is not None)
        seen.told_s = one.wait_for(FULL, START_S)
        code = ended(one, 120 * PATIENCE)
        seen.check(f"the run ended by itself, exit code {code}", code not in (None, 0))
        seen.check("it was told", seen.told_s is not None)
        left = one.left(30)
        seen.check(f"no process is left {left or ''}", not left)
        seen.what = f"exit code {code} in step {one.steps + 1}: {line_of(one.log, FULL)}"
        tracker = out / "checkpoints" / "latest_checkpointed_iteration.txt"
        seen.check("no step is named as saved", not tracker.is_file() or not tracker.read_text().strip())
    with training(workspace, out, *save, f"trainer.default_local_dir={out}/room") as again:
        finished(again, seen)
    return seen


@contextlib.contextmanager
def grading(workspace: Path, out: Path, seen: Seen) -> Iterator[Training]:
    """A training in the middle of a grading of its second step or a later one; from then on gradings are fast."""
    out.mkdir(parents=True)
    (out / "score.py").write_text(SLOW_FUNCTION)
    function = ["mrt.outcome=compute_score", f"reward.custom_reward_function.path={out}/score.py"]
    with training(workspace, out, *function, "mrt.grade_timeout_s=60") as one:
        seen.check("the first step is done", one.wait_for(r"step:1 - ", START_S) is not None)
        (out / "slow").touch()
        until = time.monotonic() + 60 * PATIENCE
        while not (out / "grading").exists() and time.monotonic() < until:
            time.sleep(0.05)
        seen.check("an answer is being graded", (out / "grading").exists())
        (out / "slow").unlink()
        yield one


def reward_killed_in_grading(workspace: Path, out: Path) -> Seen:
    """kill -9 of a reward worker while it waits for a grade."""
    seen = Seen()
    with grading(workspace, out, seen) as one:
        hit(one, seen, "reward worker", r"reward worker \d+ died")
    return seen


def grader_killed(workspace: Path, out: Path) -> Seen:
    """kill -9 of the children that grade: others take their answers, none is lost."""
    seen = Seen()
    with grading(workspace, out, seen) as one:
        killed = one.signal("grading worker", signal.SIGKILL)
        seen.check("there are grading workers", killed > 0)
        finished(one, seen)
        restarts, errors = (sum(one.metric(f"mrt/grade_{name}")) for name in ("restarts", "errors"))
        seen.check(f"they were started anew ({restarts:.0f})", restarts >= 1)
        seen.check(f"every answer got its grade ({errors:.0f} errors)", errors == 0)
        rollouts = one.metric("mrt/rollouts")
        seen.check(f"every rollout came {rollouts}", rollouts == [16.0] * STEPS)
        seen.what = (
            f"{killed} killed, {restarts:.0f} started anew, {errors:.0f} answers without a grade; {one.steps} steps"
        )
    return seen


CASES = (
    Case(
        *("reward_killed_in_grading", "kill -9 of a reward worker", "grading", "ends in one line"),
        reward_killed_in_grading,
    ),
    Case(
        *("grader_killed", "kill -9 of the children that grade", "grading", "goes on, every answer gets its grade"),
        grader_killed,
    ),
    Case(
        *("checkpoint_disk_full", "the disk of the checkpoints is full", "save"),
        *("ends with the disk's error; with room it trains", checkpoint_disk_full),
        900,
    ),
    Case(
        *("disk_and_function", "mrt.trace_dir is full; a reward function sleeps, exits and prints 10 MB"),
        *("all steps", "goes on, each told once, log bounded", disk_and_function),
    ),
)

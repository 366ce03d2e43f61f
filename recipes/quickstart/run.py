"""The quickstart after the install: data, one training run an arm, and the page that compares them.

What is there is kept: a killed run goes on from its last checkpoint, a finished one is not repeated.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from recipes.quickstart.arms import DEVICE, OUT, STEPS, directory_of, overrides_of, parse_arms
from recipes.quickstart.follow import clock_text, follow
from recipes.quickstart.prepare import prepare_quickstart

LAST_LINES = 40
"""Of a failed trainer's output."""


def main() -> None:
    """Everything, by the environment's QUICKSTART_STEPS and QUICKSTART_ARMS."""
    if DEVICE == "cpu":
        os.environ["VERL_PLATFORM"] = "cpu"  # for the trainer, and for the engine of the evaluation in this process
    # Ray runs its workers at a niceness of 15, which on a machine that does anything else is a standstill
    os.environ.setdefault("RAY_worker_niceness", "0")
    steps = int(os.environ.get("QUICKSTART_STEPS") or STEPS)
    arms = parse_arms(os.environ["QUICKSTART_ARMS"])
    started = time.monotonic()
    prepare_quickstart(OUT)
    for arm in arms:
        train(arm, steps)
    print("evaluation on held-out problems", flush=True)
    from recipes.quickstart.report import main as report  # its imports take seconds, in which nothing would be seen

    report(OUT, arms, problems=256 if steps == STEPS else 64, recorded=steps == STEPS and DEVICE == "cpu")
    print(f"took {clock_text(time.monotonic() - started)} after the install", flush=True)


def train(arm: str, steps: int) -> None:
    """One run of verl's trainer, followed in a line a step.

    Raises:
        SystemExit: it failed; the end of its output is shown.
    """
    run = directory_of(arm)
    if finished(run, steps):
        print(f"{arm}: trained already, {run}/checkpoints", flush=True)
        return
    (run / "logs").mkdir(parents=True, exist_ok=True)
    log = run / "train.log"
    print(
        f"{arm}: training, {steps} steps; verl, Ray and vLLM take a minute to start; all output is in {log}", flush=True
    )
    environment = {**os.environ, "VERL_FILE_LOGGER_PATH": str(run / "logs" / f"{int(time.time())}.jsonl")}
    command = [sys.executable, "-m", "verl.trainer.main_ppo", "--config-dir", "recipes", *overrides_of(arm, steps)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as trainer:
        assert trainer.stdout is not None
        follow(trainer.stdout, log, steps)
    if trainer.returncode:
        print("".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-LAST_LINES:]), end="", file=sys.stderr)
        raise SystemExit(f"{arm}: the trainer ended with status {trainer.returncode}; all its output is in {log}")


def finished(run: Path, steps: int) -> bool:
    """Whether a run has its last checkpoint."""
    latest = run / "checkpoints/latest_checkpointed_iteration.txt"
    return latest.exists() and latest.read_text().strip() == str(steps)


if __name__ == "__main__":
    main()

"""Seconds until a wrong run is told, from the command line to the exit: `python -m tests.benchmarks.wrong_runs`.

Each is a process of its own, `python -m verl.trainer.main_ppo reward_model=mrt …`, as a user starts it. Also prints how
many lines came, whether a traceback was among them, and the last one.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from tests.builders import ROW, SMALL
from tests.fakes import toy_tokenizer

MAIN = "verl.trainer.main_ppo"
RUNS: tuple[tuple[str, tuple[str, ...], dict[str, str]], ...] = (
    (MAIN, ("mrt.alfa=1",), {}),
    (MAIN, ("+mrt.alfa=1",), {}),
    (MAIN, ("mrt.branches=two",), {}),
    (MAIN, ("reward_model=mrt_online",), {}),
    (MAIN, ("actor_rollout_ref.rollout.n=1",), {}),
    (MAIN, ("actor_rollout_ref.model.path=/no/such/model",), {}),
    (MAIN, ("data.train_files=/no/such.parquet",), {}),
    (MAIN, ("mrt.outcome=compute_score", "reward.custom_reward_function.path=/no/score.py"), {}),
    (MAIN, ("mrt.trace_dir=/proc/nowhere",), {}),
    (MAIN, ("algorithm.adv_estimator=grpo",), {}),
    (MAIN, ("trainer.use_v1=False",), {}),
    (MAIN, (), {"VERL_PLATFORM": ""}),
    (MAIN, (), {"RAY_ADDRESS": "127.0.0.1:1"}),
    ("verl.experimental.fully_async_policy.fully_async_main", (), {}),
    ("verl.experimental.one_step_off_policy.main_ppo", (), {}),
)
"""(module, overrides, environment); each changes one thing of a run that would start."""


def good_words(directory: Path) -> list[str]:
    """Overrides of a run that would start, with a model and data in `directory`."""
    toy_tokenizer().save_pretrained(directory)
    pd.DataFrame([ROW] * 3).to_parquet(directory / "train.parquet")
    return [
        "reward_model=mrt",
        *("actor_rollout_ref.rollout.name=vllm", "actor_rollout_ref.rollout.n=4"),
        f"actor_rollout_ref.model.path={directory}",
        *(f"data.{key}_files={directory}/train.parquet" for key in ("train", "val")),
        "actor_rollout_ref.rollout.dtype=float32",
        *SMALL,
    ]


def main() -> None:
    """Run each of RUNS and print a row of the table."""
    print("| seconds | exit code | lines | traceback | run | told |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        words = good_words(Path(directory))
        for module, overrides, environment in RUNS:
            named = words[1:] if any(word.startswith("reward_model=") for word in overrides) else words
            command = [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                module,
                *named,
                *overrides,
                f"hydra.run.dir={directory}/run",
            ]
            started = time.perf_counter()
            result = subprocess.run(
                command,
                env={**os.environ, "VERL_PLATFORM": "cpu", **environment},
                capture_output=True,
                text=True,
                timeout=600,
            )
            seconds = time.perf_counter() - started
            lines = [line for line in result.stderr.splitlines() if line.startswith("reward_model=mrt: ")]
            shown = [module.rpartition(".")[2], *overrides, *(f"{key}={value}" for key, value in environment.items())]
            told = lines[-1].removeprefix("reward_model=mrt: ") if lines else "nothing"
            has_traceback = "Traceback" in result.stdout + result.stderr
            print(
                f"| {seconds:.1f} | {result.returncode} | {len(lines)} | {'yes' if has_traceback else 'no'} | "
                f"`{' '.join(shown)}` | {told[:100]} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Runs or resumes the study: every arm and seed in turn, then its evaluation; what is finished is skipped.

outputs/study/{model,data}           one warm start for all, problems of their own seed
outputs/study/runs/ARM-SEED/         logs/, checkpoints/, done (after the last step)
outputs/study/evaluation/ARM-SEED/   traces and forced answers on the held-out problems
recipes/study/results/summary.json   see recipes.study.summary
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from recipes.quickstart.prepare import prepare
from recipes.study.arms import ARMS, COMMON, seeds_of

OUT = Path("outputs/study")
PROBLEM_SEED = 11
"""Of warm start and problems; the quickstart, on which settings were tuned, has another."""
BUDGETS = "160,320"
"""The training budget and twice it, the latter by forced extrapolation."""


def train(arm: str, seed: int, steps: int) -> None:
    """One run of verl's trainer; a killed one goes on from its last checkpoint.

    Raises:
        SystemExit: the run failed; names its log.
    """
    run = OUT / "runs" / f"{arm}-{seed}"
    done = run / f"done-{steps}"
    if done.exists():
        print(f"{run.name}: {steps} steps are done", flush=True)
        return
    (run / "logs").mkdir(parents=True, exist_ok=True)
    log = run / "train.log"
    overrides = [
        *(*COMMON, *ARMS[arm]),
        *(f"data.train_files={OUT}/data/train.parquet", f"data.val_files={OUT}/data/test.parquet"),
        *(f"actor_rollout_ref.model.path={OUT}/model", f"data.seed={seed}", f"actor_rollout_ref.rollout.seed={seed}"),
        *(f"actor_rollout_ref.actor.data_loader_seed={seed}", f"trainer.total_training_steps={steps}"),
        *(f"trainer.default_local_dir={run}/checkpoints", f"trainer.experiment_name={run.name}"),
    ]
    if "~mrt" not in overrides:
        overrides.append("mrt.trace_dir=null")
    environment = {**os.environ, "VERL_PLATFORM": "cpu"}
    environment["VERL_FILE_LOGGER_PATH"] = str(run / "logs" / f"{int(time.time())}.jsonl")
    command = [sys.executable, "-m", "verl.trainer.main_ppo", "--config-dir", "recipes", *overrides]
    print(f"{run.name}: training, output in {log}", flush=True)
    with log.open("ab") as file:
        status = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT).returncode
    if status:
        raise SystemExit(f"{run.name}: the trainer ended with status {status}; see {log}")
    done.touch()


def evaluate(arm: str, seed: int, problems: int) -> None:
    """Held-out traces of a run's last checkpoint, with J from eight plain samples for every arm alike."""
    name = f"{arm}-{seed}"
    command = [
        *(sys.executable, "-m", "mrt_verl.evaluation", "run"),
        *("--model", f"{name}={OUT}/runs/{name}/checkpoints", "--data", f"{OUT}/data/test.parquet"),
        *("--budgets", BUDGETS, "--out", f"{OUT}/evaluation", "--traces", "4", "--problems", str(problems)),
        *("--insertions", "4", "--insertion-tokens", "40", "--settings", "recipes/quickstart/train.yaml"),
        *("--set", "mrt.prover=sample", "mrt.branches=8", "mrt.trace_dir=null"),
    ]
    subprocess.run(command, env={**os.environ, "VERL_PLATFORM": "cpu"}, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=120, help="updates of every run (120)")
    parser.add_argument("--seeds", type=int, help="seeds of every arm (5 of grpo and mrt, 3 of the others)")
    parser.add_argument("--problems", type=int, default=512, help="held-out problems that are evaluated (512)")
    parser.add_argument(
        "--arms", nargs="+", default=list(ARMS), choices=list(ARMS), metavar="ARM", help=", ".join(ARMS)
    )
    arguments = parser.parse_args()
    prepare(OUT, PROBLEM_SEED)
    # seed by seed, so that a study cut short still compares all arms
    for seed in seeds_of("grpo", arguments.seeds):
        for arm in arguments.arms:
            if seed in seeds_of(arm, arguments.seeds):
                train(arm, seed, arguments.steps)
                evaluate(arm, seed, arguments.problems)


if __name__ == "__main__":
    main()

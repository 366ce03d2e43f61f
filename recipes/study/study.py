"""Runs or resumes the study: every arm and seed in turn, then its evaluation; what has a result is skipped.

recipes/study/warm_start/                  the one model that all runs start from; made anew if it is not there
outputs/study/data                         problems of their own seed
outputs/study/runs/ARM-SEED/               logs/, checkpoints/; a killed run goes on from its last checkpoint
outputs/study/evaluation-N-steps/ARM-SEED/ traces and forced answers on the held-out problems
recipes/study/results/vVERSION/runs/       what is kept of it (recipes.study.result), apart for each version of the task
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

from data_prep.search_task import VERSION, TraceStyle
from mrt_verl.evaluation import EvaluationConfig, evaluate
from mrt_verl.evaluation.load import load_runs
from mrt_verl.evaluation.settings import read_settings
from recipes.quickstart.arms import seed_overrides
from recipes.quickstart.make_model import Stages
from recipes.quickstart.prepare import prepare
from recipes.quickstart.report import merge_logs
from recipes.study.arms import ARMS, COMMON, seeds_of
from recipes.study.result import collect

OUT = Path("outputs/study")
STEPS = 150
WARM_START = Path("recipes/study/warm_start")
"""Kept in the repository: made anew from the same seed on another kind of processor it is another model."""
STAGES: Stages = ((7000, TraceStyle(hit=0.3)),)
"""Its training: long enough that sums and verdicts are right, so that thinking pays from the first update on."""
PROBLEM_SEED = 11
"""Of warm start and problems; the quickstart, on which settings were tuned, has another."""
BUDGET = 160
"""Response tokens, in training and evaluation."""
INSERTIONS, INSERTION_TOKENS = 4, 40
"""Forced extrapolation beyond a trace's end: up to BUDGET more tokens."""


def results_of(steps: int) -> Path:
    """Where the results of a study of that length and of this task are; only the full one is kept in the repository."""
    return Path(f"recipes/study/results/v{VERSION}") if steps == STEPS else OUT / f"results-{steps}-steps"


def evaluation_of(steps: int) -> Path:
    """Where the traces of models with that many updates are."""
    return OUT / f"evaluation-{steps}-steps"


def place() -> str:
    """A name for this checkout: times of its runs can be compared, those of another may come from another machine."""
    path = OUT / "place"
    if not path.exists():
        path.write_text(uuid4().hex[:8])
    return path.read_text()


def overrides_of(arm: str, seed: int, steps: int) -> list[str]:
    """What a run's trainer is started with."""
    run = OUT / "runs" / f"{arm}-{seed}"
    overrides = [
        *(*COMMON, *ARMS[arm]),
        *(f"data.train_files={OUT}/data/train.parquet", f"data.val_files={OUT}/data/test.parquet"),
        *(f"actor_rollout_ref.model.path={WARM_START}", *seed_overrides(seed)),
        f"trainer.total_training_steps={steps}",
        *(f"trainer.default_local_dir={run}/checkpoints", f"trainer.experiment_name={run.name}"),
    ]
    return overrides if "~mrt" in overrides else [*overrides, "mrt.trace_dir=null"]


def train(name: str, overrides: list[str]) -> None:
    """One run of verl's trainer.

    Raises:
        SystemExit: the run failed; names its log.
    """
    run = OUT / "runs" / name
    (run / "logs").mkdir(parents=True, exist_ok=True)
    log = run / "train.log"
    environment = {**os.environ, "VERL_FILE_LOGGER_PATH": str(run / "logs" / f"{int(time.time())}.jsonl")}
    command = [sys.executable, "-m", "verl.trainer.main_ppo", "--config-dir", "recipes", *overrides]
    print(f"{name}: training, output in {log}", flush=True)
    with log.open("ab") as file:
        status = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.STDOUT).returncode
    if status:
        raise SystemExit(f"{name}: the trainer ended with status {status}; see {log}")
    merge_logs(run)


def evaluate_run(name: str, steps: int, problems: int) -> None:
    """Held-out traces of a run's last checkpoint, with J from plain samples for every arm alike."""
    settings = read_settings([Path("recipes/quickstart/train.yaml")], ["mrt.prover=sample", "mrt.branches=4"])
    evaluate(
        EvaluationConfig(
            models={name: f"{OUT}/runs/{name}/checkpoints/global_step_{steps}"},
            data=OUT / "data/test.parquet",
            budgets=[BUDGET],
            out=evaluation_of(steps),
            traces=2,
            problems=problems,
            insertions=INSERTIONS,
            insertion_tokens=INSERTION_TOKENS,
            settings=settings,
        )
    )


def run_arm(arm: str, seed: int, steps: int, problems: int) -> None:
    """Train, evaluate and keep the result, unless it is there."""
    name = f"{arm}-{seed}"
    result = results_of(steps) / "runs" / f"{name}.json"
    if result.exists():
        print(f"{name}: {result} is there", flush=True)
        return
    started = time.perf_counter()
    overrides = overrides_of(arm, seed, steps)
    train(name, overrides)
    evaluate_run(name, steps, problems)
    (evaluated,) = load_runs([evaluation_of(steps) / name])
    collect(arm, seed, place(), overrides, OUT / "runs" / name / "metrics.jsonl", evaluated).write(result)
    print(f"{name}: {result}, {(time.perf_counter() - started) / 60:.0f} minutes", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS, help="updates of every run (%(default)s)")
    parser.add_argument("--seeds", type=int, help="seeds of every arm (5 of grpo and mrt, 3 of the others)")
    parser.add_argument("--problems", type=int, default=512, help="held-out problems to evaluate (%(default)s)")
    parser.add_argument(
        "--arms", nargs="+", default=list(ARMS), choices=list(ARMS), metavar="ARM", help=", ".join(ARMS)
    )
    arguments = parser.parse_args()
    os.environ["VERL_PLATFORM"] = "cpu"  # for the trainer, and for the engine of the evaluation in this process
    prepare(OUT, PROBLEM_SEED, STAGES, model=WARM_START)
    # seed by seed, so that a study cut short still compares all arms
    for seed in seeds_of("grpo", arguments.seeds):
        for arm in arguments.arms:
            if seed in seeds_of(arm, arguments.seeds):
                run_arm(arm, seed, arguments.steps, arguments.problems)


if __name__ == "__main__":
    main()

"""The fast study: runs of `loop` on one core each, two side by side; the result of each is one JSON file.

    python -m recipes.study.fast tune            every arm at three learning rates, on development problems
    python -m recipes.study.fast run             every arm at its rate, six runs, on held-out problems
    python -m recipes.study.fast run --arms grpo likelihood --seeds 2
    python -m recipes.study.fast summary         the tables and curves.png of what has been run

What has a result is skipped; a killed study goes on where it was. README.md says what was fixed before the runs.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from data_prep.search_task import VERSION, Problem, make_problems
from mrt_verl.evaluation.settings import read_settings
from mrt_verl.settings import MRTSettings
from recipes.quickstart.prepare import rows
from recipes.study.fast.arms import ARMS, MAIN, RATES
from recipes.study.fast.evaluation import evaluate
from recipes.study.fast.loop import Experiment, Loop
from recipes.study.fast.summary import (
    best_rates,
    complete,
    draw,
    read_results,
    table_of_arms,
    table_of_differences,
    tuning_table,
)

RESULTS = Path(f"recipes/study/results/fast-v{VERSION}")
WARM_STARTS = Path("recipes/study/warm_starts")
PROBLEM_SEED = 11
TEST, TRAIN, DEVELOPMENT = slice(0, 256), slice(512, 2304), slice(2304, 2560)
"""Of make_problems(PROBLEM_SEED); the rest made the warm starts."""
TOKENS = 240_000
"""That every run may generate, branches included."""
CURVES = ("tokens", "seconds", "plain_outcome")
"""What is kept of every step; the outcome is that of plain traces, on problems not seen before."""
TUNING_SEEDS, SEEDS = (101,), (1, 2, 3)


@dataclass(frozen=True)
class Job:
    """One run."""

    arm: str
    warm_start: str
    seed: int
    learning_rate: float
    is_tuning: bool

    @property
    def path(self) -> Path:
        """Of its result."""
        name = f"{self.arm}-{self.warm_start}-{self.seed}"
        if self.is_tuning:
            return RESULTS / "tuning" / f"{name}-{self.learning_rate:g}.json"
        return RESULTS / "runs" / f"{name}.json"


def base_settings() -> MRTSettings:
    """The quickstart's, which name the task's markers and a stop text that the warm starts have not seen."""
    return read_settings([Path("recipes/quickstart/train.yaml")], ["mrt.trace_dir=null"])


def run(job: Job) -> str:
    """Train, evaluate and write the result; returns a line about it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    started = time.perf_counter()
    path = WARM_STARTS / job.warm_start
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    arm, problems = ARMS[job.arm], make_problems(PROBLEM_SEED)
    experiment = Experiment(
        settings=replace(base_settings(), **arm.settings),
        seed=job.seed,
        tokens=TOKENS,
        learning_rate=job.learning_rate,
        **arm.experiment,
    )
    log: list[dict[str, float]] = list(Loop(model, tokenizer, experiment).steps(rows(problems[TRAIN], "train")))
    trained = time.perf_counter()
    held_out: Sequence[Problem] = problems[DEVELOPMENT if job.is_tuning else TEST]
    result: dict[str, Any] = {
        "arm": job.arm,
        "warm_start": job.warm_start,
        "seed": job.seed,
        "learning_rate": job.learning_rate,
        "task": VERSION,
        "updates": len(log),
        "tokens": log[-1]["tokens"],
        "seconds": round(trained - started, 1),
        **evaluate(model, tokenizer, base_settings(), held_out, extend=not job.is_tuning),
        "training": {
            key: [round(step.get(key, 0.0), 4) for step in log] for key in ("tokens", "plain_outcome", "seconds")
        },
    }
    job.path.parent.mkdir(parents=True, exist_ok=True)
    job.path.write_text(json.dumps(result) + "\n")
    shown = {key: result[key] for key in ("pass_at_1", "regret", "updates", "think_tokens", "closed")}
    return f"{job.path.stem}: {shown}, {trained - started:.0f} + {time.perf_counter() - trained:.0f} s"


def jobs_of(command: str, arms: Sequence[str], seeds: int | None) -> list[Job]:
    """The runs of a command, seed by seed, so that a study cut short still compares all arms."""
    if command == "tune":
        return [Job(arm, "1", seed, rate, True) for seed in TUNING_SEEDS[:seeds] for arm in arms for rate in RATES]
    warm_starts = sorted(path.name for path in WARM_STARTS.iterdir())
    pairs = [(seed, warm_start) for seed in SEEDS[:seeds] for warm_start in warm_starts]
    rates = best_rates(read_results(RESULTS / "tuning"))
    return [Job(arm, warm_start, seed, rates[arm], False) for seed, warm_start in pairs for arm in arms]


def summarise(arms: Sequence[str]) -> list[str]:
    """The tables, each followed by an empty line; draws curves.png beside the results."""
    lines: list[str] = []
    if (RESULTS / "tuning").exists():
        lines += [*tuning_table(read_results(RESULTS / "tuning"), list(ARMS)), ""]
    if (RESULTS / "runs").exists():
        results = complete(read_results(RESULTS / "runs"), arms)
        lines += [*table_of_arms(results, arms), "", *table_of_differences(results, arms), ""]
        draw(results, arms, RESULTS / "curves.png")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("tune", "run", "summary"))
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--seeds", type=int, help="seeds of every arm (all)")
    parser.add_argument("--workers", type=int, default=2, help="runs side by side (%(default)s)")
    arguments = parser.parse_args()
    if arguments.command == "summary":
        print("\n".join(summarise(arguments.arms or MAIN)))
        return
    arms = arguments.arms or list(ARMS if arguments.command == "tune" else MAIN)
    jobs = [job for job in jobs_of(arguments.command, arms, arguments.seeds) if not job.path.exists()]
    print(f"{len(jobs)} runs to do", flush=True)
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.workers, maxtasksperchild=1) as pool:
        for line in pool.imap_unordered(run, jobs):
            print(line, flush=True)

"""The fast study: runs of `loop` on one core each, two side by side; the result of each is one JSON file.

    python -m recipes.study.fast tune            every arm at two learning rates, on development problems
    python -m recipes.study.fast run             the task's main arms at their rates, six seeds, on held-out problems
    python -m recipes.study.fast run --task two_targets --arms grpo seen --seeds 2
    python -m recipes.study.fast try --arms seen_median --set alpha=0.5
                                                 an arm with other settings or sizes, on development problems
    python -m recipes.study.fast summary         tables of the main arms, or of --arms, over the runs that all of them
                                                 have; of the main arms the pictures as well
    python -m recipes.study.fast warm-start      the models that runs start from, where they are not there

What has a result is skipped; a killed study goes on where it was. README.md says what was fixed before the runs.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from mrt_verl.evaluation.settings import read_settings, read_values
from mrt_verl.settings import MRTSettings
from recipes.quickstart.prepare import rows
from recipes.study.fast.arms import ARMS, RATES, SHOWN, TUNED
from recipes.study.fast.evaluation import BOUNDARIES, evaluate
from recipes.study.fast.loop import Experiment, Loop
from recipes.study.fast.summary import (
    best_rates,
    complete,
    draw,
    read_results,
    table_of_arms,
    table_of_differences,
    table_of_tries,
    tuning_table,
)
from recipes.study.fast.tasks import DEVELOPMENT, PROBLEM_SEED, TASKS, TEST, TRAIN, StudyTask, make_warm_starts

CURVES = ("tokens", "seconds", "plain_outcome")
"""What is kept of every step; the outcome is that of plain traces, on problems not seen before."""
OF_A_STEP = ("prompts", "rollouts", "learning_rate")
"""Of the experiment, which `try --set` may change as well."""
TUNING_SEEDS, SEEDS = (101, 102), (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Job:
    """One run."""

    task: StudyTask
    arm: str
    warm_start: str
    seed: int
    learning_rate: float
    part: str
    """Of the results: `tuning` and `tries` on development problems, `runs` on held-out ones."""
    changes: tuple[str, ...] = ()
    """Settings, sizes of a step and the learning rate, on top of the arm's, KEY=VALUE."""

    @property
    def name(self) -> str:
        """What its arm is called in the results."""
        return ",".join((self.arm, *self.changes))

    @property
    def path(self) -> Path:
        """Of its result."""
        rate = "" if self.part == "runs" else f"-{self.learning_rate:g}"
        return self.task.results / self.part / f"{self.name}-{self.warm_start}-{self.seed}{rate}.json"

    @property
    def experiment(self) -> Experiment:
        """What is trained how."""
        own = dict(read_values(self.changes))
        step = {key: own.pop(key) for key in OF_A_STEP if key in own}
        arm = ARMS[self.arm]
        return Experiment(
            settings=replace(base_settings(), **{**arm.settings, **own}),
            seed=self.seed,
            tokens=self.task.tokens,
            response_tokens=round(arm.room * self.task.response_tokens),
            **{"learning_rate": self.learning_rate, **arm.experiment, **step},
        )


def base_settings() -> MRTSettings:
    """The quickstart's, which name the task's markers and a stop text that the warm starts have not seen.

    The credit is the paper's where an arm names no other.
    """
    return read_settings([Path("recipes/quickstart/train.yaml")], ["mrt.trace_dir=null", "mrt.credit=progress"])


def run(job: Job) -> str:
    """Train, evaluate and write the result; returns a line about it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    started = time.perf_counter()
    task = job.task
    path = task.warm_starts / job.warm_start
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    problems = task.make_problems(PROBLEM_SEED)
    log: list[dict[str, float]] = list(Loop(model, tokenizer, job.experiment).steps(rows(problems[TRAIN], "train")))
    trained = time.perf_counter()
    is_final = job.part == "runs"
    held_out: Sequence[Any] = problems[TEST if is_final else DEVELOPMENT]
    result: dict[str, Any] = {
        "arm": job.name,
        "warm_start": job.warm_start,
        "seed": job.seed,
        "learning_rate": job.experiment.learning_rate,
        "task": task.version,
        "boundaries": BOUNDARIES,
        "updates": len(log),
        "tokens": log[-1]["tokens"],
        "seconds": round(trained - started, 1),
        **evaluate(model, tokenizer, base_settings(), task, held_out, extend=task.extends and is_final),
        "training": {key: [round(step.get(key, 0.0), 4) for step in log] for key in CURVES},
    }
    job.path.parent.mkdir(parents=True, exist_ok=True)
    job.path.write_text(json.dumps(result) + "\n")
    shown = {key: result[key] for key in ("pass_at_1", "regret", "updates", "think_tokens", "closed")}
    return f"{job.path.stem}: {shown}, {trained - started:.0f} + {time.perf_counter() - trained:.0f} s"


def jobs_of(
    command: str,
    task: StudyTask,
    arms: Sequence[str],
    seeds: int | None,
    changes: Sequence[str] = (),
    warm_starts: Sequence[str] = (),
) -> list[Job]:
    """The runs of a command, seed by seed, so that a study cut short still compares all arms."""
    if command == "tune":
        return [
            Job(task, arm, "1", seed, rate, "tuning")
            for seed in TUNING_SEEDS[: seeds or 1]
            for arm in arms
            for rate in RATES
        ]
    warm_starts = warm_starts or sorted(path.name for path in task.warm_starts.iterdir())
    part, known = ("runs", SEEDS[:seeds]) if command == "run" else ("tries", TUNING_SEEDS[: seeds or 1])
    pairs = [(seed, warm_start) for seed in known for warm_start in warm_starts]
    rates = dict.fromkeys(ARMS, task.rate) if task.rate else best_rates(read_results(task.results / "tuning"))
    return [
        Job(task, arm, warm_start, seed, ARMS[arm].rate or rates[ARMS[arm].rate_of or arm], part, tuple(changes))
        for seed, warm_start in pairs
        for arm in arms
    ]


def summarise(
    task: StudyTask, arms: Sequence[str], against: str = "grpo", warm_starts: Sequence[str] = ()
) -> list[str]:
    """The tables of arms, each followed by an empty line; where warm starts are named, of the runs from them alone."""
    lines: list[str] = []
    if (task.results / "tuning").exists():
        lines += [*tuning_table(read_results(task.results / "tuning"), TUNED), ""]
    if (task.results / "tries").exists():
        lines += [*table_of_tries(read_results(task.results / "tries")), ""]
    if (task.results / "runs").exists():
        found = read_results(task.results / "runs")
        results = complete([one for one in found if not warm_starts or one["warm_start"] in warm_starts], arms)
        lines += [*table_of_arms(results, arms), "", *table_of_differences(results, arms, against), ""]
    return lines


def draw_curves(task: StudyTask) -> None:
    """curves.png of the task's arms, and README's shown.png, beside the results."""
    results = complete(read_results(task.results / "runs"), task.arms)
    draw(results, {arm: arm for arm in task.drawn or task.arms}, task.results / "curves.png")
    if set(task.arms) >= set(SHOWN):
        draw(results, SHOWN, task.results / "shown.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("tune", "try", "run", "summary", "warm-start"))
    parser.add_argument("--task", choices=list(TASKS), default="pair")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--seeds", type=int, help="seeds of every arm (one to tune and try, all to run)")
    parser.add_argument("--set", nargs="+", default=(), metavar="KEY=VALUE", help="`try`: on top of an arm's")
    parser.add_argument("--against", default="grpo", choices=list(ARMS), metavar="ARM", help="`summary`: less this arm")
    parser.add_argument("--warm-starts", nargs="+", default=(), metavar="N", help="from these alone")
    parser.add_argument("--workers", type=int, default=2, help="runs side by side (%(default)s)")
    arguments = parser.parse_args()
    task = TASKS[arguments.task]
    if arguments.set and arguments.command != "try":
        parser.error(f"--set with {arguments.command}; allowed: try, which keeps what it finds apart")
    known = {*OF_A_STEP, *(one.name for one in fields(MRTSettings))}
    if unknown := {one.split("=")[0] for one in arguments.set} - known:
        allowed = f"{', '.join(OF_A_STEP)}, a setting of mrt.*; KEY=VALUE"
        parser.error(f"--set {' '.join(sorted(unknown))}; allowed: {allowed}")
    if arguments.command == "warm-start":
        make_warm_starts(task)
        return
    if arguments.command == "summary":
        print("\n".join(summarise(task, arguments.arms or task.arms, arguments.against, arguments.warm_starts)))
        if not arguments.arms and not arguments.warm_starts:
            draw_curves(task)
        return
    arms = arguments.arms or list(TUNED if arguments.command == "tune" else task.arms)
    wanted = jobs_of(arguments.command, task, arms, arguments.seeds, arguments.set, arguments.warm_starts)
    jobs = [job for job in wanted if not job.path.exists()]
    print(f"{len(jobs)} runs to do", flush=True)
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.workers, maxtasksperchild=1) as pool:
        for line in pool.imap_unordered(run, jobs):
            print(line, flush=True)

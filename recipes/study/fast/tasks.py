"""The tasks of the fast study, and how their warm starts were made: `python -m recipes.study.fast warm-start`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep import search_task, two_targets_task
from data_prep.search_task import OTHER_STOP_TEXTS, TraceStyle, format_pair
from recipes.quickstart.make_model import Demonstrate, Stages
from recipes.quickstart.prepare import MADE_BY
from recipes.quickstart.prepare import SEED as PROBLEM_SEED
from recipes.study.fast.arms import LATE, LATE_DRAWN, MAIN

TEST, TRAIN, DEVELOPMENT = slice(0, 256), slice(512, 2304), slice(2304, 2560)
"""Of a task's problems under the quickstart's seed; the rest make the warm starts."""
REST = 2560


def both_orders(problem: search_task.Problem) -> list[str]:
    """The pair as a set, which has two spellings."""
    first, second = problem.solution
    return [format_pair((first, second)), format_pair((second, first))]


def one_spelling(problem: two_targets_task.TwoTargets) -> list[str]:
    """Two numbers in the order of the targets."""
    return [problem.answer]


@dataclass(frozen=True)
class StudyTask:
    """A task, its sizes, and where its models and results are."""

    name: str
    version: int
    make_problems: Callable[[int], Sequence[Any]]
    demonstrate: Demonstrate
    spellings: Callable[[Any], list[str]]
    """Every right answer as it stands in the box: J is the probability of all of them."""
    response_tokens: int
    tokens: int
    """That every run may generate, branches included."""
    stages: Stages
    seeds: tuple[int, ...]
    """Of its warm starts."""
    arms: tuple[str, ...]
    """Of its first table, and of its picture unless `drawn` names others."""
    drawn: tuple[str, ...] = ()
    extends: bool = True
    """Whether traces are extrapolated to twice the budget: the model's context must hold them."""
    rate: float | None = None
    """Learning rate of every arm that names none; None: of each its own, tuned on development problems."""

    @property
    def warm_starts(self) -> Path:
        """One directory for each, named 1, 2, …"""
        return Path("recipes/study/warm_starts") / self.name

    @property
    def results(self) -> Path:
        return Path("recipes/study/results") / f"fast-{self.name}-v{self.version}"


TASKS = {
    one.name: one
    for one in (
        StudyTask(
            name="pair",
            version=search_task.VERSION,
            make_problems=search_task.make_problems,
            demonstrate=search_task.demonstrate,
            spellings=both_orders,
            response_tokens=160,
            tokens=240_000,
            stages=((4500, TraceStyle(hit=0.3, stop_texts=OTHER_STOP_TEXTS)),),
            seeds=(21, 22),
            arms=MAIN,
        ),
        StudyTask(
            name="two_targets",
            version=two_targets_task.VERSION,
            make_problems=two_targets_task.make_problems,
            demonstrate=two_targets_task.demonstrate,
            spellings=one_spelling,
            response_tokens=320,
            tokens=480_000,
            stages=(
                (
                    8000,
                    TraceStyle(
                        max_attempts=14, hit=0.3, stop_early=0.01, wrong_verdict=0.03, stop_texts=OTHER_STOP_TEXTS
                    ),
                ),
            ),
            seeds=(31, 32),
            arms=LATE,
            drawn=LATE_DRAWN,
            extends=False,
            rate=6e-4,
        ),
    )
}


def make_warm_starts(task: StudyTask, to: Path | None = None) -> None:
    """Train what is not there, below `to`; made anew on another kind of processor a warm start is another model."""
    from mrt_verl.whole import whole_directory
    from recipes.quickstart.make_model import warm_start

    problems = task.make_problems(PROBLEM_SEED)[REST:]
    for number, seed in enumerate(task.seeds, start=1):
        directory = (to or task.warm_starts) / str(number)
        if not directory.exists():
            with whole_directory(directory) as partial:
                warm_start(partial, problems, seed=seed, stages=task.stages, demonstrate=task.demonstrate)
                (partial / MADE_BY).write_text(json.dumps(made_by(task, seed), indent=2) + "\n")


def made_by(task: StudyTask, seed: int) -> dict[str, Any]:
    """What a warm start was made of; a quickstart with one of another version of the task is refused."""
    stages = [[steps, asdict(style)] for steps, style in task.stages]
    return {"task": task.name, "task_version": task.version, "seed": seed, "stages": stages}

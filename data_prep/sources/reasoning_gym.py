"""reasoning-gym: procedural tasks of the package `reasoning-gym`, each with a scorer of its own; nothing is downloaded.

Many tasks have more than one right answer, so the outcome is the package's scorer and not a comparison with the
reference: train with `mrt.outcome=compute_score reward.custom_reward_function.path=data_prep/reasoning_gym_score.py`.
What the scorer needs to know of a problem is in `extra_info`.
"""

import argparse
import ast
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from data_prep.problems import DataError, Dropped, Problem, Source, Split

NO_REFERENCE = "(any answer that the scorer of the task accepts)"
"""`ground_truth` of the few tasks that have no reference answer."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", required=True, help="one of the package's tasks, such as chain_sum")
    parser.add_argument("--size", type=int, default=2000, help="problems to generate (default: %(default)s)")
    parser.add_argument(
        "--config", action="append", default=[], metavar="KEY=VALUE", help="a setting of the task; may be repeated"
    )


def read(_: str, options: argparse.Namespace) -> Split:
    """`--size` problems of a task."""
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    tasks = sorted(set(DATASETS) - {"composite"})
    if options.task not in tasks:
        raise DataError(f"--task {options.task}: no such task; allowed: {', '.join(tasks)}")
    if options.size < 1:
        raise DataError(f"--size {options.size}: allowed: a whole number >= 1")
    settings = dict(_setting(text) for text in options.config)
    try:
        dataset = reasoning_gym.create_dataset(options.task, seed=options.seed, size=options.size, **settings)
    except (TypeError, ValueError, AssertionError) as error:
        raise DataError(f"--config {' '.join(options.config)}: {options.task} refuses it: {error}") from error
    origin = {"package": "reasoning-gym", "revision": metadata.version("reasoning-gym"), "task": options.task}
    return Split(_problems(dataset, options), {**origin, "config": settings}, options.size)


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise DataError(f"--config {text}: allowed: KEY=VALUE")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def _problems(dataset: Any, options: argparse.Namespace) -> Iterator[Problem | Dropped]:
    for row in range(options.size):
        entry = dataset[row]
        # repr keeps tuples and whole-number keys, which JSON does not, and some scorers need
        facts = repr(entry["metadata"])
        answer = entry["answer"]
        if answer is not None and dataset.score_answer(answer, {**entry, "metadata": ast.literal_eval(facts)}) != 1.0:
            yield Dropped(row, "answer", "the task's scorer refuses its own answer", str(answer)[:120])
            continue
        extra = {"task": options.task, "answer": answer or "", "metadata": facts}
        yield Problem(entry["question"].strip(), (answer or "").strip() or NO_REFERENCE, row, extra)


SOURCE = Source(
    name="reasoning_gym",
    summary="100 procedural reasoning tasks with their own scorers, offline (package reasoning-gym)",
    data_source="reasoning_gym",
    ability="reasoning",
    splits=("train",),
    read=read,
    add_options=add_options,
    example="--task chain_sum",
    check_answers=False,
    instruction="Put the final answer in \\boxed{}.",
)

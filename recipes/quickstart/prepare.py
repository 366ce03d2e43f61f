"""Makes the quickstart's data, and takes its model from the study's warm starts; what is there already is kept."""

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.schema import make_row, write_parquet
from data_prep.search_task import VERSION, Problem, make_problems
from mrt_verl.whole import whole_directory
from recipes.quickstart.make_model import Stages, warm_start

TEST, TRAIN = 512, 2048
SEED = 11
"""Of the problems; the study's, since its warm start must not have seen those that are trained on and tested."""
WARM_START = Path("recipes/study/warm_starts/pair/1")
"""Kept in the repository: made anew from its seed on another kind of processor it is another model."""
MADE_BY = "made_by.json"
"""In it: what it was made with."""


def rows(problems: Sequence[Problem], split: str) -> list[dict[str, Any]]:
    """verl's rows of one split."""
    return [
        make_row(
            data_source="search_task",
            question=problem.question,
            answer=problem.answer,
            ability="search",
            split=split,
            index=index,
        )
        for index, problem in enumerate(problems)
    ]


def claim(out: Path) -> None:
    """Note the task's version in `out`: problems, models and checkpoints of two versions do not go together.

    Raises:
        SystemExit: `out` holds data of another version.
    """
    path = out / "task_version"
    # the first version noted none
    found = path.read_text().strip() if path.exists() else "1" if (out / "data").exists() else str(VERSION)
    if found != str(VERSION):
        raise SystemExit(f"{out} is of version {found} of the search task, this is version {VERSION}; rm -r {out}")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{VERSION}\n")


def prepare(out: Path, seed: int, stages: Stages, model: Path | None = None) -> None:
    """Write `out`/data and the model (`out`/model); no problem serves two of test, training and warm start.

    Raises:
        SystemExit: what is in `out` is of another version of the task.
    """
    rest = prepare_data(out, seed)
    model = model or out / "model"
    if model.exists():
        print(f"model: {model} is there already", flush=True)
        return
    started = time.perf_counter()
    with whole_directory(model) as partial:
        warm_start(partial, rest, seed=seed, stages=stages)
    print(f"model: {model}, made in {time.perf_counter() - started:.0f} s", flush=True)


def prepare_data(out: Path, seed: int) -> list[Problem]:
    """Write `out`/data; returns the problems that are in neither split, for a warm start.

    Raises:
        SystemExit: what is in `out` is of another version of the task.
    """
    claim(out)
    (out / "logs").mkdir(parents=True, exist_ok=True)
    problems = make_problems(seed)
    test, train, rest = problems[:TEST], problems[TEST : TEST + TRAIN], problems[TEST + TRAIN :]
    for split, part in (("test", test), ("train", train)):
        path = out / "data" / f"{split}.parquet"
        if not path.exists():
            print(f"data: {write_parquet(rows(part, split), path)} problems in {path}", flush=True)
    return rest


def prepare_quickstart(out: Path) -> None:
    """Data, and the warm start of the repository as `out`/model.

    Raises:
        SystemExit: the warm start, or what is in `out`, is of another version of the task.
    """
    made_by = json.loads((WARM_START / MADE_BY).read_text())
    if made_by["task_version"] != VERSION:
        raise SystemExit(
            f"{WARM_START} is of version {made_by['task_version']} of the search task, this is version {VERSION}; "
            f"rm -r {WARM_START}, then python -m recipes.study.fast warm-start"
        )
    prepare_data(out, SEED)
    if not (out / "model").exists():
        with whole_directory(out / "model") as partial:
            shutil.copytree(WARM_START, partial, dirs_exist_ok=True)
        print(f"model: {out / 'model'}, from {WARM_START}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("outputs/quickstart"))
    prepare_quickstart(parser.parse_args().out)

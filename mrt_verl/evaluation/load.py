"""Reads runs for a report and refuses to compare what cannot be compared."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.store import SETTINGS, STARTED, TRACES, describe_differences, get_nested, read_run_settings
from mrt_verl.evaluation.stored import read_records

MUST_AGREE = (
    "format",
    "data.sha256",
    "budgets",
    "grader",
    "mrt.prover",
    "mrt.branches",
    "sampling.direct_answers",
)
"""Settings without which two runs measure different things; what else differs is listed in the report."""


@dataclass(frozen=True, slots=True)
class Run:
    """One model's traces."""

    name: str
    settings: dict[str, Any]
    problems: list[list[TraceRecord]]
    """Per problem its traces, all as many, in the order of the problems' positions in the file."""

    @property
    def budgets(self) -> list[int]:
        """Response tokens at which measures are taken."""
        return list(self.settings["budgets"])


def load_runs(directories: Sequence[Path], *, common: bool = False) -> list[Run]:
    """The runs in some directories, each a run or a directory of runs.

    Args:
        common: keep only the problems that every run has in full, instead of refusing runs that lack some.

    Raises:
        ValueError: there is no run, a run is empty or lacks traces, a line is broken, two runs have one name, or they
            differ in problems, budgets or graders; says what each has.
    """
    paths = [path for directory in directories for path in find_runs(directory)]
    settings = [read_run_settings(path / SETTINGS) for path in paths]
    for path, node in zip(paths[1:], settings[1:], strict=True):
        _check_comparable(paths[0], settings[0], path, node)
    runs = [_load(path, node, common) for path, node in zip(paths, settings, strict=True)]
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise ValueError(f"runs named {', '.join(names)}; allowed: a name of its own for each (run --model NAME=MODEL)")
    return _same_problems(runs, common)


def find_runs(directory: Path) -> list[Path]:
    """The directory itself if it is a run, else the runs in it in the order in which they were begun.

    Raises:
        ValueError: there is none.
    """
    if (directory / SETTINGS).is_file():
        return [directory]
    begun = {path.parent: read_run_settings(path).get(STARTED, 0.0) for path in directory.glob(f"*/{SETTINGS}")}
    found = sorted(begun, key=lambda path: (begun[path], path.name))
    if not found:
        raise ValueError(f"{directory}: no run; allowed: a directory written by `run --out`")
    return found


def _load(path: Path, settings: dict[str, Any], common: bool) -> Run:
    by_problem: dict[int, dict[int, TraceRecord]] = defaultdict(dict)
    total = settings["problems"] * settings["traces"]
    lines = read_records(path / TRACES) if (path / TRACES).is_file() else ()
    for record in tqdm(lines, desc=f"reading {settings['name']}", unit="trace", total=total, delay=5):
        if record.trace in by_problem[record.problem]:
            raise ValueError(
                f"{path / TRACES}: problem {record.problem}, trace {record.trace} is there twice: two runs wrote into "
                "it; allowed: each trace once"
            )
        by_problem[record.problem][record.trace] = record
    if not by_problem:
        raise ValueError(f"{path}: no traces; run it first")
    wanted = settings["traces"]
    whole = {index: traces for index, traces in by_problem.items() if len(traces) == wanted}
    if len(whole) < settings["problems"] and not common:
        have = sum(map(len, by_problem.values()))
        raise ValueError(
            f"{path}: {have} of {settings['problems'] * wanted} traces; `run` with the same arguments completes it, "
            "`report --common` takes only the problems that every run has in full"
        )
    if not whole:
        raise ValueError(f"{path}: no problem has all of its {wanted} traces")
    return Run(settings["name"], settings, [[whole[i][t] for t in sorted(whole[i])] for i in sorted(whole)])


def _same_problems(runs: Sequence[Run], common: bool) -> list[Run]:
    """The runs with the same problems, known by their positions in the file, since a problem may be in it twice.

    Raises:
        ValueError: some run lacks problems that another has, or they share none.
    """
    keys = [{(traces[0].problem, traces[0].uid): traces for traces in run.problems} for run in runs]
    shared = set.intersection(*map(set, keys))
    first = runs[0]
    for run, own in zip(runs[1:], keys[1:], strict=True):
        if list(own) != list(keys[0]) and not common:
            missing = [key for key in keys[0] if key not in shared] or [key for key in own if key not in shared]
            raise ValueError(
                f"{first.name} has {len(keys[0])} problems, {run.name} has {len(own)}, {len(shared)} are the same "
                f"(first that is not: uid {missing[0][1] if missing else '-'}); `report --common` takes only those"
            )
    if not shared:
        raise ValueError(f"{', '.join(run.name for run in runs)}: no problem that all of them have in full")
    if not common:
        return list(runs)
    return [
        Run(run.name, run.settings, [traces for key, traces in own.items() if key in shared])
        for run, own in zip(runs, keys, strict=True)
    ]


def _check_comparable(first_path: Path, first: Mapping[str, Any], path: Path, settings: Mapping[str, Any]) -> None:
    here = {key: get_nested(settings, key) for key in MUST_AGREE}
    there = {key: get_nested(first, key) for key in MUST_AGREE}
    differences = describe_differences(there, here)
    if differences:
        raise ValueError(f"{first_path} (there) and {path} (here) cannot be compared: " + "; ".join(differences))

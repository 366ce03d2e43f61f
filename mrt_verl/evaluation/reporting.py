"""`report(...)` and `compare(...)`: from the directories of runs to a page, or to its numbers alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.load import Run, load_runs
from mrt_verl.evaluation.measures import Measures
from mrt_verl.evaluation.page import write_report, write_training_page
from mrt_verl.evaluation.page.tables import Table
from mrt_verl.evaluation.page.training import read_metrics
from mrt_verl.evaluation.store import SETTINGS, writing_to
from mrt_verl.evaluation.summary import summarise
from mrt_verl.evaluation.training_traces import read_trace_dir

TITLE = "Accuracy, regret and progress"
SHOWN = ("model", "data", "seed", "sampling", "mrt", "grader")
"""Settings of a run that stand on the page."""


def report(
    directories: Sequence[Path],
    out: Path,
    *,
    first: str | None = None,
    training: Mapping[str, Path] | None = None,
    common: bool = False,
    title: str = TITLE,
    traces: Path | None = None,
    notes: Sequence[str] = (),
    facts: Sequence[tuple[str, str]] = (),
    tables: Sequence[Table] = (),
) -> dict[str, Any]:
    """Write `out`/index.html, its plots and summary.json; returns the summary, {} of a training run alone.

    Args:
        directories: runs, or directories of runs, written by `evaluate`.
        first: name of the run that is compared with each other one; None takes the one begun first.
        training: metrics.jsonl files or tensorboard directories of training runs, by name.
        common: only problems that every run has in full.
        traces: `mrt.trace_dir` of a training run, some of whose traces are shown; with it there need be no directories.
        notes: sentences for the top of the page.
        facts: (subject, sentence) after them.
        tables: that stand before the page's own.

    Raises:
        ValueError: the runs cannot be compared, a log holds no metrics, or a directory no traces.
        OSError: the page cannot be written; names the directory.
    """
    logs = {name: read_metrics(path) for name, path in (training or {}).items()}
    shown = [] if traces is None else read_trace_dir(traces)
    if not directories and traces is not None:
        own = "Traces of a training run" if title == TITLE else title
        with writing_to(out):
            write_training_page(out, training=logs, traces=shown, title=own, notes=notes)
        return {}
    runs = _ordered(directories, first, common)
    with writing_to(out):
        return write_report(
            runs, out, training=logs, title=title, notes=notes, traces=shown, facts=facts, tables=tables
        )


def compare(directories: Sequence[Path], *, first: str | None = None, common: bool = False) -> dict[str, Any]:
    """The numbers of the report (summary.json) without a page; arguments and errors as for `report`."""
    return summarise([Measures(run) for run in _ordered(directories, first, common)])


def _ordered(directories: Sequence[Path], first: str | None, common: bool) -> list[Run]:
    runs = load_runs(directories, common=common)
    for run in runs:
        if lacking := [key for key in SHOWN if key not in run.settings]:
            raise ValueError(f"{run.name}: its {SETTINGS} lacks {', '.join(lacking)}, which a report shows")
    if first is not None:
        if first not in [run.name for run in runs]:
            raise ValueError(f"--first {first}; allowed: {', '.join(run.name for run in runs)}")
        runs.sort(key=lambda run: run.name != first)
    return runs

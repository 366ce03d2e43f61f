"""Writes the report of some runs."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.bootstrap import resample_weights
from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.measures import Measures
from mrt_verl.evaluation.page import plots
from mrt_verl.evaluation.page.examples import colour_of, pick_examples
from mrt_verl.evaluation.page.sentences import describe, explain_points
from mrt_verl.evaluation.page.tables import Table, make_tables
from mrt_verl.evaluation.page.training import Metrics, draw_training
from mrt_verl.evaluation.store import STARTED, VERSIONS, describe_differences, versions
from mrt_verl.evaluation.summary import FEW_PROBLEMS, RESAMPLES, summarise
from mrt_verl.whole import write_text

FIGURES = {
    "accuracy.png": "Accuracy against tokens",
    "regret.png": "Normalised regret against the budget",
    "progress.png": "Progress by episode",
    "episodes.png": "Episodes per trace",
}
IGNORED = ("name", "model", "identity", STARTED, VERSIONS, "recorded")
"""Settings in which runs are meant to differ."""


def write_report(
    runs: Sequence[Run],
    out: Path,
    *,
    training: Mapping[str, Metrics] | None = None,
    title: str = "Accuracy, regret and progress",
    notes: Sequence[str] = (),
    traces: Sequence[Run] = (),
    facts: Sequence[tuple[str, str]] = (),
    tables: Sequence[Table] = (),
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Write index.html, plots (PNG and SVG) and summary.json into `out`; returns the summary.

    Args:
        runs: comparable ones (load.load_runs); each other is compared with the first.
        training: metrics by step of training runs, by name.
        notes: sentences for the top of the page.
        traces: of training steps, to be read beside those of the runs (training_traces.read_trace_dir).
        facts: (subject, sentence) after the notes.
        tables: that stand before those of the summary.
    """
    out.mkdir(parents=True, exist_ok=True)
    measured = [Measures(run) for run in runs]
    summary = summarise(measured, resamples)
    write_text(out / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    drawn = draw(measured, summary, out, training or {})
    page = render(
        title=title,
        findings=[*notes, *describe(summary), *_left_out(runs)],
        facts=facts,
        summary=summary,
        figures=[(caption, data_uri(out / name)) for name, caption in drawn.items()],
        points=explain_points(summary["runs"]),
        few=summary["problems"] < FEW_PROBLEMS,
        tables=[*tables, *make_tables(summary)],
        gain=colour_of(0.5),
        loss=colour_of(-0.5),
        unknown=colour_of(None),
        examples=[group for run in [*runs, *traces] if (group := pick_examples(run))],
        settings=common_settings(runs),
        differences=differing_settings(runs),
    )
    write_text(out / "index.html", page)
    return summary


def write_training_page(
    out: Path, *, training: Mapping[str, Metrics], traces: Sequence[Run], title: str, notes: Sequence[str] = ()
) -> None:
    """Write index.html of a training run alone into `out`: its curves and traces, no measure of an evaluation."""
    out.mkdir(parents=True, exist_ok=True)
    records = [record for run in traces for problem in run.problems for record in problem]
    right = sum(record.own.score > 0 for record in records)
    found = [f"{len(records)} rollouts of {len(traces)} steps, {right} of them right."] if traces else []
    drawn = draw_training(training, out)
    page = render(
        title=title,
        findings=[*notes, *found],
        figures=[(caption, data_uri(out / name)) for name, caption in drawn.items()],
        gain=colour_of(0.5),
        loss=colour_of(-0.5),
        unknown=colour_of(None),
        examples=[group for run in traces if (group := pick_examples(run))],
        settings=[("page", f"{date.today()}; {_joined(versions())}")],
    )
    write_text(out / "index.html", page)


def _left_out(runs: Sequence[Run]) -> list[str]:
    """That problems are missing which some run lacks, where there are any."""
    asked = max(run.settings["problems"] for run in runs)
    shown = len(runs[0].problems)
    return [f"Shown are {shown} of {asked} problems; of the others some traces are missing."] if shown < asked else []


def draw(
    measured: Sequence[Measures], summary: Mapping[str, Any], out: Path, training: Mapping[str, Metrics]
) -> dict[str, str]:
    """Draw what there is to draw; returns {file: caption} in the page's order."""
    weights = resample_weights(summary["problems"], summary["resamples"])
    plots.draw_accuracy(measured, weights, out / "accuracy.png")
    plots.draw_regret(measured, weights, out / "regret.png")
    plots.draw_progress(summary["runs"], out / "progress.png")
    plots.draw_episodes(measured, out / "episodes.png")
    return {**FIGURES, **draw_training(training, out)}


def render(**values: Any) -> str:
    """The page; everything that comes from a model is escaped."""
    import jinja2

    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", template, re.DOTALL)
    # the browser runs this one script and no other, and loads nothing, whatever a model may have written
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(**values, script_hash=allowed)


def data_uri(path: Path) -> str:
    """A plot as part of a page: its SVG, which a browser keeps from running anything."""
    return "data:image/svg+xml;base64," + base64.b64encode(path.with_suffix(".svg").read_bytes()).decode()


def common_settings(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(key, value) of where the runs come from, and of the settings that decide what is measured."""
    settings = runs[0].settings
    rows = [(run.name, _origin(run.settings)) for run in runs]
    rows += [("page", f"{date.today()}; {_joined(versions())}")]
    rows += [("data", settings["data"]["file"]), ("problems", str(len(runs[0].problems)))]
    rows += [(key, str(settings[key])) for key in ("traces", "budgets", "seed")]
    rows += [(f"sampling {key}", str(value)) for key, value in settings["sampling"].items()]
    rows += [(f"mrt.{key}", repr(settings["mrt"][key])) for key in ("branches", "prover", "stop_text", "markers")]
    rows += [("grader", _joined(settings["grader"]))]
    return rows


def _origin(settings: Mapping[str, Any]) -> str:
    """Model, date and versions of a run; older runs have no versions."""
    started, used = settings.get(STARTED), settings.get(VERSIONS)
    day = f"sampled {datetime.fromtimestamp(started).date()}" if started else "date not recorded"
    return "; ".join([str(settings["model"]), day, *([_joined(used)] if used else [])])


def _joined(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def differing_settings(runs: Sequence[Run]) -> list[str]:
    """One text per setting in which a run differs from the first, with both values."""
    texts = []
    for run in runs[1:]:
        first = {key: value for key, value in runs[0].settings.items() if key not in IGNORED}
        other = {key: value for key, value in run.settings.items() if key not in IGNORED}
        texts += [f"{runs[0].name} (there), {run.name} (here): {text}" for text in describe_differences(first, other)]
    return texts

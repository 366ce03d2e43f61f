"""Writes the report of some runs."""

import base64
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.bootstrap import resample_weights
from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.measures import Measures
from mrt_verl.evaluation.page import plots
from mrt_verl.evaluation.page.examples import pick_examples
from mrt_verl.evaluation.page.tables import describe, make_tables
from mrt_verl.evaluation.page.training import Metrics, draw_training
from mrt_verl.evaluation.store import STARTED, describe_differences, write_text
from mrt_verl.evaluation.summary import RESAMPLES, summarise

FIGURES = {
    "accuracy.png": "Accuracy against tokens",
    "regret.png": "Normalised regret against the budget",
    "progress.png": "Progress by episode",
    "episodes.png": "Episodes per trace",
    "training.png": "Training",
}
IGNORED = ("name", "model", "identity", STARTED)
"""Settings in which runs are meant to differ."""


def write_report(
    runs: Sequence[Run],
    out: Path,
    *,
    training: Mapping[str, Metrics] | None = None,
    title: str = "Accuracy, regret and progress",
    notes: Sequence[str] = (),
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Write index.html, PNG plots and summary.json into `out`; returns the summary.

    Args:
        runs: comparable ones (load.load_runs); each other is compared with the first.
        training: metrics by step of training runs, by name.
        notes: sentences for the top of the page.
    """
    out.mkdir(parents=True, exist_ok=True)
    measured = [Measures(run) for run in runs]
    summary = summarise(measured, resamples)
    write_text(out / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    drawn = draw(measured, summary, out, training or {})
    page = render(
        title=title,
        notes=list(notes),
        findings=describe(summary),
        summary=summary,
        figures=[(name, FIGURES[name], data_uri(out / name)) for name in drawn],
        tables=make_tables(summary),
        examples=[group for run in runs if (group := pick_examples(run))],
        settings=common_settings(runs),
        differences=differing_settings(runs),
    )
    write_text(out / "index.html", page)
    return summary


def draw(
    measured: Sequence[Measures], summary: Mapping[str, Any], out: Path, training: Mapping[str, Metrics]
) -> list[str]:
    """Draw what there is to draw; returns the files' names, in the page's order."""
    weights = resample_weights(summary["problems"], summary["resamples"])
    plots.draw_accuracy(measured, weights, out / "accuracy.png")
    plots.draw_regret(measured, weights, out / "regret.png")
    plots.draw_progress(summary["runs"], out / "progress.png")
    plots.draw_episodes(measured, out / "episodes.png")
    names = ["accuracy.png", "regret.png", "progress.png", "episodes.png"]
    if training and draw_training(training, out / "training.png"):
        names.append("training.png")
    return names


def render(**values: Any) -> str:
    """The page; everything that comes from a model is escaped."""
    import jinja2

    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(**values)


def data_uri(path: Path) -> str:
    """A PNG as part of a page."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def common_settings(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(key, value) of the settings that decide what is measured."""
    settings = runs[0].settings
    rows = [("data", settings["data"]["file"]), ("problems", str(len(runs[0].problems)))]
    rows += [(key, str(settings[key])) for key in ("traces", "budgets", "seed")]
    rows += [(f"sampling {key}", str(value)) for key, value in settings["sampling"].items()]
    rows += [(f"mrt.{key}", repr(settings["mrt"][key])) for key in ("branches", "prover", "stop_text", "markers")]
    rows += [("grader", ", ".join(f"{key} {value}" for key, value in settings["grader"].items()))]
    return rows


def differing_settings(runs: Sequence[Run]) -> list[str]:
    """One text per setting in which a run differs from the first, with both values."""
    texts = []
    for run in runs[1:]:
        first = {key: value for key, value in runs[0].settings.items() if key not in IGNORED}
        other = {key: value for key, value in run.settings.items() if key not in IGNORED}
        texts += [f"{runs[0].name} (there), {run.name} (here): {text}" for text in describe_differences(first, other)]
    return texts

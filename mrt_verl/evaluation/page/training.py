"""Training curves of one or several verl runs, from metrics.jsonl or tensorboard logs."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mrt_verl.evaluation.page.style import figure, looks

Metrics = dict[int, dict[str, float]]
"""{step: {metric: value}}"""

NOISY = 30
"""Points from which a curve is drawn thin, with its running mean over it."""
WINDOWS = 20
"""A running mean reaches over one in so many of the points to either side."""
PANELS = (
    ("validation", "held-out accuracy", r"val-core/.*/acc/mean@\d+"),
    ("outcome", "outcome of training rollouts", r"mrt/outcome|critic/score/mean"),
    ("regret", "normalised regret", r"mrt/regret"),
    ("progress", "progress per episode", r"mrt/progress_mean"),
    ("tokens", "thinking tokens per rollout", r"mrt/think_tokens_mean|response_length/mean"),
    ("episodes", "episodes per rollout", r"mrt/episodes_mean"),
)
"""Name, title and pattern of the metric: the first alternative in a log is drawn, so that runs without MRT can join."""


def read_metrics(path: Path) -> Metrics:
    """A run's metrics by step.

    Args:
        path: a .jsonl file with {"step", "data"} a line, as verl's file logger writes, or a directory of tensorboard
            logs. A last line cut off by a killed run is left out; a resumed run's later value of a step counts.

    Raises:
        ValueError: there is no metric, or a line before the last is broken.
    """
    metrics = _read_tensorboard(path) if path.is_dir() else _read_jsonl(path)
    if not metrics:
        raise ValueError(f"{path}: no metrics; allowed: a metrics.jsonl or a directory of tensorboard logs")
    return dict(sorted(metrics.items()))


def draw_training(runs: Mapping[str, Metrics], out: Path) -> dict[str, str]:
    """A picture of each panel that some run has values for, runs together; {file: title}, empty if there is none."""
    drawn: dict[str, str] = {}
    for name, title, pattern in PANELS:
        series = _series(runs, pattern)
        if series:
            _draw_panel(series, runs, out / f"training_{name}.png")
            drawn[f"training_{name}.png"] = f"Training: {title}"
    return drawn


def _draw_panel(series: Mapping[str, Sequence[tuple[int, float]]], runs: Mapping[str, Metrics], path: Path) -> None:
    style = dict(zip(runs, looks(len(runs)), strict=True))
    with figure(path, height=3.4) as (drawing, axis):
        for name, points in series.items():
            colour, marker = style[name]
            few, is_smoothed = len(points) <= 12, len(points) >= NOISY
            look = (
                {"alpha": 0.3, "linewidth": 1.0} if is_smoothed else {"marker": marker if few else None, "label": name}
            )
            axis.plot(*zip(*points, strict=True), color=colour, **look)
            if is_smoothed:
                smoothed = running_mean([value for _, value in points], len(points) // WINDOWS)
                axis.plot([step for step, _ in points], smoothed, color=colour, linewidth=2, label=name)
        noted = any(len(points) >= NOISY for points in series.values())
        axis.set(xlabel="training step (thin), and a running mean" if noted else "training step")
        if len(runs) > 1:
            drawing.legend(frameon=False, fontsize=10.5, loc="outside lower center", ncols=2)


def running_mean(values: Sequence[float], reach: int) -> list[float]:
    """The mean of each value and up to `reach` neighbours on either side, as many on both."""
    means = []
    for at in range(len(values)):
        near = min(reach, at, len(values) - 1 - at)
        part = values[at - near : at + near + 1]
        means.append(sum(part) / len(part))
    return means


def _series(runs: Mapping[str, Metrics], pattern: str) -> dict[str, list[tuple[int, float]]]:
    found = {}
    for name, metrics in runs.items():
        keys = {key for data in metrics.values() for key in data}
        for alternative in pattern.split("|"):
            matching = sorted(key for key in keys if re.fullmatch(alternative, key))
            if matching:
                # several validation sets: their mean
                found[name] = [
                    (step, math.fsum(values) / len(values))
                    for step, data in metrics.items()
                    if (values := [data[key] for key in matching if key in data])
                ]
                break
    return found


def _read_jsonl(path: Path) -> Metrics:
    metrics: Metrics = {}
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            step, data = int(entry["step"]), dict(entry["data"])
            values = {name: float(value) for name, value in data.items() if isinstance(value, int | float)}
            float(step)  # one that is too large for it could not be drawn
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            if number == len(lines):
                continue
            raise ValueError(f'{path}:{number}: not {{"step": …, "data": …}} ({error})') from error
        metrics.setdefault(step, {}).update(values)
    return metrics


def _read_tensorboard(path: Path) -> Metrics:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    logs = EventMultiplexer(size_guidance={"scalars": 0}).AddRunsFromDirectory(str(path))
    logs.Reload()
    metrics: Metrics = {}
    for run, tags in logs.Runs().items():
        for tag in _scalars(tags):
            for event in logs.Scalars(run, tag):
                metrics.setdefault(event.step, {})[tag] = event.value
    return metrics


def _scalars(tags: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return tags.get("scalars", ())

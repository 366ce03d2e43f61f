"""What the study's runs say: recipes/study/results/summary.json, curves.png, and the evaluation's page.

Measures, fixed before the runs: held-out pass@1; normalised regret at the training budget and at twice it with forced
extrapolation; tokens to reach GRPO's final accuracy; seconds per step. Arms are compared at equal updates, at equal
generated tokens (branches counted) and at equal wall-clock. Intervals are 95 % of a bootstrap over seeds.
"""

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from mrt_verl.evaluation.curves import tokens_to_reach
from mrt_verl.evaluation.load import load_runs
from mrt_verl.evaluation.measures import Measures
from mrt_verl.evaluation.report.training import read_metrics
from recipes.quickstart.report import merge_logs
from recipes.study.arms import ARMS
from recipes.study.study import OUT

RESULTS = Path("recipes/study/results")
ACCURACY = "val-core/search_task/acc/mean@1"
COLOURS = ("#000000", "#999999", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7")


@dataclass
class Run:
    """One finished run of an arm."""

    arm: str
    seed: int
    steps: list[int]
    """Updates after which there was a validation."""
    accuracy: list[float]
    tokens: list[float]
    """Generated tokens up to then, branches counted, in thousands."""
    hours: list[float]
    seconds_per_step: float
    measures: Measures


def read_run(directory: Path, evaluated: Any) -> Run:
    """Curves of one run from verl's log, and its evaluation."""
    arm, _, seed = directory.name.rpartition("-")
    merge_logs(directory)
    metrics = read_metrics(directory / "metrics.jsonl")
    tokens = hours = 0.0
    rows: list[tuple[int, float, float, float]] = []
    for step, data in metrics.items():
        tokens += _sampled_tokens(data) / 1000
        hours += data.get("timing_s/step", 0.0) / 3600
        if ACCURACY in data:
            rows.append((step, data[ACCURACY], tokens, hours))
    seconds = statistics.median(data["timing_s/step"] for data in metrics.values() if "timing_s/step" in data)
    at, accuracy, spent, clock = map(list, zip(*rows, strict=True))
    return Run(arm, int(seed), at, accuracy, spent, clock, seconds, Measures(evaluated))


def _sampled_tokens(data: dict[str, float], rollouts: int = 128) -> float:
    """Tokens the policy generated in a step: responses, and branches in proportion to them."""
    return rollouts * data.get("response_length/mean", 0.0) * (1.0 + data.get("mrt/branch_tokens_ratio", 0.0))


def interval(values: list[float], resamples: int = 10_000) -> dict[str, Any]:
    """Mean over seeds, its 95 % bootstrap interval, and the seeds' values."""
    array = np.asarray(values, dtype=float)
    draws = np.random.default_rng(0).choice(array, (resamples, len(array))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return {"mean": float(array.mean()), "low": float(low), "high": float(high), "seeds": array.tolist()}


def summarise(runs: list[Run]) -> dict[str, Any]:
    """The measures of every arm."""
    budgets = runs[0].measures.run.budgets
    arms = {arm: [run for run in runs if run.arm == arm] for arm in ARMS}
    arms = {arm: some for arm, some in arms.items() if some}
    target = np.mean([run.measures.outcomes.mean() for run in arms.get("grpo", runs)])
    least_tokens = min(run.tokens[-1] for run in runs)
    least_hours = min(run.hours[-1] for run in runs)
    result: dict[str, Any] = {
        "problems": len(runs[0].measures.run.problems),
        "steps": min(run.steps[-1] for run in runs),
        "grpo_accuracy": float(target),
        "equal_tokens_thousands": least_tokens,
        "equal_hours": least_hours,
        "arms": {},
    }
    for arm, some in arms.items():
        measures = [run.measures for run in some]
        reach = [
            float(tokens_to_reach(one.grid, one.plain_curves.mean(axis=0)[None], np.array([target]))[0])
            for one in measures
        ]
        result["arms"][arm] = {
            "pass@1": interval([float(one.outcomes.mean()) for one in measures]),
            "regret": {str(c): interval([float(one.regrets(c).mean()) for one in measures]) for c in budgets},
            "tokens_to_grpo_accuracy": [tokens if np.isfinite(tokens) else None for tokens in reach],
            "seconds_per_step": interval([run.seconds_per_step for run in some]),
            "generated_tokens_thousands": interval([run.tokens[-1] for run in some]),
            "accuracy_at_equal_updates": interval([_at(run.steps, run.accuracy, result["steps"]) for run in some]),
            "accuracy_at_equal_tokens": interval([_at(run.tokens, run.accuracy, least_tokens) for run in some]),
            "accuracy_at_equal_hours": interval([_at(run.hours, run.accuracy, least_hours) for run in some]),
        }
    return result


def _at(x: list[float] | list[int], y: list[float], where: float) -> float:
    return float(np.interp(where, x, y))


def draw(runs: list[Run], path: Path) -> None:
    """Validation accuracy of every arm against updates, generated tokens and hours; seeds thin, means thick."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), constrained_layout=True, sharey=True)
    for axis, (key, label) in zip(
        axes, (("steps", "updates"), ("tokens", "generated tokens, thousands"), ("hours", "hours")), strict=True
    ):
        for arm, colour in zip(ARMS, COLOURS, strict=True):
            some = [run for run in runs if run.arm == arm]
            for run in some:
                axis.plot(getattr(run, key), run.accuracy, color=colour, linewidth=0.6, alpha=0.5)
            if some:
                common = np.linspace(0, min(getattr(run, key)[-1] for run in some), 30)
                mean = np.mean([np.interp(common, getattr(run, key), run.accuracy) for run in some], axis=0)
                axis.plot(common, mean, color=colour, linewidth=2, label=f"{arm} ({len(some)})")
        axis.set(xlabel=label)
        axis.grid(alpha=0.3)
    axes[0].set(ylabel="held-out accuracy")
    axes[0].legend(frameon=False, fontsize=8, title="arm (seeds)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    evaluated = {run.name: run for run in load_runs([OUT / "evaluation"])}
    directories = [path for path in sorted((OUT / "runs").iterdir()) if path.name in evaluated]
    runs = [read_run(path, evaluated[path.name]) for path in directories]
    RESULTS.mkdir(parents=True, exist_ok=True)
    summary = summarise(runs)
    (RESULTS / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    draw(runs, RESULTS / "curves.png")
    for arm, row in summary["arms"].items():
        regret = row["regret"][str(runs[0].measures.run.budgets[0])]
        print(
            f"{arm:15s} pass@1 {row['pass@1']['mean']:.3f} [{row['pass@1']['low']:.3f}, {row['pass@1']['high']:.3f}]  "
            f"regret {regret['mean']:.3f} [{regret['low']:.3f}, {regret['high']:.3f}]  "
            f"{row['seconds_per_step']['mean']:.1f} s a step  {len(row['pass@1']['seeds'])} seeds"
        )
    first = "mrt-1" if "mrt-1" in evaluated else directories[0].name
    training = [f"{path.name}={path / 'metrics.jsonl'}" for path in directories]
    command = [sys.executable, "-m", "mrt_verl.evaluation", "report", str(OUT / "evaluation"), "--first", first]
    subprocess.run([*command, "--out", str(OUT / "report"), "--training", *training], check=True)


if __name__ == "__main__":
    main()

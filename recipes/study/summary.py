"""What the study's results say: summary.json and curves.png beside them, and the evaluation's page of what is here.

Measures, fixed before the runs: held-out pass@1; normalised regret at the training budget and at twice it with forced
extrapolation; tokens at which forced answers are as often right as GRPO's at the end of the budget; seconds per step.
Arms are compared at equal updates, at equal generated tokens (branches counted) and at equal wall-clock; these two
within each seed, up to what its cheapest run cost, and times only between runs made in one place. Intervals are 95 %
of a bootstrap over seeds, of the differences to GRPO as well: there the seeds of both are paired.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from mrt_verl.evaluation.curves import tokens_to_reach
from recipes.study.arms import ARMS
from recipes.study.result import Result
from recipes.study.study import OUT, STEPS, evaluation_of, results_of

COLOURS = ("#000000", "#999999", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7")


def interval(values: list[float], resamples: int = 10_000) -> dict[str, Any]:
    """Mean over seeds, its 95 % bootstrap interval, and the seeds' values."""
    array = np.asarray(values, dtype=float)
    draws = np.random.default_rng(0).choice(array, (resamples, len(array))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return {"mean": float(array.mean()), "low": float(low), "high": float(high), "seeds": array.tolist()}


def summarise(results: list[Result]) -> dict[str, Any]:
    """The measures of every arm.

    Raises:
        ValueError: there is no result, or they are of different numbers of updates or problems.
    """
    if not results:
        raise ValueError("no results; run recipes.study.study first")
    for what, values in (
        ("updates", {result.steps[-1] for result in results}),
        ("problems", {result.problems for result in results}),
    ):
        if len(values) > 1:
            raise ValueError(f"results of different {what}: {', '.join(map(str, sorted(values)))}")
    arms = {arm: [result for result in results if result.arm == arm] for arm in ARMS}
    arms = {arm: some for arm, some in arms.items() if some}
    target = float(np.mean([result.curve[-1] for result in arms.get("grpo", results)]))
    tokens, hours = _limits(results)
    values = {arm: _values(some, tokens, hours) for arm, some in arms.items()}
    return {
        "updates": results[0].steps[-1],
        "problems": results[0].problems,
        "commits": sorted({result.commit for result in results}),
        "target_success": target,
        "equal_tokens_thousands": tokens,
        "equal_hours": {f"{seed} at {place}": limit for (seed, place), limit in hours.items()},
        "arms": {
            arm: {
                **{name: interval(list(by_seed.values())) for name, by_seed in values[arm].items() if by_seed},
                "tokens_to_target_success": [_tokens_to(one, target) for one in some],
            }
            for arm, some in arms.items()
        },
        "differences_to_grpo": {
            arm: _differences(values[arm], values["grpo"]) for arm in arms if arm != "grpo" and "grpo" in arms
        },
    }


def _limits(results: list[Result]) -> tuple[dict[int, float], dict[tuple[int, str], float]]:
    """Thousands of tokens that every run of a seed reached, and hours that every run of a seed in one place did.

    Hours are compared in the place of GRPO's run only: elsewhere the machine may be another.
    """
    tokens = {
        seed: min(one.tokens[-1] for one in results if one.seed == seed)
        for seed in sorted({one.seed for one in results})
    }
    places = sorted({(one.seed, one.place) for one in results if one.arm == "grpo"})
    hours = {at: min(one.hours[-1] for one in results if (one.seed, one.place) == at) for at in places}
    return tokens, hours


def _values(
    some: list[Result], tokens: dict[int, float], hours: dict[tuple[int, str], float]
) -> dict[str, dict[int, float]]:
    """Each measure of an arm by seed."""
    timed = [one for one in some if (one.seed, one.place) in hours]
    return {
        "pass@1": {one.seed: one.pass_at_1 for one in some},
        "regret": {one.seed: one.regret for one in some},
        "regret_at_twice_the_budget": {one.seed: one.regret_at_twice for one in some},
        "seconds_per_step": {one.seed: one.seconds_per_step for one in timed},
        "generated_tokens_thousands": {one.seed: one.tokens[-1] for one in some},
        "accuracy_at_equal_updates": {one.seed: one.accuracy[-1] for one in some},
        "accuracy_at_equal_tokens": {one.seed: _at(one.tokens, one.accuracy, tokens[one.seed]) for one in some},
        "accuracy_at_equal_hours": {
            one.seed: _at(one.hours, one.accuracy, hours[one.seed, one.place]) for one in timed
        },
    }


def _differences(ours: dict[str, dict[int, float]], grpos: dict[str, dict[int, float]]) -> dict[str, dict[str, Any]]:
    """An arm minus GRPO, on the seeds that both have."""
    pairs = {
        name: [value - grpos[name][seed] for seed, value in by_seed.items() if seed in grpos[name]]
        for name, by_seed in ours.items()
    }
    return {name: interval(differences) for name, differences in pairs.items() if differences}


def _tokens_to(one: Result, target: float) -> float | None:
    """Tokens at which a run's forced answers are right as often as `target`; None if they never are."""
    reached = float(tokens_to_reach(np.array(one.grid), np.array([one.curve]), np.array([target]))[0])
    return reached if np.isfinite(reached) else None


def _at(x: list[float], y: list[float], where: float) -> float:
    return float(np.interp(where, x, y))


def draw(results: list[Result], path: Path) -> None:
    """Validation accuracy of every arm against updates, generated tokens and hours; J against tokens of thinking.

    Seeds are thin, means thick.
    """
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), constrained_layout=True)
    panels = (
        ("steps", "accuracy", "updates", "held-out accuracy"),
        ("tokens", "accuracy", "generated tokens in training, thousands", "held-out accuracy"),
        ("hours", "accuracy", "hours", "held-out accuracy"),
        ("grid", "curve", "tokens of a trace, after training", "success if stopped there (J)"),
    )
    for axis, (key, value, label, what) in zip(axes.flat, panels, strict=True):
        for arm, colour in zip(ARMS, COLOURS, strict=True):
            some = [(getattr(one, key), getattr(one, value)) for one in results if one.arm == arm]
            for xs, ys in some:
                axis.plot(xs, ys, color=colour, linewidth=0.6, alpha=0.5)
            if some:
                end = min(xs[-1] for xs, _ in some)
                common = np.unique([x for xs, _ in some for x in xs if x <= end])
                mean = np.mean([np.interp(common, xs, ys) for xs, ys in some], axis=0)
                axis.plot(common, mean, color=colour, linewidth=2, label=f"{arm} ({len(some)})")
        axis.set(xlabel=label, ylabel=what)
        axis.grid(alpha=0.3)
    axes[0, 0].legend(frameon=False, fontsize=8, title="arm (seeds)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def describe(summary: dict[str, Any]) -> list[str]:
    """A line for each arm; without intervals where there is one seed."""

    def show(value: dict[str, Any]) -> str:
        between = f" [{value['low']:.3f}, {value['high']:.3f}]" if len(value["seeds"]) > 1 else ""
        return f"{value['mean']:.3f}{between}"

    lines = []
    for arm, row in summary["arms"].items():
        shown = f"pass@1 {show(row['pass@1'])}  regret {show(row['regret'])} "
        seconds = f"{row['seconds_per_step']['mean']:.1f} s a step  " if "seconds_per_step" in row else ""
        lines.append(f"{arm:15s} {shown} {seconds}{len(row['pass@1']['seeds'])} seeds")
    for arm, row in summary["differences_to_grpo"].items():
        lines.append(f"{arm} - grpo: pass@1 {show(row['pass@1'])}  regret {show(row['regret'])}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS, help="updates of the runs (%(default)s)")
    steps = parser.parse_args().steps
    directory = results_of(steps)
    results = [Result.read(path) for path in sorted((directory / "runs").glob("*.json"))]
    summary = summarise(results)
    (directory / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    draw(results, directory / "curves.png")
    print("\n".join(describe(summary)))
    names = [f"{result.arm}-{result.seed}" for result in results]
    here = [name for name in names if (evaluation_of(steps) / name / "traces.jsonl").exists()]
    if not here:
        return
    training = [f"{name}={OUT}/runs/{name}/metrics.jsonl" for name in here]
    runs = [str(evaluation_of(steps) / name) for name in here]
    first = "mrt-1" if "mrt-1" in here else here[0]
    command = [sys.executable, "-m", "mrt_verl.evaluation", "report", *runs, "--first", first]
    subprocess.run([*command, "--out", str(OUT / "report"), "--training", *training], check=True)


if __name__ == "__main__":
    main()

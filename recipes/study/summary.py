"""What the study's results say: summary.json and curves.png beside them, and the evaluation's page of what is here.

Measures, fixed before the runs: held-out pass@1; normalised regret at the training budget and at twice it with forced
extrapolation; tokens at which forced answers are as often right as GRPO's at the end of the budget; seconds per step.
Arms are compared with GRPO at equal updates, at equal generated tokens (branches counted) and at equal wall-clock;
these two within each seed, up to what the cheaper run cost, and times only between runs made in one place. Intervals
are 95 % of a bootstrap over seeds, of the differences to GRPO as well: there the seeds of both are paired.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from mrt_verl.evaluation.bootstrap import estimate, resample_weights
from mrt_verl.evaluation.curves import tokens_to_reach
from recipes.study.arms import ARMS
from recipes.study.result import Result
from recipes.study.study import OUT, STEPS, evaluation_of, results_of

MEASURES = {
    "pass@1": "pass@1",
    "regret": "normalised regret",
    "regret_at_twice_the_budget": "at twice the budget",
    "accuracy_at_equal_updates": "accuracy at equal updates",
    "accuracy_at_equal_tokens": "at equal tokens",
    "accuracy_at_equal_hours": "at equal time",
    "seconds_per_step": "seconds a step",
}
"""Measures of the tables, and what they are called there."""
SHARES = (0.8, 0.9, 1.0)
"""Of GRPO's success at the end of its budget: its curve is flat there, so the tokens to the whole of it say little."""
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
    grpo = {one.seed: one for one in arms.get("grpo", [])}
    target = float(np.mean([result.curve[-1] for result in arms.get("grpo", results)]))
    pairs = {
        arm: [(one, grpo[one.seed]) for one in some if one.seed in grpo] for arm, some in arms.items() if arm != "grpo"
    }
    return {
        "updates": results[0].steps[-1],
        "problems": results[0].problems,
        "commits": sorted({result.commit for result in results}),
        "target_success": target,
        "arms": {
            arm: {
                **_intervals([measures_of(one, grpo.get(one.seed)) for one in some]),
                "tokens_to_target_success": [_tokens_to(one.grid, one.curve, target) for one in some],
                "tokens_of_the_mean_to": {
                    f"{share} of target": _tokens_to(
                        some[0].grid, np.mean([one.curve for one in some], axis=0), share * target
                    )
                    for share in SHARES
                },
            }
            for arm, some in arms.items()
        },
        "differences_to_grpo": {
            arm: {
                **_intervals([_difference(*pair) for pair in some]),
                "token_efficiency": {f"{share} of target": token_efficiency(some, share) for share in SHARES},
            }
            for arm, some in pairs.items()
            if some
        },
    }


def measures_of(one: Result, other: Result | None) -> dict[str, float]:
    """A run's measures; those at equal cost up to the cost of the cheaper of it and `other`, the run compared with.

    Times only if that run was made in the same place: elsewhere the machine may be another.
    """
    tokens = min(run.tokens[-1] for run in (one, other) if run)
    measures = {
        "pass@1": one.pass_at_1,
        "regret": one.regret,
        "regret_at_twice_the_budget": one.regret_at_twice,
        "generated_tokens_thousands": one.tokens[-1],
        "accuracy_at_equal_updates": one.accuracy[-1],
        "accuracy_at_equal_tokens": float(np.interp(tokens, one.tokens, one.accuracy)),
    }
    if other and one.place == other.place:
        hours = min(one.hours[-1], other.hours[-1])
        measures["accuracy_at_equal_hours"] = float(np.interp(hours, one.hours, one.accuracy))
        measures["seconds_per_step"] = one.seconds_per_step
    return measures


def _difference(one: Result, grpo: Result) -> dict[str, float]:
    ours, theirs = measures_of(one, grpo), measures_of(grpo, one)
    return {name: ours[name] - theirs[name] for name in ours}


def token_efficiency(pairs: list[tuple[Result, Result]], share: float) -> dict[str, Any]:
    """Tokens that GRPO needs for `share` of its success at the end of its budget ÷ tokens that the arm needs for it.

    Both on the mean curves of the seeds, 0 where the arm's never gets there; of every resample of the seeds its own
    target.

    Args:
        pairs: the arm's run and GRPO's of the same seed.
    """
    grid = np.array(pairs[0][0].grid)
    ours, theirs = (np.array([pair[which].curve for pair in pairs]) for which in (0, 1))

    def ratio(weights: np.ndarray) -> np.ndarray:
        method, baseline = (np.round(weights @ curves, 9) for curves in (ours, theirs))
        targets = np.round(share * baseline[:, -1], 9)
        return tokens_to_reach(grid, baseline, targets) / tokens_to_reach(grid, method, targets)

    (value,) = ratio(np.full((1, len(pairs)), 1 / len(pairs)))
    return {**estimate(value, ratio(resample_weights(len(pairs), 10_000))).to_dict(), "seeds": len(pairs)}


def _intervals(runs: list[dict[str, float]]) -> dict[str, Any]:
    """The interval of each measure over the runs that have it."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: interval([run[name] for run in runs if name in run]) for name in names}


def _tokens_to(grid: list[float], curve: Sequence[float], target: float) -> float | None:
    """Tokens at which forced answers are right as often as `target`; None if they never are."""
    # rounded: GRPO's own mean curve ends at the target
    reached = tokens_to_reach(np.array(grid), np.round([curve], 9), np.array([round(target, 9)]))[0]
    return float(reached) if np.isfinite(reached) else None


def draw(results: list[Result], path: Path) -> None:
    """Validation accuracy of every arm against updates, generated tokens and hours; J against tokens of thinking.

    Seeds are thin, means thick. Against hours only what was made in the place of GRPO's run of that seed.
    """
    places = {one.seed: one.place for one in results if one.arm == "grpo"}
    timed = [one for one in results if places.get(one.seed) == one.place]
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), constrained_layout=True)
    panels = (
        ("steps", "accuracy", "updates", "held-out accuracy"),
        ("tokens", "accuracy", "generated tokens in training, thousands", "held-out accuracy"),
        ("hours", "accuracy", "hours", "held-out accuracy"),
        ("grid", "curve", "tokens of a trace, after training", "success if stopped there (J)"),
    )
    for axis, (key, value, label, what) in zip(axes.flat, panels, strict=True):
        shown = timed if key == "hours" else results
        for arm, colour in zip(ARMS, COLOURS, strict=True):
            some = [(getattr(one, key), getattr(one, value)) for one in shown if one.arm == arm]
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
    """Two tables in Markdown: the arms, and their differences to GRPO; without intervals where there is one seed."""
    header = ["seeds", *MEASURES.values()]
    lines = _table(
        ["arm", *header, *(f"tokens to {share:.0%}" for share in SHARES)],
        [
            [f"`{arm}`", *_cells(row, ""), *map(_tokens, row["tokens_of_the_mean_to"].values())]
            for arm, row in summary["arms"].items()
        ],
    )
    differences = [
        [f"`{arm}`", *_cells(row, "+"), *map(_efficiency, row["token_efficiency"].values())]
        for arm, row in summary["differences_to_grpo"].items()
    ]
    header += [f"token efficiency at {share:.0%}" for share in SHARES]
    return [*lines, "", *_table(["minus `grpo`", *header], differences)] if differences else lines


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def _cells(row: dict[str, Any], sign: str) -> list[str]:
    """The number of seeds, and the measures that the row has."""
    seeds = len(row["pass@1"]["seeds"])
    return [
        str(seeds),
        *(
            _cell(row[name], sign, digits=1 if name == "seconds_per_step" else 3) if name in row else ""
            for name in MEASURES
        ),
    ]


def _cell(value: dict[str, Any], sign: str, digits: int) -> str:
    low, mean, high = (f"{value[key]:{sign}.{digits}f}" for key in ("low", "mean", "high"))
    return f"{mean} [{low}, {high}]" if len(value["seeds"]) > 1 else mean


def _efficiency(ratio: dict[str, Any]) -> str:
    value, low, high = (f"{ratio[key]:.2f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]" if ratio["seeds"] > 1 else value


def _tokens(tokens: float | None) -> str:
    return "never" if tokens is None else f"{tokens:.0f}"


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

"""What the study's results say: summary.json and curves.png beside them, and the evaluation's page of what is here."""

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

from recipes.study.arms import ARMS
from recipes.study.measures import SHARES, summarise
from recipes.study.result import Result
from recipes.study.study import OUT, STEPS, evaluation_of, results_of
from recipes.tools.markdown import table

TITLES = {
    "pass@1": "pass@1",
    "regret": "normalised regret",
    "regret_at_twice_the_budget": "at twice the budget",
    "accuracy_at_equal_updates": "accuracy at equal updates",
    "accuracy_at_equal_tokens": "at equal tokens",
    "accuracy_at_equal_hours": "at equal time",
    "seconds_per_step": "seconds a step",
}
"""What the measures are called in the tables, in their order."""
COLOURS = ("#000000", "#999999", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7")


def draw(results: list[Result], path: Path) -> None:
    """Validation accuracy of every arm against updates, generated tokens and hours; J against tokens of thinking.

    Seeds are thin, means thick. Against hours only what was made where GRPO's run of that seed was.
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
    header = ["seeds", *TITLES.values()]
    lines = table(
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
    return [*lines, "", *table(["minus `grpo`", *header], differences)] if differences else lines


def _cells(row: dict[str, Any], sign: str) -> list[str]:
    """The number of seeds, and the measures that the row has."""
    seeds = len(row["pass@1"]["seeds"])
    return [
        str(seeds),
        *(
            _cell(row[name], sign, digits=1 if name == "seconds_per_step" else 3) if name in row else ""
            for name in TITLES
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

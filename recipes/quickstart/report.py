"""Draws the quickstart's result: metrics.jsonl, report/training.png, report/trace.txt and report/index.html."""

import argparse
import html
import json
import math
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Metrics = dict[int, dict[str, float]]

PANELS = (
    ("success", {"mrt/outcome": "outcome of training rollouts", "mrt/j_before": "J without thinking (before)"}),
    ("progress per episode", {"mrt/progress_mean": "mean"}),
    ("tokens", {"mrt/think_tokens_mean": "thinking tokens per rollout"}),
    ("normalised regret", {"mrt/regret": "at the token budget"}),
)
ACCURACY = "val-core/search_task/acc/mean@1"


def merge_logs(out: Path) -> Metrics:
    """One line a step from the logs of all starts (a resumed run has several); written to metrics.jsonl.

    Raises:
        SystemExit: there is no finished step.
    """
    steps: Metrics = {}
    for log in sorted((out / "logs").glob("*.jsonl")):
        for line in log.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # the line a killed run was writing
            steps.setdefault(entry["step"], {}).update(entry["data"])
    if not any("mrt/outcome" in data for data in steps.values()):
        raise SystemExit(f"{out}/logs: no finished training step; see {out}/train.log")
    ordered = dict(sorted(steps.items()))
    lines = [json.dumps({"step": step, "data": data}) for step, data in ordered.items()]
    (out / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    return ordered


def draw(metrics: Metrics, path: Path) -> None:
    """Curves over training steps; validation accuracy joins the first panel."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.5), constrained_layout=True)
    for axis, (title, curves) in zip(axes.flat, PANELS, strict=True):
        for (key, label), colour in zip(curves.items(), ("#0072B2", "#E69F00"), strict=False):
            points = [(step, data[key]) for step, data in metrics.items() if key in data]
            axis.plot(*zip(*points, strict=True), color=colour, label=label)
        axis.set(title=title, xlabel="training step")
        axis.grid(alpha=0.3)
    validation = [(step, data[ACCURACY]) for step, data in metrics.items() if ACCURACY in data]
    if validation:
        axes[0, 0].plot(*zip(*validation, strict=True), "o-", color="#009E73", label="validation accuracy")
    for axis in axes.flat:
        axis.legend(frameon=False, fontsize=8)
    figure.suptitle("MRT in verl on one CPU machine: pair search with verification")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def pick_trace(out: Path) -> dict[str, Any] | None:
    """The first rollout logged in the last step that has the most episodes."""
    files = sorted((out / "traces").glob("*.jsonl"), key=lambda path: int(path.stem))
    traces = [json.loads(line) for line in files[-1].read_text().splitlines()] if files else []
    return max(traces, key=lambda trace: len(trace["episodes"]), default=None)


def describe_trace(trace: dict[str, Any]) -> str:
    """The trace as text, each episode headed by its J and progress."""
    progress = {boundary: value for _, boundary, value in trace["progress"]}
    lines = [trace["prompt_text"].strip(), f"-- J without thinking: {_number(trace['j_before'])}"]
    for index, (text, j) in enumerate(zip(trace["episode_texts"], trace["js"], strict=True)):
        lines += [f"-- episode {index}: J {_number(j)}, progress {_number(progress.get(index), '+.2f')}", text.strip()]
    return "\n".join([*lines, f"-- outcome {trace['outcome']:.0f} (step {trace['step']})"])


def describe_gain(metrics: Metrics, problems: int) -> str:
    """Validation accuracy before and after, with the standard error of the difference of two proportions."""
    scores = [data[ACCURACY] for data in metrics.values() if ACCURACY in data]
    if len(scores) < 2:
        return "no validation before and after in these logs"
    before, after = scores[0], scores[-1]
    error = math.sqrt((before * (1 - before) + after * (1 - after)) / problems)
    return (
        f"validation accuracy {before:.3f} before and {after:.3f} after training, on {problems} held-out problems "
        f"sampled once at temperature 1: a change of {after - before:+.3f}, standard error {error:.3f}"
    )


def _number(value: float | None, form: str = ".2f") -> str:
    return "unknown" if value is None else format(value, form)


def main(out: Path, problems: int) -> None:
    report = out / "report"
    report.mkdir(parents=True, exist_ok=True)
    metrics = merge_logs(out)
    draw(metrics, report / "training.png")
    gain = describe_gain(metrics, problems)
    trace = pick_trace(out)
    text = describe_trace(trace) if trace else "no traces were logged"
    (report / "trace.txt").write_text(text + "\n")
    (report / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>mrt-verl quickstart</title><style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;"
        "padding:0 1em}img{max-width:100%}pre{white-space:pre-wrap;background:#f4f4f4;padding:1em}</style>"
        f"<h1>mrt-verl quickstart</h1><p>{html.escape(gain)}.</p>"
        '<img src="training.png" alt="Training curves: success, progress, thinking tokens, normalised regret">'
        f"<h2>One rollout of the last step</h2><pre>{html.escape(text)}</pre></html>\n"
    )
    print(f"{gain}\nreport: {report / 'index.html'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/quickstart"))
    parser.add_argument("--problems", type=int, default=512, help="held-out problems behind a validation score")
    arguments = parser.parse_args()
    main(arguments.out, arguments.problems)

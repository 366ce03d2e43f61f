"""Evaluates the model before and after training on the held-out problems and writes report/index.html."""

import argparse
import json
from pathlib import Path

from mrt_verl.evaluation import command

BUDGETS = "40,80,160"
"""Tokens; the last is what training allows."""


def merge_logs(out: Path) -> None:
    """metrics.jsonl: one line a step from the logs of all starts (a resumed run has several).

    Raises:
        SystemExit: there is no finished step.
    """
    steps: dict[int, dict[str, float]] = {}
    for log in sorted((out / "logs").glob("*.jsonl")):
        for line in log.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # the line a killed run was writing
            steps.setdefault(entry["step"], {}).update(entry["data"])
    if not any("timing_s/step" in data for data in steps.values()):
        raise SystemExit(f"{out}/logs: no finished training step; see {out}/train.log")
    lines = [json.dumps({"step": step, "data": data}) for step, data in sorted(steps.items())]
    (out / "metrics.jsonl").write_text("\n".join(lines) + "\n")


def main(out: Path, problems: int) -> None:
    merge_logs(out)
    checkpoints = out / "checkpoints"
    step = (checkpoints / "latest_checkpointed_iteration.txt").read_text().strip()
    after = f"after-{step}-steps"  # a name of its own: a run that trained on is evaluated anew
    command.main(
        [
            *("run", "--model", f"{after}={checkpoints}/global_step_{step}", "--baseline", f"before={out}/model"),
            *("--data", f"{out}/data/test.parquet", "--problems", str(problems), "--traces", "2"),
            *("--budgets", BUDGETS, "--insertions", "2", "--insertion-tokens", "40"),
            *("--settings", "recipes/quickstart/train.yaml", "--out", f"{out}/evaluation"),
        ]
    )
    command.main(
        [
            *("report", f"{out}/evaluation/{after}", f"{out}/evaluation/before", "--out", f"{out}/report"),
            *("--training", f"quickstart={out}/metrics.jsonl"),
            *("--title", "mrt-verl quickstart: pair search before and after training"),
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/quickstart"))
    parser.add_argument("--problems", type=int, default=256, help="held-out problems that are evaluated (%(default)s)")
    arguments = parser.parse_args()
    main(arguments.out, arguments.problems)

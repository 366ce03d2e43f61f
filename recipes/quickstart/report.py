"""Evaluates the model before and after training on the held-out problems and writes report/index.html."""

import argparse
import json
from pathlib import Path

from mrt_verl.evaluation import EvaluationConfig, evaluate, report
from mrt_verl.evaluation.page.tables import describe
from mrt_verl.evaluation.settings import read_settings

BUDGETS = (40, 80, 160)
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
    runs = evaluate(
        EvaluationConfig(
            models={after: f"{checkpoints}/global_step_{step}", "before": f"{out}/model"},
            data=out / "data/test.parquet",
            budgets=BUDGETS,
            out=out / "evaluation",
            traces=2,
            problems=problems,
            insertions=2,
            insertion_tokens=40,
            settings=read_settings([Path("recipes/quickstart/train.yaml")], []),
        )
    )
    summary = report(
        [runs.directories[after], runs.directories["before"]],
        out / "report",
        training={"quickstart": out / "metrics.jsonl"},
        title="mrt-verl quickstart: pair search before and after training",
    )
    print("\n".join([*describe(summary), f"report: {out / 'report/index.html'}"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/quickstart"))
    parser.add_argument("--problems", type=int, default=256, help="held-out problems that are evaluated (%(default)s)")
    arguments = parser.parse_args()
    main(arguments.out, arguments.problems)

"""Evaluates what was trained on the held-out problems and writes report/index.html, recorded runs beside it."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from mrt_verl.evaluation import EvaluationConfig, evaluate, report
from mrt_verl.evaluation.page.sentences import describe
from mrt_verl.evaluation.settings import read_settings
from recipes.quickstart.arms import ARMS, MEASURED, OUT, directory_of
from recipes.quickstart.recorded import NAMES, RECORDED, unpack

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


def main(out: Path, arms: Sequence[str], problems: int, recorded: bool = True) -> None:
    """Evaluate the arms that were trained here, and write the page with them and the recorded runs.

    Args:
        arms: trained ones; the last is compared with each other run.
        problems: held-out problems that are evaluated.
        recorded: whether the recorded run of GRPO was as long, so that it can stand beside these.
    """
    for arm in arms:
        merge_logs(directory_of(arm, out))
    trained = [evaluate_arm(arm, out, problems) for arm in reversed(arms)]
    names = [name for name in NAMES if name not in arms and (recorded or name == "before")]
    kept = [path for name in names if (path := unpack(name, out / "recorded", out / "data/test.parquet"))]
    training = {arm: directory_of(arm, out) / "metrics.jsonl" for arm in reversed(arms)}
    training |= {NAMES[path.name]: log for path in kept if (log := RECORDED / path.name / "metrics.jsonl").exists()}
    page = out / "report"
    title = "mrt-verl quickstart: MRT against GRPO on pair search"
    try:
        summary = report([*trained, *kept], page, training=training, common=bool(kept), title=title)
    except ValueError as why:
        if not kept:
            raise
        # of another version of a package that grades, say: no reason to lose what was trained here
        print(f"the recorded runs are left out: {why}", flush=True)
        summary = report(trained, page, training=training, title=title)
    print("\n".join([*describe(summary), f"metrics: {out / 'metrics.jsonl'}", f"report: {page / 'index.html'}"]))


def evaluate_arm(arm: str, out: Path, problems: int) -> Path:
    """The evaluation's run of an arm's last checkpoint."""
    checkpoints = directory_of(arm, out) / "checkpoints"
    step = (checkpoints / "latest_checkpointed_iteration.txt").read_text().strip()
    name = f"{arm}-{step}-steps"  # of its own: a run that trained on is evaluated anew
    return evaluate_model(name, f"{checkpoints}/global_step_{step}", out, problems)


def evaluate_model(name: str, model: str, out: Path, problems: int) -> Path:
    """An evaluation's run of a model."""
    runs = evaluate(
        EvaluationConfig(
            models={name: model},
            data=out / "data/test.parquet",
            budgets=BUDGETS,
            out=out / "evaluation",
            traces=2,
            problems=problems,
            settings=read_settings([Path("recipes/quickstart/train.yaml")], MEASURED),
        )
    )
    return runs.directories[name]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--arms", nargs="+", default=["mrt"], choices=list(ARMS))
    parser.add_argument("--problems", type=int, default=256, help="held-out problems that are evaluated (%(default)s)")
    arguments = parser.parse_args()
    main(arguments.out, arguments.arms, arguments.problems)

"""Runs of the quickstart that are kept in the repository, so that a page has something to compare with at once.

    python -m recipes.quickstart.recorded      keep those of outputs/quickstart, trained with QUICKSTART_ARMS="grpo mrt"

recorded/NAME/run.json, traces.jsonl.gz   an evaluation's run, its traces packed
recorded/NAME/metrics.jsonl               of the training, if it was trained
"""

import gzip
import hashlib
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

from data_prep.search_task import VERSION
from mrt_verl.evaluation.problems import read_problems
from mrt_verl.evaluation.store import SETTINGS, TRACES
from mrt_verl.evaluation.stored import read_records
from recipes.quickstart.arms import MEASURED, OUT, STEPS, directory_of, overrides_of
from recipes.quickstart.prepare import WARM_START

RECORDED = Path("recipes/quickstart/recorded")
NAMES = {"grpo": "grpo (recorded)", "before": "warm start (recorded)"}
"""Kept runs, and what a page calls them."""
KEPT = ("mrt/", "val-core/", "critic/score/mean", "response_length/mean", "timing_s/step")
"""Metrics of a kept log, by how their names begin."""
PROBLEMS = 256


def keep(name: str, evaluation: Path, metrics: Path | None, to: Path = RECORDED) -> None:
    """Pack an evaluation's run, and the metrics of its training, into `to`/`name`."""
    folder = to / name
    folder.mkdir(parents=True, exist_ok=True)
    settings = json.loads((evaluation / SETTINGS).read_text())
    settings["name"] = NAMES[name]
    settings["model"] = f"recorded {date.today()}: {name}"
    settings["recorded"] = made_by(name)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
    # no time of packing in it: the same run is the same file
    (folder / f"{TRACES}.gz").write_bytes(gzip.compress((evaluation / TRACES).read_bytes(), mtime=0))
    if metrics is not None:
        lines = [json.loads(line) for line in metrics.read_text().splitlines()]
        kept = [{"step": one["step"], "data": _rounded(one["data"])} for one in lines]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in kept))


def unpack(name: str, out: Path, data: Path) -> Path | None:
    """Lay a kept run out below `out` as an evaluation of `data`; None where it is of other problems or another task.

    The file's own hash may differ with the version of the package that wrote it, so that problems are compared instead.
    """
    source, target = RECORDED / name, out / name
    if not source.exists():
        return None
    settings = json.loads((source / SETTINGS).read_text())
    if settings["recorded"] != made_by(name):
        return None
    target.mkdir(parents=True, exist_ok=True)
    (target / TRACES).write_bytes(gzip.decompress((source / f"{TRACES}.gz").read_bytes()))
    uids = {record.problem: record.uid for record in read_records(target / TRACES)}
    here = {one.index: one.uid for one in read_problems(data, len(uids))}
    if uids != here:
        return None
    settings["data"] = {"file": data.name, "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    (target / SETTINGS).write_text(json.dumps(settings))
    return target


def made_by(name: str) -> dict[str, Any]:
    """What a run depends on: one that was made with anything else is no longer shown."""
    model = hashlib.sha256((WARM_START / "model.safetensors").read_bytes()).hexdigest()
    made: dict[str, Any] = {"task_version": VERSION, "warm_start": model, "measured": list(MEASURED)}
    if name != "before":
        texts = b"".join((Path("recipes/quickstart") / file).read_bytes() for file in ("train.yaml", "short.yaml"))
        made |= {"overrides": overrides_of(name, STEPS), "settings": hashlib.sha256(texts).hexdigest()}
    return made


def _rounded(data: dict[str, Any]) -> dict[str, float]:
    return {key: float(f"{value:.5g}") for key, value in data.items() if key.startswith(KEPT)}


def main(out: Path = OUT) -> None:
    """Keep the warm start and the arm GRPO of a whole quickstart."""
    from recipes.quickstart.report import evaluate_model

    os.environ.setdefault("VERL_PLATFORM", "cpu")  # what is recorded was trained on one
    before = evaluate_model("before", f"{out}/model", out, problems=PROBLEMS)
    keep("before", before, None)
    keep("grpo", out / "evaluation" / f"grpo-{STEPS}-steps", directory_of("grpo", out) / "metrics.jsonl")


if __name__ == "__main__":
    main()

"""What is kept of a finished run: recipes/study/results/vVERSION/runs/ARM-SEED.json, from verl's log and evaluation.

These files are small and committed, so a study can go on elsewhere and its summary can be checked without the runs.
"""

import dataclasses
import json
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.search_task import VERSION
from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.measures import Measures
from mrt_verl.evaluation.page.training import read_metrics

ACCURACY = "val-core/search_task/acc/mean@1"


@dataclass(frozen=True)
class Result:
    """One run of an arm."""

    arm: str
    seed: int
    commit: str
    """Of the repository when the run was evaluated."""
    place: str
    """The checkout it ran in (study.place): only there are its times comparable."""
    overrides: list[str]
    """What the trainer was started with."""
    steps: list[int]
    """Updates after which there was a validation, of one trace for each held-out problem."""
    accuracy: list[float]
    tokens: list[float]
    """Generated tokens up to then, branches counted, in thousands."""
    hours: list[float]
    """Time of the training steps up to then."""
    seconds_per_step: float
    problems: int
    """Held-out problems of the evaluation after the last update, on which all that follows was measured."""
    pass_at_1: float
    regret: float
    """Normalised regret at the training budget."""
    regret_at_twice: float
    """At twice the training budget, with forced extrapolation beyond each trace's end."""
    grid: list[float]
    """Tokens of `curve`."""
    curve: list[float]
    """J after so many tokens, mean over traces and problems."""
    task: int = 1
    """`VERSION` of the search task it was made with; the first runs' files do not name theirs."""

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(self)) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Result":
        return cls(**json.loads(path.read_text()))


def collect(arm: str, seed: int, place: str, overrides: list[str], metrics: Path, evaluated: Run) -> Result:
    """The result of one run from its merged metrics.jsonl and its evaluation."""
    tokens = hours = 0.0
    rows: list[tuple[int, float, float, float]] = []
    log = read_metrics(metrics)
    for step, data in log.items():
        tokens += _generated_tokens(data) / 1000
        hours += data.get("timing_s/step", 0.0) / 3600
        if ACCURACY in data:
            rows.append((step, data[ACCURACY], round(tokens, 3), round(hours, 5)))
    steps, accuracy, spent, clock = map(list, zip(*rows, strict=True))
    measures = Measures(evaluated)
    return Result(
        arm=arm,
        seed=seed,
        commit=_commit(),
        place=place,
        overrides=overrides,
        steps=steps,
        accuracy=accuracy,
        tokens=spent,
        hours=clock,
        seconds_per_step=statistics.median(data["timing_s/step"] for data in log.values() if "timing_s/step" in data),
        problems=len(evaluated.problems),
        pass_at_1=float(measures.outcomes.mean()),
        regret=float(measures.regrets(measures.budget).mean()),
        regret_at_twice=float(measures.regrets(2 * measures.budget, extended=True).mean()),
        grid=measures.grid.tolist(),
        curve=np.round(measures.plain_curves.mean(axis=0), 5).tolist(),
        task=VERSION,
    )


def _generated_tokens(data: dict[str, float]) -> float:
    """Tokens the policy generated in a step for training: rollouts, and branches in proportion to them.

    What stands in a response and was not generated for it, a shared prefix and the stop text, is taken off. Forced and
    continued rollouts of a prompt, as many of the one as of the other, have the same prefix.
    """
    if "response_length/mean" not in data:  # the validation before training
        return 0.0
    rollouts = data["perf/total_num_tokens"] / (data["prompt_length/mean"] + data["response_length/mean"])
    prefix = data.get("mrt/prefix_tokens_mean", 0.0) * (1.0 - data.get("mrt/fallback_share", 0.0))
    sampled = data["response_length/mean"] - prefix - data.get("mrt/inserted_mean", 0.0)
    return rollouts * sampled * (1.0 + data.get("mrt/branch_tokens_ratio", 0.0))


def _commit() -> str:
    result = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return result.stdout.strip() or "unknown"

"""Which checkpoint of a run is the best one: `python -m recipes.tools.best outputs/RECIPE/ARM [--keep]`.

The one with the largest validation accuracy (`val-core/…/acc/mean@n`, the mean over the sets) of those that are there,
the earlier one of equal ones; the last one where there was no validation. verl itself keeps the last, not the best. The
path is printed, the reason goes to the error stream.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from mrt_verl.evaluation.checkpoints import STEP, find_actor
from mrt_verl.evaluation.page.training import read_metrics

ACCURACY = re.compile(r"val-core/.*/acc/mean@\d+")


def main() -> None:
    """Print the best checkpoint; a directory without any ends it with one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="trainer.default_local_dir of the run")
    parser.add_argument("--metrics", type=Path, help="directory of its metrics-*.jsonl (default: that of the run)")
    parser.add_argument(
        "--keep", action="store_true", help="remove the others, but for the last, from which it resumes"
    )
    options = parser.parse_args()
    try:
        steps = checkpoints(options.run)
        accuracies = validation(options.metrics or options.run)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    best, why = choose(steps, accuracies)
    print(f"best checkpoint of {options.run}: step {best}, {why}", file=sys.stderr)
    if options.keep:
        for step in set(steps) - {best, max(steps)}:
            shutil.rmtree(steps[step])
    print(steps[best])


def checkpoints(run: Path) -> dict[int, Path]:
    """The checkpoints of a run by step.

    Raises:
        ValueError: there is none.
    """
    found = {path.name.removeprefix(STEP): path for path in run.glob(f"{STEP}*") if find_actor(path) is not None}
    steps = {int(step): path for step, path in found.items() if step.isdigit()}
    if not steps:
        raise ValueError(f"{run}: no checkpoint; allowed: a directory with {STEP}N/actor in it (trainer.save_freq)")
    return steps


def validation(directory: Path) -> dict[int, float]:
    """Mean validation accuracy by step, from all logs of a run; a later log counts where both have a step."""
    logs = sorted(directory.glob("metrics*.jsonl"), key=lambda path: path.stat().st_mtime)
    found: dict[int, float] = {}
    for log in (path for path in logs if path.stat().st_size):
        for step, data in read_metrics(log).items():
            values = [value for key, value in data.items() if ACCURACY.fullmatch(key)]
            if values:
                found[step] = sum(values) / len(values)
    return found


def choose(steps: Mapping[int, Path], accuracies: Mapping[int, float]) -> tuple[int, str]:
    """The best step and the reason."""
    validated = sorted(step for step in steps if step in accuracies)
    if not validated:
        return max(steps), "the last: no checkpoint was validated (trainer.test_freq)"
    best = max(validated, key=lambda step: accuracies[step])
    better = [step for step in accuracies if step not in steps and accuracies[step] > accuracies[best]]
    lost = f"; step {max(better, key=lambda s: accuracies[s])} was better and is not there" if better else ""
    return best, f"validation accuracy {accuracies[best]:.3f}, of {len(validated)} that were validated{lost}"


if __name__ == "__main__":
    main()

"""Does anything grow: memory, open files, threads of a run's processes over its steps; of a grader over its gradings.

    python -m tests.faults.soak training --steps 1000 --out outputs/soak     in pieces of --piece steps over resumes
    python -m tests.faults.soak grading --gradings 100000 --out outputs/soak   1 % of the answers are hostile

Prints, for each kind of process, the slope of each quantity per 1,000 steps (or gradings) with its 95 % interval by
least squares, the first fifth left out; exit code 1 where an interval lies above 0. A process that a resume starts anew
is compared with itself alone: each piece has its own intercept. Samples are neighbours in time, so intervals are too
narrow where a quantity wanders.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.case import PATIENCE
from tests.faults.training import Training, kind_of, make_workspace

QUANTITIES = ("resident MB", "open files", "threads")
WARM_UP = 0.2
ROUNDING = 1e-6
"""Share of a quantity per 1,000 steps below which a slope is that of the arithmetic."""
Sample = Mapping[str, Any]
"""piece, step, and `kinds`: by kind of process the sums of QUANTITIES over its processes."""


def measure(pid: int) -> list[float]:
    """QUANTITIES of a process now."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    resident = float(fields["VmRSS"].split()[0]) / 1024
    return [resident, float(len(os.listdir(f"/proc/{pid}/fd"))), float(fields["Threads"])]


def measure_all(pids: Sequence[int]) -> dict[str, list[float]]:
    """Sums by kind; a process that ends meanwhile is left out."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(QUANTITIES))
    for pid in pids:
        try:
            kind, values = kind_of(pid), measure(pid)
        except (OSError, KeyError, ValueError):
            continue
        sums[kind] = [total + value for total, value in zip(sums[kind], values, strict=True)]
    return dict(sums)


def slope(pieces: Sequence[int], steps: Sequence[float], values: Sequence[float]) -> tuple[float, float] | None:
    """(slope per step, half of its 95 % interval), with an intercept for each piece; None for too few samples."""
    names = sorted(set(pieces))
    design = np.array(
        [[step, *(float(piece == name) for name in names)] for piece, step in zip(pieces, steps, strict=True)]
    )
    free = len(values) - design.shape[1]
    if free < 3 or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    found, *_ = np.linalg.lstsq(design, np.asarray(values), rcond=None)
    variance = float(np.sum((np.asarray(values) - design @ found) ** 2)) / free
    error = float(np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0]))
    return float(found[0]), 1.96 * error


def report(samples: Sequence[Sample], unit: str) -> tuple[list[str], bool]:
    """Markdown, and whether nothing grows."""
    lines = [f"| process | quantity | first | last | per 1,000 {unit} | |", "|---|---|---|---|---|---|"]
    by_piece: dict[int, list[Sample]] = defaultdict(list)
    for one in samples:
        by_piece[one["piece"]].append(one)
    warm = [one for piece in by_piece.values() for one in piece[int(WARM_UP * len(piece)) :]]
    is_flat = True
    for kind in sorted({kind for one in warm for kind in one["kinds"]}):
        rows = [one for one in warm if kind in one["kinds"]]
        for place, quantity in enumerate(QUANTITIES):
            values = [one["kinds"][kind][place] for one in rows]
            found = slope([one["piece"] for one in rows], [one["step"] for one in rows], values)
            if found is None:
                continue
            low, high = (1000 * (found[0] + sign * found[1]) for sign in (-1, 1))
            grows = low > ROUNDING * max(abs(values[0]), 1.0)
            is_flat = is_flat and not grows
            lines.append(
                f"| {kind} | {quantity} | {values[0]:.1f} | {values[-1]:.1f} | {1000 * found[0]:+.2f} "
                f"[{low:+.2f}, {high:+.2f}] | {'grows' if grows else ''} |"
            )
    return lines, is_flat


def soak_training(out: Path, steps: int, piece: int, every: float) -> list[Sample]:
    """Runs of `piece` steps, each resumed from the last one's checkpoint."""
    workspace, samples = make_workspace(out / "workspace"), []
    for number, last in enumerate(range(piece, steps + piece, piece)):
        done = last - piece
        overrides = [f"trainer.total_training_steps={min(last, steps)}", f"trainer.save_freq={piece}"]
        run = Training(workspace, out, [*overrides, "trainer.total_epochs=100000", "trainer.max_actor_ckpt_to_keep=2"])
        try:
            while run.process.poll() is None:
                if run.steps > done:
                    samples.append({"piece": number, "step": run.steps, "kinds": measure_all(run.processes())})
                time.sleep(every)
            if run.process.returncode:
                raise SystemExit(f"ended with exit code {run.process.returncode}: {run.log_path}")
        finally:
            run.end()
        (out / "metrics.jsonl").replace(out / f"metrics_{number}.jsonl")
    return samples


def soak_grading(out: Path, gradings: int) -> list[Sample]:
    """Answers that need a worker, 1 % of them hostile: that hang, eat memory, or are a megabyte long."""
    from mrt_verl.grading import Grader

    hostile = (r"9^{{9^{{9^{{{n}}}}}}}", r"\sum_{{n=1}}^{{10^{{12}}}} n^{{{n}}}", r"\sqrt{{{n}}}" + "+1" * 300_000)
    samples: list[Sample] = []
    with Grader(thinking=None, deadline_s=2.0 * PATIENCE, cache_size=1000) as grader:
        for number in range(gradings):
            text = rf"\sin^2 {number}+\cos^2 {number}+{number}"
            if number % 100 == 99:
                text = hostile[number // 100 % len(hostile)].format(n=number)
            grader.grade_sync([rf"\boxed{{{text}}}"], str(number + 1), finished=True)
            if number % max(gradings // 200, 1) == 0:
                pids = [os.getpid(), *(pid for pool in grader._pools.values() for pid in pool.pids())]
                samples.append({"piece": 0, "step": number, "kinds": _of_grader(pids)})
        print(grader.stats())
    return samples


def _of_grader(pids: Sequence[int]) -> dict[str, list[float]]:
    found = measure_all(pids)
    return {"grader" if kind != "grading worker" else kind: values for kind, values in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["training", "grading"])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--piece", type=int, default=250, help="steps of a run before it is ended and resumed")
    parser.add_argument("--gradings", type=int, default=100_000)
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if options.what == "training":
        samples, unit = soak_training(out, options.steps, options.piece, options.every), "steps"
    else:
        samples, unit = soak_grading(out, options.gradings), "gradings"
    (out / f"{options.what}.json").write_text(json.dumps(samples) + "\n")
    lines, is_flat = report(samples, unit)
    (out / f"{options.what}.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0 if is_flat else 1


if __name__ == "__main__":
    sys.exit(main())

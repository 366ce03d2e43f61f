"""Does anything grow: memory, open files, threads of a run's processes over its steps.

    python -m tests.faults.soak --steps 1000 --out outputs/soak               in pieces of --piece steps over resumes
    python -m tests.faults.soak --steps 200 --arm grpo --out outputs/soak     verl's own GRPO, nothing of ours in it

Prints, for each kind of process, the slope of each quantity per 1,000 steps with its 95 % interval by least squares,
the first fifth left out; exit code 1 where an interval lies above 0. A process that a resume starts anew is compared
with itself alone: each piece has its own intercept. Samples are neighbours in time, so intervals are too narrow where a
quantity wanders.
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

from tests.faults.training import ARMS, Training, kind_of, make_workspace

QUANTITIES = ("resident MB", "open files", "threads", "anonymous MB")
"""The last one is the part of the first that no file and no shared memory backs: Ray's object store is not in it."""
WARM_UP = 0.2
ROUNDING = 1e-6
"""Share of a quantity per 1,000 steps below which a slope is that of the arithmetic."""
Sample = Mapping[str, Any]
"""piece, step, and `kinds`: by kind of process the sums of QUANTITIES over its processes."""


def measure(pid: int) -> list[float]:
    """QUANTITIES of a process now."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    resident, anonymous = (float(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
    return [resident, float(len(os.listdir(f"/proc/{pid}/fd"))), float(fields["Threads"]), anonymous]


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


def report(samples: Sequence[Sample]) -> tuple[list[str], bool]:
    """Markdown, and whether nothing grows."""
    lines = ["| process | quantity | first | last | per 1,000 steps | |", "|---|---|---|---|---|---|"]
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


def soak(arm: str, out: Path, steps: int, piece: int, every: float) -> list[Sample]:
    """Runs of `piece` steps, each resumed from the last one's checkpoint."""
    workspace, samples = make_workspace(out / "workspace"), []
    (out / "samples.jsonl").unlink(missing_ok=True)
    for number, last in enumerate(range(piece, steps + piece, piece)):
        done = last - piece
        overrides = [f"trainer.total_training_steps={min(last, steps)}", f"trainer.save_freq={piece}"]
        overrides += ["trainer.total_epochs=100000", "trainer.max_actor_ckpt_to_keep=2"]
        run = Training(workspace, out, overrides, arm=arm)
        try:
            while run.process.poll() is None:
                if done < (step := run.steps) < min(last, steps):  # after the last step processes end one by one
                    samples.append({"piece": number, "step": step, "kinds": measure_all(run.processes())})
                    with (out / "samples.jsonl").open("a") as file:
                        file.write(json.dumps(samples[-1]) + "\n")
                time.sleep(every)
            if run.process.returncode:
                raise SystemExit(f"ended with exit code {run.process.returncode}: {run.log_path}")
        finally:
            run.end()
        (out / "metrics.jsonl").replace(out / f"metrics_{number}.jsonl")
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--piece", type=int, default=250, help="steps of a run before it is ended and resumed")
    parser.add_argument("--arm", choices=sorted(ARMS), default="mrt")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    out = options.out.resolve() / options.arm
    out.mkdir(parents=True, exist_ok=True)
    samples = soak(options.arm, out, options.steps, options.piece, options.every)
    lines, is_flat = report(samples)
    (out / "slopes.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0 if is_flat else 1


if __name__ == "__main__":
    sys.exit(main())

"""Shows a training run's progress in one line a step, keeps its whole output in a file, and its end if it fails."""

import re
import sys
from collections import deque

SHOWN = {
    "outcome": "mrt/outcome",
    "regret": "mrt/regret",
    "episodes": "mrt/episodes_mean",
    "think tokens": "mrt/think_tokens_mean",
    "seconds": "timing_s/step",
}


def summarise(line: str) -> str | None:
    """One line for a step or a validation, None for anything else."""
    validation = re.search(r"val-core/\S+?/acc/mean@1'?: ?(?:np\.float64\()?([\d.]+)", line)
    accuracy = f"  validation accuracy {float(validation.group(1)):.3f}" if validation else ""
    step = re.search(r"step:(\d+) - ", line)
    if not step:
        return f"before training:{accuracy}" if accuracy and "Initial" in line else None
    values = [(name, re.search(rf"{re.escape(key)}:([\d.e+-]+)", line)) for name, key in SHOWN.items()]
    shown = "  ".join(f"{name} {float(found.group(1)):.3g}" for name, found in values if found)
    return f"step {int(step.group(1)):3d}  {shown}{accuracy}" if shown else None


def main(path: str) -> None:
    print(f"training starts; the first step comes after a minute or two, all output goes to {path}", flush=True)
    last: deque[str] = deque(maxlen=40)
    shown = 0
    with open(path, "w", encoding="utf-8") as file:
        for line in sys.stdin:
            file.write(line)
            file.flush()
            last.append(line)
            summary = summarise(line)
            if summary:
                shown += 1
                print(summary, flush=True)
    if not shown:
        print("".join(last), file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])

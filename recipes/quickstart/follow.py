"""Shows a training run's progress in one line a step and keeps its whole output in a file."""

import re
import sys

SHOWN = {
    "outcome": "mrt/outcome",
    "regret": "mrt/regret",
    "episodes": "mrt/episodes_mean",
    "think tokens": "mrt/think_tokens_mean",
    "seconds": "timing_s/step",
}


def summarise(line: str) -> str | None:
    """One line for a step, with the validation that may have followed it; None for anything else."""
    step = re.search(r"step:(\d+) - ", line)
    if not step:
        return None
    validation = re.search(r"val-core/\S+?/acc/mean@1:(?:np\.float64\()?([\d.]+)", line)
    accuracy = f"  validation accuracy {float(validation.group(1)):.3f}" if validation else ""
    values = [(name, re.search(rf"{re.escape(key)}:([\d.e+-]+)", line)) for name, key in SHOWN.items()]
    shown = "  ".join(f"{name} {float(found.group(1)):.3g}" for name, found in values if found)
    return f"step {int(step.group(1)):3d}  {shown}{accuracy}"


def main(path: str) -> None:
    print(f"training starts; the first step comes after a minute or two, all output goes to {path}", flush=True)
    with open(path, "w", encoding="utf-8") as file:
        for line in sys.stdin:
            file.write(line)
            file.flush()
            summary = summarise(line)
            if summary:
                print(summary, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

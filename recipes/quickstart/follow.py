"""Shows a training run's progress in one line a step and keeps its whole output in a file.

As a filter: `… main_ppo … 2>&1 | python -m recipes.quickstart.follow LOG STEPS [METRICS]`.
"""

import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

SHOWN = {
    "accuracy": ("mrt/outcome", "critic/score/mean"),
    "regret": ("mrt/regret",),
    "episodes": ("mrt/episodes_mean",),
    "tokens": ("mrt/think_tokens_mean", "response_length/mean"),
}
"""Label and metrics, of which the first that the step has is shown."""
STARTING = (
    (re.compile(r"Started a local Ray instance"), "Ray is up"),
    (re.compile(r"create worker group"), "the trainer loads the model"),
    (re.compile(r"LLMServerManager: "), "vLLM is up"),
    (re.compile(r"Training Progress"), "the first rollouts"),
)
"""What comes before the first step, each told once."""
NUMBER = r"(?:np\.float64\()?(-?[\d.]+(?:e[+-]?\d+)?)"


def summarise(line: str, steps: int | None = None) -> str | None:
    """One line for a step, with the validation that may have followed it; None for anything else."""
    step = re.search(r"step:(\d+) - ", line)
    if not step:
        return None
    shown = [
        f"{label} {value:.3g}" if value >= 10 else f"{label} {value:.2f}"
        for label, keys in SHOWN.items()
        if (value := _value(line, keys)) is not None
    ]
    validation = _value(line, (r"val-core/\S+?/acc/mean@\d+",))
    if validation is not None:
        shown.append(f"held-out accuracy {validation:.3f}")
    of = f"/{steps}" if steps else ""
    return f"step {int(step.group(1)):3d}{of}  " + "  ".join(shown)


def _value(line: str, patterns: Iterable[str]) -> float | None:
    for pattern in patterns:
        found = re.search(rf"(?<!\S){pattern}:{NUMBER}", line)
        if found:
            return float(found.group(1))
    return None


class Progress:
    """Turns the lines of a trainer into those a person reads."""

    def __init__(self, steps: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Count from now on; `steps` of the whole run, if known."""
        self.steps, self.clock = steps, clock
        self.started = clock()
        self._told: set[str] = set()
        self._ends: list[tuple[int, float]] = []
        """(step, time) of the steps so far."""

    def line(self, text: str) -> str | None:
        """What to show of a line, or None."""
        summary = summarise(text, self.steps)
        if summary is None:
            return self._starting(text)
        step = int(re.findall(r"step:(\d+) - ", text)[0])
        self._ends.append((step, self.clock()))
        left = self.seconds_left()
        return summary if left is None else f"{summary}  {clock_text(left)} left"

    def seconds_left(self) -> float | None:
        """Seconds of training to come, from the last steps' pace; None while there is none."""
        if self.steps is None or len(self._ends) < 2:
            return None
        (first, begun), (last, ended) = self._ends[-min(len(self._ends), 8)], self._ends[-1]
        return (ended - begun) / (last - first) * (self.steps - last) if last > first else None

    def _starting(self, text: str) -> str | None:
        for pattern, words in STARTING:
            if words not in self._told and pattern.search(text):
                self._told.add(words)
                return f"  {words} ({self.clock() - self.started:.0f} s)"
        return None


def clock_text(seconds: float) -> str:
    """`2:05 min`, or `45 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02d} min"


def follow(lines: Iterable[str], log: Path, steps: int | None = None) -> int:
    """Show a trainer's progress and append all its lines to `log`; returns how many steps were seen."""
    progress, seen = Progress(steps), 0
    with log.open("a", encoding="utf-8") as file:
        for line in lines:
            file.write(line)
            file.flush()
            shown = progress.line(line)
            if shown:
                print(shown, flush=True)
                seen += shown.startswith("step")
    return seen


def main(arguments: list[str]) -> None:
    """Follow standard input; with METRICS a last line says where they are."""
    log, steps, *metrics = arguments
    print(f"the first step comes after a minute or two; all output is in {log}", flush=True)
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    seen = follow(sys.stdin, Path(log), int(steps) or None)
    if metrics and seen:
        print(f"metrics: {metrics[0]}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

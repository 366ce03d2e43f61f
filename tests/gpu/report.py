"""What a stage leaves: its checks and figures, as one JSON file that the runner reads."""

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gpu.stages import Device


@dataclass(frozen=True)
class Options:
    """Where and on what a stage runs."""

    device: Device
    out: Path
    """Its own directory: models, logs, checkpoints."""
    limit: float
    """Seconds after which it is ended."""

    @property
    def tiny(self) -> bool:
        """Whether the sizes are those that a CPU manages, to find typing errors and no figures."""
        return self.device == "cpu"

    @property
    def dtype(self) -> str:
        return "float32" if self.tiny else "bfloat16"


class Report:
    """Checks that held or not, and figures, printed as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.figures: dict[str, Any] = {}
        self.failed: list[str] = []

    def note(self, **figures: Any) -> None:
        """Add figures and write what there is so far: a stage may be ended at any time."""
        self.figures.update(figures)
        print("       " + ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)
        self.write()

    def check(self, name: str, holds: bool, said: object = "") -> None:
        """One check: whether it held."""
        print(f"  {'ok  ' if holds else 'BAD '} {name} {said}", flush=True)
        if not holds:
            self.failed.append(f"{name} {said}".strip())
        self.write()

    def attempt(self, name: str, work: Callable[[], Any]) -> Any:
        """The result of some work; None, and a failed check, if it raises: what follows may still tell something."""
        started = time.perf_counter()
        try:
            return work()
        except Exception as error:
            traceback.print_exc()
            self.check(name, False, f"{type(error).__name__}: {error} after {time.perf_counter() - started:.0f} s")
            return None

    def write(self) -> None:
        self.path.write_text(json.dumps({"failed": self.failed, "figures": self.figures}, indent=1))

"""A fault that is tried on a real run: what it is, what must happen, and what was seen."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = float(os.environ.get("MRT_FAULT_PATIENCE", 1))
"""What all limits are multiplied by, on a machine that does other things as well."""


@dataclass
class Seen:
    """What happened."""

    what: str = ""
    """In a few words, for the table."""
    told_s: float | None = None
    """Seconds from the fault until a line told of it; None where none did, or nothing had to be told."""
    failed: list[str] = field(default_factory=list)
    """What was not as expected; [] passes."""

    def check(self, name: str, holds: bool) -> None:
        print(f"  {'ok  ' if holds else 'BAD '} {name}", flush=True)
        if not holds:
            self.failed.append(name)


@dataclass(frozen=True)
class Case:
    """One row of the matrix."""

    name: str
    fault: str
    moment: str
    expected: str
    run: Callable[[Path, Path], Seen]
    """run(workspace, out) tries it; `workspace` holds model/ and data/, `out` is the case's own."""
    limit: int = 600
    """Seconds on two idle cores."""

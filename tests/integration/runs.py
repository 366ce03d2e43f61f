"""The model that runs start from, and what they leave behind."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.builders import ROOT

WARM_START = ROOT / "recipes" / "study" / "warm_start"
"""Right half of the time. Trained anew it would be another model on another kind of processor, and which traces have
several episodes, or right answers, would be luck."""


@dataclass
class Run:
    """What one training run left behind."""

    steps: dict[int, dict[str, float]]
    traces: dict[int, list[dict[str, Any]]]
    dumps: dict[int, list[dict[str, Any]]]
    log: str


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_directory(path: Path) -> dict[int, list[dict[str, Any]]]:
    return {int(re.sub(r"\D", "", file.stem)): read_lines(file) for file in path.glob("*.jsonl")}

"""tests/gpu/results/: one JSON and one Markdown table for each device, with card, versions, commit and command."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.gpu.stages import STAGES

NOT_RUN = "NOT RUN"


@dataclass(frozen=True)
class Outcome:
    """How one stage ended."""

    verdict: str
    """PASS, FAIL or NOT RUN."""
    seconds: float | None = None
    why: str = ""
    """Of a stage that failed or was not run."""
    figures: Mapping[str, Any] = field(default_factory=dict)


def table(about: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> str:
    """Markdown: what ran on what, each stage of the list (NOT RUN if it has no outcome), and the figures."""
    lines = ["# Stages of tests/gpu", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    lines += ["| stage | what passing shows | result | seconds | |", "|---|---|---|---|---|"]
    for stage in STAGES:
        one = outcomes.get(stage.name, Outcome(NOT_RUN))
        took = "" if one.seconds is None else f"{one.seconds:.0f}"
        lines.append(f"| {stage.name} | {stage.shows} | {one.verdict} | {took} | {_cell(one.why)} |")
    for stage in STAGES:
        figures = outcomes[stage.name].figures if stage.name in outcomes else {}
        if figures:
            lines += ["", f"## {stage.name}", "", "| figure | value |", "|---|---|"]
            lines += [f"| {name} | {_cell(value)} |" for name, value in figures.items()]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return " ".join(text.replace("|", "\\|").split())[:400]


def write_results(
    directory: Path, device: str, about: Mapping[str, Any], outcomes: Mapping[str, Outcome]
) -> Sequence[Path]:
    """`directory`/{device}.json and {device}.md; stages that an earlier run left there are replaced as a whole."""
    directory.mkdir(parents=True, exist_ok=True)
    data, page = directory / f"{device}.json", directory / f"{device}.md"
    stages = {stage.name: asdict(outcomes.get(stage.name, Outcome(NOT_RUN))) for stage in STAGES}
    data.write_text(json.dumps({**about, "stages": stages}, indent=1) + "\n")
    page.write_text(table(about, outcomes))
    return data, page

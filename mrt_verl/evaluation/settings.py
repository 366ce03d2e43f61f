"""The settings of an evaluation: the `mrt:` node, as in training, and what run.json keeps."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import mrt_verl
from mrt_verl.evaluation.thinking import SamplingPlan
from mrt_verl.settings import MRTSettings

DEFAULTS = Path(mrt_verl.__file__).parent / "conf" / "reward_model" / "mrt.yaml"
MAX_EPISODES = 100
"""Default of `mrt.max_episodes` here: the curves want every boundary, which in training would cost too much."""
FORMAT = 1
"""Of traces.jsonl; runs of different formats are not compared."""


def read_settings(files: Sequence[Path], overrides: Sequence[str]) -> MRTSettings:
    """The shipped `mrt:` node, with those of `files` on top and `mrt.key=value` overrides on top of these.

    Raises:
        ValueError: a file has no `mrt:` node, or a setting is not allowed.
    """
    from omegaconf import OmegaConf

    nodes = [OmegaConf.load(DEFAULTS).mrt, OmegaConf.create({"max_episodes": MAX_EPISODES})]
    for file in files:
        config = OmegaConf.load(file)
        if config.get("mrt") is None:
            raise ValueError(f"{file}: no `mrt:` node; allowed: a YAML file with one, such as a recipe's")
        nodes.append(config.mrt)
    for override in overrides:
        if not override.startswith("mrt.") or "=" not in override:
            raise ValueError(f"--set {override}; allowed: mrt.key=value")
    nodes.append(OmegaConf.from_dotlist([override.removeprefix("mrt.") for override in overrides]))
    merged: Any = OmegaConf.to_container(OmegaConf.merge(*nodes), resolve=True)
    return MRTSettings.from_config(merged)


def describe_run(
    *,
    name: str,
    model: str,
    data: Path,
    problems: int,
    traces: int,
    budgets: Sequence[int],
    seed: int,
    settings: MRTSettings,
    plan: SamplingPlan,
) -> dict[str, Any]:
    """What run.json holds: everything a sample depends on; plain JSON types."""
    description = {
        "format": FORMAT,
        "name": name,
        "model": model,
        "data": {"file": data.name, "sha256": hashlib.sha256(data.read_bytes()).hexdigest()},
        "problems": problems,
        "traces": traces,
        "budgets": list(budgets),
        "seed": seed,
        "sampling": asdict(plan),
        "mrt": {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()},
        "grader": {"outcome": settings.outcome, "math_verify": metadata.version("math-verify")},
    }
    return description

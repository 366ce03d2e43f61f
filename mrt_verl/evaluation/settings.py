"""The settings of an evaluation: the `mrt:` node, as in training, and what run.json keeps."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.checkpoints import identify
from mrt_verl.evaluation.config import EvaluationConfig, check_settings, evaluation_settings
from mrt_verl.provers import prover_class
from mrt_verl.setting_checks import check_keys
from mrt_verl.settings import MRTSettings

GROUPS = ("reward_model", "mrt_family", "mrt_stop")
"""Option groups of mrt_verl/conf that shape the `mrt:` node."""
DIFFERENT = ("max_episodes", "prover", "branches")
"""Settings whose defaults in an evaluation are not training's (config.evaluation_settings)."""
KEPT = (
    "episodes",
    "markers",
    "min_steps",
    "min_episode_tokens",
    "max_episodes",
    "think_open",
    "think_close",
    "stop_text",
    "reference_text",
    "prover",
    "branches",
    "branch_max_tokens",
    "branch_stop",
    "branch_temperature",
    "insertion",
    "backtrack_text",
    "step_pattern",
)
"""Settings of the `mrt:` node that samples, or the data sets made of them, depend on; the others are training's."""
INSERTED = ("insert_max", "insert_every", "insert_texts", "insert_min_left")
"""Kept as well where text is inserted."""
REWARD_FUNCTION = "reward.custom_reward_function."
"""Overrides that name the function of `mrt.outcome=compute_score`, as a training run's."""
FORMAT = 1
"""Of traces.jsonl; runs of different formats are not compared."""


def read_settings(files: Sequence[Path], overrides: Sequence[str]) -> MRTSettings:
    """The settings of an evaluation, as `compose_settings` reads them.

    Raises:
        ValueError: as there, or their parts cannot evaluate.
    """
    settings = compose_settings(files, overrides)
    check_settings(settings)
    # a recipe may leave the number to its prover; the page and `equal settings` compare numbers
    return replace(settings, branches=prover_class(settings).answers_drawn(settings))


def compose_settings(files: Sequence[Path], overrides: Sequence[str]) -> MRTSettings:
    """The `mrt:` node as a training run composes it, with those of `files` and then `overrides` on top.

    Every boundary is evaluated, so `boundary_choice` and `branch_token_budget` have no effect.

    Args:
        files: YAML files with an `mrt:` node, such as recipes'.
        overrides: as on a training run's command line: `reward_model=…`, `mrt_family=…`, `mrt_stop=…`, `mrt.key=value`;
            those of `read_reward_function` are skipped.

    Raises:
        ValueError: a file has no `mrt:` node, or a setting is not allowed.
    """
    from hydra import compose, initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    overrides = [override for override in overrides if not _names_reward_function(override)]
    groups = dict(override.partition("=")[::2] for override in overrides if not override.startswith("mrt."))
    groups.setdefault("reward_model", "mrt")
    values = [override for override in overrides if override.startswith("mrt.")]
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown or not all("=" in override for override in overrides):
        raise ValueError(
            f"--set {' '.join(overrides)}; allowed: {', '.join(GROUPS)}, mrt.KEY and {REWARD_FUNCTION}KEY, each with "
            "=VALUE"
        )
    reward_model = groups.pop("reward_model")
    choices = [f"+reward_model={reward_model}", *(f"{key}={value}" for key, value in groups.items())]
    try:
        with initialize_config_module("mrt_verl.conf", version_base=None):
            node = compose(overrides=choices).mrt
    except HydraException as error:
        reason = " ".join(str(error).partition("Config search path")[0].split())
        raise ValueError(f"--set {' '.join(overrides)}: {reason}") from error
    defaults = evaluation_settings()
    nodes = [node, OmegaConf.create({key: getattr(defaults, key) for key in DIFFERENT})]
    for file in files:
        nodes.append(read_node(file))
        check_keys(nodes[-1], (setting.name for setting in fields(MRTSettings)), "mrt.")
    root = OmegaConf.create({"mrt": OmegaConf.merge(*nodes)})
    for key, value in read_values(values):
        OmegaConf.update(root, key, value, force_add=True)
    merged: Any = OmegaConf.to_container(root, resolve=True)
    # every boundary is branched: what chooses among them in training has no say
    return MRTSettings.from_config({**merged["mrt"], "boundary_choice": "even", "branch_token_budget": None})


def read_node(file: Path) -> Any:
    """The `mrt:` node of a YAML file.

    Raises:
        ValueError: it cannot be read, or has none.
    """
    from omegaconf import DictConfig, OmegaConf
    from yaml import YAMLError

    try:
        config = OmegaConf.load(file)
    except (OSError, UnicodeError, YAMLError) as error:
        raise ValueError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    node = config.get("mrt") if isinstance(config, DictConfig) else None
    if not isinstance(node, DictConfig):
        raise ValueError(f"{file}: no `mrt:` node; allowed: a YAML file with one, such as a recipe's")
    return node


def read_values(overrides: Sequence[str]) -> list[tuple[str, Any]]:
    """(key, value) of `key=value` texts by Hydra's grammar, so that a line means here what it means in training.

    Raises:
        ValueError: a text is none.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ValueError(f"--set {' '.join(overrides)}: {' '.join(str(error).split())}") from error
    return [(one.key_or_group, one.value()) for one in parsed]


def _names_reward_function(override: str) -> bool:
    return override.lstrip("+").startswith(REWARD_FUNCTION)


def read_reward_function(overrides: Sequence[str], settings: MRTSettings) -> dict[str, Any] | None:
    """verl's node `reward.custom_reward_function` (path, name, reward_kwargs) of a command line; None without one.

    Args:
        overrides: `reward.custom_reward_function.path=…` and the like, with or without Hydra's `+`; others are skipped.

    Raises:
        ValueError: the path is missing or no file, or `mrt.outcome` grades by something else.
    """
    from omegaconf import OmegaConf

    given = [override.lstrip("+") for override in overrides if _names_reward_function(override)]
    if not given:
        return None
    node: Any = OmegaConf.to_container(OmegaConf.from_dotlist(given))
    function = {"path": None, "name": "compute_score", "reward_kwargs": {}, **node["reward"]["custom_reward_function"]}
    path = str(function["path"])
    if not path.startswith("pkg://") and not Path(path).is_file():
        raise ValueError(f"{REWARD_FUNCTION}path={function['path']}; allowed: a Python file, or pkg://package.module")
    if settings.outcome != "compute_score":
        raise ValueError(f"{given[0]} with mrt.outcome={settings.outcome!r}; allowed: mrt.outcome=compute_score")
    return function


def settings_of(mrt: Mapping[str, Any]) -> MRTSettings:
    """The settings that a run.json keeps in its `mrt`; those it does not keep have an evaluation's defaults."""
    kept: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in mrt.items()}
    return replace(evaluation_settings(), **kept)


def kept_settings(settings: MRTSettings) -> dict[str, Any]:
    """What run.json keeps of them, as plain JSON types."""
    keys = KEPT if settings.insertion is None else (*KEPT, *INSERTED)
    kept: dict[str, Any] = json.loads(json.dumps({key: getattr(settings, key) for key in keys}))
    return kept


def describe_run(name: str, problems: int, config: EvaluationConfig) -> dict[str, Any]:
    """What run.json holds of one model's run: everything a sample depends on; plain JSON types."""
    settings, function = config.settings, config.reward_function
    return {
        "format": FORMAT,
        "name": name,
        "model": config.models[name],
        "identity": {} if config.base_url else identify(config.models[name]),
        "data": {"file": config.data.name, "sha256": hashlib.sha256(config.data.read_bytes()).hexdigest()},
        "problems": problems,
        "traces": config.traces,
        "budgets": list(config.budgets),
        "seed": config.seed,
        "sampling": asdict(config.plan),
        "mrt": kept_settings(settings),
        "grader": {
            "outcome": settings.outcome,
            "math_verify": metadata.version("math-verify"),
            **({"function": _describe_function(function)} if function else {}),
        },
    }


def _describe_function(function: Mapping[str, Any]) -> dict[str, Any]:
    """What grades: by the file's content, wherever it is."""
    path = Path(function["path"])
    content = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}
    return {"file": path.name, **content, "name": function["name"], "reward_kwargs": dict(function["reward_kwargs"])}

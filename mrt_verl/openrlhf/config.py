"""The settings of a run under OpenRLHF: a YAML file, named in the environment, with verl's keys.

reward_model: mrt_prefix      # mrt, mrt_prefix or mrt_backtrack; also mrt_family, mrt_stop
mrt:
  alpha: 0.5                  # any key of MRTSettings
openrlhf:
  n_samples_per_prompt: 8     # the run's --rollout.n_samples_per_prompt
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from mrt_verl.grading.outcomes import FileFunction
from mrt_verl.parts import check_parts, function_problems, group_problems, stop_problems
from mrt_verl.progress import CREDITS
from mrt_verl.setting_checks import check_keys
from mrt_verl.settings import MRTSettings

VARIABLE = "MRT_CONFIG"
GROUPS = ("reward_model", "mrt_family", "mrt_stop")
"""Option groups of mrt_verl/conf."""
OWN = {"bonus_norm": "rms"}
"""Defaults that are not verl's: there is no batch here to take a scale from."""
NODES = (*GROUPS, "mrt", "openrlhf", "reward")


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What an executor is not told of OpenRLHF's own command line."""

    n_samples_per_prompt: int
    """`--rollout.n_samples_per_prompt`. A group of another size, or temperature, is an evaluation's."""
    temperature: float = 1.0
    """`--rollout.temperature`."""
    report_rollouts: int = 256
    """Training rollouts of an engine after which errors are counted, warnings said and traces written."""

    @classmethod
    def from_node(cls, node: Mapping[str, Any]) -> "HostSettings":
        """Of the file's node `openrlhf`.

        Raises:
            ValueError: a key is unknown or missing, or a value is not allowed.
        """
        check_keys(node, (one.name for one in fields(cls)), "openrlhf.")
        for one in fields(cls):
            if one.default is MISSING and one.name not in node:
                raise ValueError(f"openrlhf.{one.name} is missing; allowed: the run's --rollout.{one.name}")
        return cls(**node)

    def __post_init__(self) -> None:
        least = {"n_samples_per_prompt": 2, "report_rollouts": 1}
        for key, minimum in least.items():
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
                raise ValueError(f"openrlhf.{key}={value!r}; allowed: a whole number >= {minimum}")
        if not isinstance(self.temperature, int | float) or isinstance(self.temperature, bool) or self.temperature <= 0:
            raise ValueError(f"openrlhf.temperature={self.temperature!r}; allowed: a number > 0")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """The settings of one run."""

    settings: MRTSettings
    host: HostSettings
    reward_function: FileFunction | None = None
    """Grades if `mrt.outcome=compute_score`."""


def config_path(environment: Mapping[str, str]) -> Path:
    """The file that MRT_CONFIG names.

    Raises:
        ValueError: there is none.
    """
    named = environment.get(VARIABLE, "")
    if not named or not Path(named).is_file():
        raise ValueError(f"{VARIABLE}={named!r}; allowed: the path of a YAML file on every node (docs/openrlhf.md)")
    return Path(named)


def read_config(path: Path) -> RunConfig:
    """The settings of a file, on the package's defaults.

    Raises:
        ValueError: a key or value is not allowed, or cannot work under OpenRLHF; says the key, the value, what is.
    """
    given = _load(path)
    settings = MRTSettings.from_config(_compose(given, _mapping(given, "mrt")))
    reward = _mapping(given, "reward")
    check_keys(reward, ("custom_reward_function",), "reward.")
    function = _mapping(reward, "custom_reward_function", "reward.")
    check_keys(function, ("name", "path", "reward_kwargs"), "reward.custom_reward_function.")
    host = HostSettings.from_node(_mapping(given, "openrlhf"))
    for problem in problems(settings, host, function.get("path")):
        raise ValueError(problem)
    check_parts(settings)
    return RunConfig(settings, host, FileFunction.from_node(function))


def _load(path: Path) -> dict[str, Any]:
    """What a file holds, by the names of its nodes."""
    from omegaconf import OmegaConf
    from yaml import YAMLError

    try:
        node = OmegaConf.load(path)
        given: Any = OmegaConf.to_container(node) if len(node) else {}
    except (YAMLError, OSError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}; allowed: a YAML file") from error
    if not isinstance(given, dict):
        raise ValueError(f"{path} holds a list; allowed: nodes {', '.join(NODES)}")
    check_keys(given, NODES)
    return given


def _mapping(given: Mapping[str, Any], key: str, node: str = "") -> dict[str, Any]:
    """A node of settings; {} where it is left out or empty."""
    value = given.get(key)
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{node}{key}={value!r}; allowed: a mapping of settings")
    return value or {}


def _compose(given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The `mrt:` node as Hydra composes it, with the file's own on top."""
    from hydra import compose, initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    choices = {"reward_model": "mrt", **{key: given[key] for key in GROUPS if key in given}}
    signs = {"reward_model": "+"}
    overrides = [f"{signs.get(key, '')}{key}={value}" for key, value in choices.items()]
    try:
        with initialize_config_module("mrt_verl.conf", version_base=None):
            node = compose(overrides=overrides).mrt
    except HydraException as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{' '.join(overrides)}: {said}; allowed: what mrt_verl/conf holds") from error
    OmegaConf.set_struct(node, False)  # MRTSettings says which key is unknown, and what was meant
    root = OmegaConf.create({"mrt": OmegaConf.merge(node, OWN, own)})
    merged: Any = OmegaConf.to_container(root, resolve=True)
    composed: dict[str, Any] = merged["mrt"]
    return composed


def problems(settings: MRTSettings, host: HostSettings, function_path: Any) -> Iterator[str]:
    """A line for each setting that OpenRLHF has no place for, or that cannot work under any host."""
    yield from function_problems(settings, function_path)
    yield from group_problems(settings, host.n_samples_per_prompt, "openrlhf.n_samples_per_prompt")
    yield from stop_problems(settings)
    if settings.bonus_norm == "batch":
        yield "mrt.bonus_norm='batch' under OpenRLHF; allowed: rms, none: an executor sees one prompt's group alone"
    if settings.variant == "online" and settings.credit not in CREDITS:
        yield (
            f"mrt.credit={settings.credit!r} under OpenRLHF; allowed: {', '.join(CREDITS)}: a rollout has one reward, "
            "not one an episode"
        )
    if settings.variant == "prefix" and settings.baseline != "group":
        yield (
            f"mrt.baseline={settings.baseline!r} under OpenRLHF; allowed: group: its estimators take the mean of "
            "all of a group's rewards off"
        )
    if settings.variant == "prefix" and settings.prefix_source != "on_policy":
        yield (
            f"mrt.prefix_source={settings.prefix_source!r} under OpenRLHF; allowed: on_policy: an executor is "
            "given a row's prompt and label, no column `prefix`"
        )
    if settings.val_branches:
        yield "mrt.val_branches=true under OpenRLHF; allowed: false: its evaluation reads rewards and lengths alone"
    if settings.outcome == "compute_score" and not function_path:
        yield (
            "mrt.outcome='compute_score' under OpenRLHF; allowed: math_verify, or with "
            "reward.custom_reward_function.path: a function of yours"
        )

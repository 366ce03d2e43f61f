"""The settings of a run under OpenRLHF: a YAML file, named in the environment, with verl's keys.

reward_model: mrt_prefix      # mrt, mrt_prefix or mrt_backtrack; also mrt_family, mrt_stop
mrt:
  alpha: 0.5                  # any key of MRTSettings
openrlhf:
  n_samples_per_prompt: 8     # the run's --rollout.n_samples_per_prompt
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mrt_verl.grading.outcomes import FileFunction
from mrt_verl.parts import check_parts
from mrt_verl.progress import CREDITS
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
    from omegaconf import OmegaConf

    node = OmegaConf.load(path)
    given: Any = OmegaConf.to_container(node) if len(node) else {}
    if not isinstance(given, dict) or set(given) - set(NODES):
        wrong = sorted(map(str, set(given) - set(NODES))) if isinstance(given, dict) else "a list"
        raise ValueError(f"{path}: {wrong}; allowed at the top: {', '.join(NODES)}")
    for key in ("mrt", "openrlhf", "reward"):
        if not isinstance(given.setdefault(key, {}), dict):
            raise ValueError(f"{path}: {key}={given[key]!r}; allowed: a mapping of settings")
    settings = MRTSettings.from_config(_compose(given))
    known = {one.name for one in fields(HostSettings)}
    if unknown := set(given["openrlhf"]) - known:
        raise ValueError(f"openrlhf.{min(unknown)} is not a setting; allowed: {', '.join(sorted(known))}")
    if "n_samples_per_prompt" not in given["openrlhf"]:
        raise ValueError("openrlhf.n_samples_per_prompt is missing; allowed: the run's --rollout.n_samples_per_prompt")
    function = FileFunction.from_node(given["reward"].get("custom_reward_function"))
    for problem in problems(settings, function):
        raise ValueError(problem)
    check_parts(settings)
    return RunConfig(settings, HostSettings(**given["openrlhf"]), function)


def _compose(given: Mapping[str, Any]) -> dict[str, Any]:
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
    root = OmegaConf.create({"mrt": OmegaConf.merge(node, OWN, given["mrt"])})
    merged: Any = OmegaConf.to_container(root, resolve=True)
    composed: dict[str, Any] = merged["mrt"]
    return composed


def problems(settings: MRTSettings, function: FileFunction | None) -> Iterator[str]:
    """A line for each setting that OpenRLHF has no place for."""
    if settings.bonus_norm == "batch":
        yield "mrt.bonus_norm='batch' under OpenRLHF; allowed: rms, none: an executor sees one prompt's group alone"
    if settings.variant == "online" and settings.credit not in CREDITS:
        yield (
            f"mrt.credit={settings.credit!r} under OpenRLHF; allowed: {', '.join(CREDITS)}: a rollout has one reward, "
            "not one an episode"
        )
    if settings.variant == "prefix" and settings.prefix_mode == "paper":
        if settings.baseline != "group":
            yield (
                f"mrt.baseline={settings.baseline!r} under OpenRLHF; allowed: group: its estimators take the mean of "
                "all of a group's rewards off"
            )
        if settings.prefix_source != "on_policy":
            yield (
                f"mrt.prefix_source={settings.prefix_source!r} under OpenRLHF; allowed: on_policy: an executor is "
                "given a row's prompt and label, no column `prefix`"
            )
    if settings.val_branches:
        yield "mrt.val_branches=true under OpenRLHF; allowed: false: its evaluation reads rewards and lengths alone"
    if settings.outcome == "compute_score" and function is None:
        yield (
            "mrt.outcome='compute_score' under OpenRLHF; allowed: math_verify, or with "
            "reward.custom_reward_function.path: a function of yours"
        )

"""Settings that nobody would read: in a node of their own, in a config group that was not found, or without effect."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import OmegaConf

from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

COPIES = ("algorithm.mrt", "trainer.v1.sampler.sampler_kwargs.mrt")
"""Where reward_model=mrt refers to its node, for the parts of verl that see no other."""
GROUPS = {
    "hardware": "VERL_PLATFORM=cpu in the environment, without which there is no such group",
    "quickstart": "--config-dir recipes",
    "recipes": "hydra.searchpath=[file://DIRECTORY], the one that holds recipes/",
}
"""Config groups of this repository, and with what Hydra finds them."""
Reads = Callable[[MRTSettings], bool]
EFFECTS: tuple[tuple[tuple[str, ...], Reads, str], ...] = (
    (("gamma",), lambda own: own.credit not in ("progress", "regret", "median"), "mrt.credit=to_go"),
    (("credit_per",), lambda own: own.variant == "online", "reward_model=mrt"),
    (("insert_max", "insert_min_left"), lambda own: own.insertion is not None, "mrt.insertion=…"),
    (("insert_every", "insert_texts"), lambda own: own.insertion not in (None, "backtrack"), "mrt.insertion=…"),
    (("step_pattern",), lambda own: own.insertion not in (None, "budget_forcing"), "mrt.insertion=backtrack"),
    (("prefix_mode",), lambda own: own.variant == "prefix", "reward_model=mrt_prefix"),
    (
        ("plain_share",),
        lambda own: own.variant == "prefix" and own.prefix_mode == "one_episode",
        "reward_model=mrt_prefix mrt.prefix_mode=one_episode",
    ),
    (
        ("prefix_source", "forced_share", "baseline"),
        lambda own: own.variant == "prefix" and own.prefix_mode == "paper",
        "reward_model=mrt_prefix mrt.prefix_mode=paper",
    ),
    (("traces_per_step",), lambda own: own.trace_dir is not None, "mrt.trace_dir=…"),
)
"""(settings, whether they are read, with what they would be)."""


def check_copies(settings: MRTSettings, config: Any) -> Iterator[str]:
    """The estimator and the sampler must have the settings of the rollouts."""
    own = _plain(config.mrt)
    for key in COPIES:
        if _plain(OmegaConf.select(config, key)) != own:
            yield (
                f"{key} is not the node mrt; allowed: ${{mrt}}, as reward_model=mrt sets it, or rewards would be read "
                "with other settings than they were made with. Settings are overridden as mrt.NAME=…"
            )


def check_groups(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A config group that Hydra did not find is a plain value with `+`, and what stands in it is not in the run."""
    for group, found_with in GROUPS.items():
        value = OmegaConf.select(config, group)
        if value is not None and not OmegaConf.is_dict(value):
            yield f"+{group}={value} is a plain value here, no config group: nothing reads it; allowed: {found_with}"


def check_effects(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A warning for each setting that was changed and has no effect beside the others."""
    default = MRTSettings()
    for names, is_read, needed in EFFECTS:
        changed = [name for name in names if getattr(settings, name) != getattr(default, name)]
        for name in changed if not is_read(settings) else ():
            logger.warning("mrt.%s=%s has no effect without %s", name, getattr(settings, name), needed)
    yield from ()


def check_reach(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Sizes in tokens must lie within a response, or what they are for never happens."""
    response = config.data.max_response_length
    whole = "every trace is one episode"
    sizes = {"min_episode_tokens": (settings.min_episode_tokens, whole)}
    kind, _, every = settings.episodes.partition(":")
    if kind == "tokens":
        sizes["episodes"] = (int(every), whole)
    if settings.insertion is not None:
        sizes["insert_min_left"] = (settings.insert_min_left, "nothing is ever inserted")
        if settings.insert_every is not None:
            sizes["insert_every"] = (settings.insert_every, "no trace is ever paused")
        if settings.insert_max == 0:
            yield f"mrt.insert_max=0 with mrt.insertion={settings.insertion}; allowed: 1 or more, or mrt.insertion=null"
    for name, (tokens, otherwise) in sizes.items():
        if tokens >= response:
            yield (
                f"mrt.{name}={getattr(settings, name)} with data.max_response_length={response}; allowed: less than a "
                f"response, or {otherwise}"
            )


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


CHECKS = (check_copies, check_groups, check_effects, check_reach)

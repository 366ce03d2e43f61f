"""Words of a command line that Hydra would refuse with the wrong advice (`+mrt.alfa=1`), or with many lines."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib import resources

from mrt_verl.settings import MRTSettings

GROUPS = ("reward_model", "mrt_family", "mrt_stop")
"""Config groups of conf/, whose options a command line chooses from."""


def word_problems(words: Sequence[str]) -> Iterator[str]:
    """A line for each override that names a setting or an option of ours which does not exist."""
    known = [setting.name for setting in fields(MRTSettings)]
    for word in words:
        key, equals, value = word.lstrip("+~").partition("=")
        if not equals:
            continue
        if key.startswith("mrt.") and (name := key.split(".")[1]) not in known:
            yield f"mrt.{name} is not a setting{_meant(f'mrt.{name}', [f'mrt.{one}' for one in known])}"
        if key in GROUPS and (key != "reward_model" or value.startswith("mrt")) and value not in _options(key):
            yield f"{key}={value}; allowed: {', '.join(_options(key))}"


def asks_for_mrt(words: Sequence[str]) -> bool:
    """Whether a command line chooses MRT."""
    return any(word.lstrip("+").startswith("reward_model=mrt") for word in words)


def _options(group: str) -> list[str]:
    files = resources.files("mrt_verl.conf").joinpath(group).iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def _meant(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {near[0]}?" if near else f"; allowed: {', '.join(sorted(known))}"

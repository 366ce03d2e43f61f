"""Words of a command line that Hydra would refuse with the wrong advice (`+mrt.alfa=1`), or take for something else."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib import resources

from mrt_verl.settings import MRTSettings

GROUPS = ("reward_model", "mrt_family", "mrt_stop")
"""Config groups of conf/, whose options a command line chooses from."""
NODE = re.compile(r"mrt|mtr|mrt[_-]?verl", re.IGNORECASE)
"""How the node `mrt` is written, and miswritten."""
OTHER_CONFIG = ("--config-name", "-cn", "--config-path", "-cp")
"""With one of these the config is another than verl's own, and may have keys that are not known here."""


def word_problems(words: Sequence[str]) -> Iterator[str]:
    """A line for each override that names a setting or an option of ours which does not exist."""
    known = [setting.name for setting in fields(MRTSettings)]
    is_verls = not any(word.partition("=")[0] in OTHER_CONFIG for word in words)
    for word in words:
        key, equals, value = word.lstrip("+~").partition("=")
        if not equals or word.startswith("-"):
            continue
        parts = key.split(".")
        if parts[0] == "mrt":
            yield from _setting_problems(parts, known)
        elif (meant := _meant_setting(parts, known)) and (meant != key or (is_verls and not word.startswith("+"))):
            yield f"{key} is not a key of this run, did you mean mrt.{meant}?"
        elif key in GROUPS and (key != "reward_model" or value.lower().startswith("mrt")):
            if value not in _options(key):
                yield f"{key}={value}; allowed: {', '.join(_options(key))}"
            elif word.startswith("+") and (key != "reward_model" or is_verls):
                yield f"{word}; allowed: {key}={value}, without +"


def _setting_problems(parts: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """Of a key `mrt.…`: whether there is such a setting, and whether it has keys of its own."""
    if len(parts) < 2:
        return
    name, inner = parts[1], ".".join(parts[2:])
    if name not in known:
        yield f"mrt.{name} is not a setting{_meant(f'mrt.{name}', [f'mrt.{one}' for one in known])}"
    elif name == "stop_texts" and inner and inner not in _options("mrt_stop"):
        yield f"mrt.stop_texts.{inner} is not a style; allowed: {', '.join(_options('mrt_stop'))}, or mrt.stop_text=…"
    elif name != "stop_texts" and inner:
        yield f"mrt.{name}.{inner} is not a setting, did you mean mrt.{name}?"


def _meant_setting(parts: Sequence[str], known: Sequence[str]) -> str | None:
    """The setting that was meant by a key outside of `mrt`: MRT.alpha, algorithm.mrt.alpha, mrt_alpha, alpha."""
    *nodes, last = parts
    if any(NODE.fullmatch(node) for node in nodes):
        return next(iter(difflib.get_close_matches(last, known, n=1)), "NAME")
    bare = re.sub(r"^mrt[_-]", "", last, flags=re.IGNORECASE)
    return bare if not nodes and bare in known else None


def asks_for_mrt(words: Sequence[str]) -> bool:
    """Whether a command line chooses MRT."""
    return any(word.lstrip("+").startswith("reward_model=mrt") for word in words)


def _options(group: str) -> list[str]:
    files = resources.files("mrt_verl.conf").joinpath(group).iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def _meant(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {near[0]}?" if near else f"; allowed: {', '.join(sorted(known))}"

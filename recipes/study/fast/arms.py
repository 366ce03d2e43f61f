"""The arms of the fast study: what each sets on top of one common experiment, and nothing else."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Arm:
    """Changes of the settings and of the experiment."""

    settings: dict[str, Any] = field(default_factory=dict)
    experiment: dict[str, Any] = field(default_factory=dict)
    rate_of: str | None = None
    """The arm whose learning rate it takes; None tunes its own."""
    rate: float | None = None
    """Its own, where that of the task is not the better one."""
    room: float = 1.0
    """Share of the task's response tokens that it has in training."""


def shorter_is_better(outcome: float, length: float) -> float:
    """The length penalty: a right answer loses up to 0.2 in proportion to its length, a share of the room."""
    return outcome * (1.0 - 0.2 * min(1.0, length))


RMS = {"bonus_norm": "rms"}
SEEN_MEDIAN = {"prover": "seen", "branches": 1, "credit": "median"}
ONE_EPISODE = {"variant": "prefix", "prefix_mode": "one_episode", "prover": "sample"}
ARMS: dict[str, Arm] = {
    "grpo": Arm(experiment={"is_plain": True}, settings={"alpha": 0.0}),
    "grpo_length": Arm(experiment={"is_plain": True, "score": shorter_is_better}, settings={"alpha": 0.0}),
    "grpo_truncated": Arm(experiment={"is_plain": True}, settings={"alpha": 0.0}, room=0.5),
    "grpo_truncated_slow": Arm(experiment={"is_plain": True}, settings={"alpha": 0.0}, rate=3e-4, room=0.5),
    "segments": Arm({**RMS, "prover": "likelihood", "episodes": "tokens:24"}),
    "paper": Arm({**RMS, "prover": "sample", "branches": 4}),
    "paper_prefix": Arm(
        {**RMS, "variant": "prefix", "prefix_mode": "paper", "prover": "sample"}, {"prompts": 4, "rollouts": 8}
    ),
    "likelihood": Arm({**RMS, "prover": "likelihood"}),
    "likelihood_batch": Arm({"prover": "likelihood", "bonus_norm": "batch"}),
    "ht": Arm({**RMS, "prover": "ht", "branches": 4}),
    "seen": Arm({"prover": "seen", "branches": 1, "bonus_norm": "batch"}),
    "seen_2": Arm({"prover": "seen", "branches": 2, "bonus_norm": "batch"}),
    "pooled": Arm({"prover": "pooled", "bonus_norm": "batch"}),
    "seen_token": Arm({"prover": "seen", "branches": 1, "credit_per": "token"}, rate_of="seen"),
    "pooled_token": Arm({"prover": "pooled", "credit_per": "token"}, rate_of="pooled"),
    "seen_median": Arm(SEEN_MEDIAN, rate_of="seen"),
    "seen_median_length": Arm(SEEN_MEDIAN, {"score": shorter_is_better}, rate_of="seen"),
    "seen_median_truncated": Arm(SEEN_MEDIAN, rate_of="seen", room=0.5),
    "seen_median_truncated_fast": Arm(SEEN_MEDIAN, rate=1e-3, room=0.5),
    "pooled_median": Arm({"prover": "pooled", "credit": "median"}, rate_of="pooled"),
    "anchored_seen": Arm({"prover": "anchored_seen", "branches": 1, "bonus_norm": "batch"}),
    "one_episode": Arm(ONE_EPISODE, {"rollouts": 8}),
    "one_episode_slow": Arm(ONE_EPISODE, {"rollouts": 8}, rate=3e-4),
}
MAIN = (
    *("grpo", "grpo_length", "grpo_truncated", "segments", "paper", "paper_prefix"),
    *("seen_median", "pooled_median", "one_episode", "seen_median_truncated"),
)
"""The arms of the study's first table, on held-out problems; those of no table were tuned alone."""
VARIANTS = ("grpo", "seen", "seen_token", "seen_median", "pooled", "pooled_token", "pooled_median")
"""The forms of MRT among which the default was chosen."""
LATE = (
    *("grpo", "grpo_length", "grpo_truncated", "grpo_truncated_slow", "segments", "paper", "paper_prefix"),
    *("seen_median", "pooled", "one_episode", "one_episode_slow"),
    *("seen_median_truncated", "seen_median_truncated_fast"),
)
LATE_DRAWN = (
    *("grpo", "grpo_length", "grpo_truncated_slow", "segments", "paper", "paper_prefix"),
    *("seen_median", "pooled", "one_episode_slow"),
)
"""Those of its picture: each method at its better rate."""
LATE_MORE_SEEDS = ("grpo", "seen_median", "pooled")
LATE_VARIANTS = ("grpo", "seen", "seen_median", "pooled", "pooled_median")
"""The same where the payoff comes late: the task of two targets."""
WITHOUT_PLAIN_TRACES = ("paper_prefix",)
"""Arms that write a plain trace only where none has a prefix: what those come to is not the policy's outcome."""
SHOWN = {
    "grpo": "GRPO",
    "grpo_length": "GRPO, length penalty",
    "grpo_truncated": "GRPO, truncated",
    "segments": "likelihood every 24 tokens",
    "paper": "the paper's MRT",
    "seen_median": "MRT (defaults)",
    "pooled_median": "MRT, pooled",
}
"""Those of README's table and picture, and what it calls them."""
TUNED = tuple(name for name, arm in ARMS.items() if arm.rate_of is None and arm.rate is None)
RATES = (6e-4, 1e-3)
"""Learning rates that are tried for every arm, on development problems."""

"""MRTSettings: the one validated view of the `mrt:` node of the config.

Every module reads its settings from here; a bad value is an error that says the key, the value got and what is allowed.
Symbols and reported values are those of arXiv 2503.07572; "ours" marks a choice of this project.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

PROVERS = ("sample",)
CREDITS = ("progress", "to_go", "regret")
BONUS_NORMS = ("rms", "none")
OUTCOMES = ("math_verify", "compute_score")
VARIANTS = ("online",)


@dataclass(frozen=True, slots=True)
class MRTSettings:
    """Settings of one run; the defaults are those of conf/reward_model/mrt.yaml."""

    variant: str
    """How the group is sampled: `online` (a trace from the prompt, forced answers at every boundary)."""
    alpha: float
    """Weight of the bonus against the outcome, >= 0; 1.0 in the paper's online runs, 0 is plain GRPO."""
    credit: str
    """What an episode is paid: `progress` (the paper), `to_go`, `regret` (both ours)."""
    gamma: float
    """Discount per episode of credit `to_go`, in (0, 1]."""
    bonus_norm: str
    """`rms` scales the credit by the group's root mean square, never centred (ours); `none` leaves it."""
    bonus_floor: float
    """Least RMS the credit is divided by, in (0, 1]: pure estimation noise is not blown up to unit size (ours)."""
    prover: str
    """How J is estimated: `sample` is the mean grade of `branches` forced answers."""
    branches: int
    """Forced answers per boundary (G), >= 1; 4 in the reference code."""
    max_episodes: int
    """Most episodes a trace is cut into, >= 1; 6 in the reference code."""
    min_episode_tokens: int
    """Shorter episodes are merged with a neighbour, in tokens, >= 0 (ours)."""
    min_steps: int
    """Least number of steps (paragraphs) of an episode that another may follow, >= 1; 3 in the reference analysis."""
    markers: tuple[str, ...]
    """Switch markers: a step of the thinking block that starts with one of them opens an episode."""
    think_open: str | None
    """Tag that opens the thinking block; null for a model that thinks without tags."""
    think_close: str | None
    """Tag that closes the thinking block; null exactly if think_open is."""
    stop_text: str
    """Text that ends the thinking in a branch and starts the forced answer; our wording, fit it to your model."""
    branch_max_tokens: int
    """Most tokens of a forced answer, >= 1."""
    branch_stop: tuple[str, ...]
    """Strings that end a forced answer early."""
    branch_temperature: float | None
    """Sampling temperature of forced answers, > 0; null takes the trace's."""
    branch_timeout_s: float
    """Seconds after which a forced answer counts as failed, > 0."""
    val_branches: bool
    """Whether validation estimates J as well; off, it costs what it costs without MRT."""
    trace_dir: str | None
    """Directory for JSONL files, one per step, of rollouts with their episodes, J and progress; null writes none."""
    traces_per_step: int
    """How many rollouts a step logs there, >= 1."""
    outcome: str
    """Who grades answers: `math_verify`, or `compute_score` (verl's by data_source, or the run's custom function)."""
    grade_timeout_s: float
    """Seconds after which grading one answer is given up and counted as a timeout, > 0."""

    @classmethod
    def from_config(cls, node: Mapping[str, Any]) -> "MRTSettings":
        """Validate the `mrt:` node.

        Raises:
            ValueError: a key is unknown or missing, or a value is not allowed.
        """
        known = {field.name for field in fields(cls)}
        for key in node:
            if key not in known:
                raise ValueError(f"mrt.{key} is not a setting; allowed: {', '.join(sorted(known))}")
        for key in sorted(known - set(node)):
            raise ValueError(f"mrt.{key} is missing; conf/reward_model/mrt.yaml lists every setting with its default")
        values: dict[str, Any] = {key: tuple(value) if _is_list(value) else value for key, value in node.items()}
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        for key, allowed in (
            ("variant", VARIANTS),
            ("credit", CREDITS),
            ("bonus_norm", BONUS_NORMS),
            ("prover", PROVERS),
            ("outcome", OUTCOMES),
        ):
            if getattr(self, key) not in allowed:
                raise ValueError(f"mrt.{key}={getattr(self, key)!r}; allowed: {', '.join(allowed)}")
        for key, least in (
            ("branches", 1),
            ("max_episodes", 1),
            ("min_episode_tokens", 0),
            ("min_steps", 1),
            ("branch_max_tokens", 1),
            ("traces_per_step", 1),
        ):
            _check_number(key, getattr(self, key), f"a whole number >= {least}", int, lambda v, least=least: v >= least)
        for key in ("branch_timeout_s", "grade_timeout_s"):
            _check_number(key, getattr(self, key), "a number of seconds > 0", float, lambda v: v > 0)
        _check_number("alpha", self.alpha, "a number >= 0", float, lambda v: v >= 0)
        _check_number("gamma", self.gamma, "a number in (0, 1]", float, lambda v: 0 < v <= 1)
        _check_number("bonus_floor", self.bonus_floor, "a number in (0, 1]", float, lambda v: 0 < v <= 1)
        if self.branch_temperature is not None:
            _check_number("branch_temperature", self.branch_temperature, "null or a number > 0", float, lambda v: v > 0)
        self._check_texts()

    def _check_texts(self) -> None:
        if not isinstance(self.val_branches, bool):
            raise ValueError(f"mrt.val_branches={self.val_branches!r}; allowed: true, false")
        for key in ("markers", "branch_stop"):
            value = getattr(self, key)
            if not isinstance(value, tuple) or not all(isinstance(text, str) and text.strip(" ") for text in value):
                raise ValueError(f"mrt.{key}={value!r}; allowed: a list of texts that are not empty")
        if not self.markers:
            raise ValueError("mrt.markers=[]; allowed: at least one switch marker")
        if not isinstance(self.stop_text, str) or not self.stop_text.strip():
            raise ValueError(f"mrt.stop_text={self.stop_text!r}; allowed: a text that is not empty")
        if (self.think_open is None) != (self.think_close is None) or "" in (self.think_open, self.think_close):
            raise ValueError(
                f"mrt.think_open={self.think_open!r} with mrt.think_close={self.think_close!r}; "
                "allowed: two tags, or null for both"
            )


def _is_list(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | Mapping)


def _check_number(key: str, value: Any, allowed: str, kind: type, holds: Any) -> None:
    kinds = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not holds(value):
        raise ValueError(f"mrt.{key}={value!r}; allowed: {allowed}")

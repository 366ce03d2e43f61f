"""MRTSettings: the one validated view of the `mrt:` node of the config.

Every module reads its settings from here; a bad value is an error that says the key, the value got and what is allowed.
Symbols and reported values are those of arXiv 2503.07572; "ours" marks a choice of this project.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

SCORING_PROVERS = ("likelihood", "anchored")
"""Provers that score the reference answer."""
PROVERS = ("sample", "ht", *SCORING_PROVERS)
CREDITS = ("progress", "to_go", "regret")
BONUS_NORMS = ("rms", "none")
OUTCOMES = ("math_verify", "compute_score")
VARIANTS = ("online", "prefix")
BOUNDARY_CHOICES = ("even", "uncertain")
PREFIX_SOURCES = ("on_policy", "dataset")
BASELINES = ("group", "termination")


@dataclass(frozen=True, slots=True)
class MRTSettings:
    """Settings of one run; the defaults are those of conf/reward_model/mrt.yaml."""

    variant: str
    """How the group is sampled: `online` (traces from the prompt, forced answers at every boundary) or `prefix` (the
    paper's RL: all rollouts start from one prefix, some are forced to answer there)."""
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
    """How J is estimated: `sample` is the mean grade of `branches` forced answers, `ht` their Horvitz-Thompson sum
    (ours: unbiased, less noise), `likelihood` the probability of the reference answer (ours: no sampling, biased where
    several spellings are right), `anchored` that probability plus the Horvitz-Thompson sum of the other forced answers
    (ours: unbiased at temperature 1, which its answers are drawn at; noise is left only where other spellings are)."""
    branches: int
    """Forced answers per boundary (G), >= 1; 4 in the reference code."""
    boundary_choice: str
    """Which boundaries are branched when there are more than `max_episodes` or the budget allows: `even`, or
    `uncertain` (those between which the forced answers disagree most; one after the other)."""
    branch_token_budget: int | None
    """Most tokens that a trace's branches may generate, answers without thinking apart; null sets no limit."""
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
    stop_texts: Mapping[str, str] = field(compare=False)  # else the settings could not be hashed
    """The model family's stop texts by style; `stop_text` is one of them (`mrt_family=…`, `mrt_stop=…`)."""
    stop_text: str
    """Text that ends the thinking in a branch and starts the forced answer; our wording, fit it to your model."""
    reference_text: str
    """How the policy writes a reference answer behind the stop text, its end included; `likelihood` and `anchored`
    score this spelling. Look at forced answers of your model (`mrt.trace_dir`): a space more is another token."""
    branch_max_tokens: int
    """Most tokens of a forced answer, >= 1."""
    branch_stop: tuple[str, ...]
    """Strings that end a forced answer early."""
    branch_temperature: float | None
    """Sampling temperature of forced answers, > 0; null takes the trace's."""
    branch_timeout_s: float
    """Seconds after which a forced answer counts as failed, > 0."""
    insertion: str | None
    """Who writes further episode openings into a trace: `budget_forcing`, `backtrack`, `package.module:Class`
    (insertions.InsertionPolicy), or null."""
    insert_max: int
    """Most insertions of a trace, >= 0; up to 8 in the reference extrapolation."""
    insert_every: int | None
    """`budget_forcing`: tokens after which a trace pauses; null pauses only where it closes its thinking."""
    insert_texts: tuple[str, ...]
    """`budget_forcing`: what is written, in rotation."""
    insert_min_left: int
    """Tokens of the response budget that must be left behind an insertion, >= 1."""
    backtrack_text: str
    """`backtrack`: the sentence that names the step to go back to, with {step} for its number. Sentences of the policy
    that start like it are recognised as episodes of their own."""
    step_pattern: str
    """`backtrack`: regular expression at the start of a numbered step, its first group the number."""
    prefix_source: str
    """Variant prefix: `on_policy` (cut from a trace of the policy) or `dataset` (column `prefix`)."""
    forced_share: float
    """Variant prefix: share of the rollouts forced to answer at the prefix, in (0, 1)."""
    baseline: str
    """Variant prefix: `group` normalises over all rollouts, `termination` takes the mean of the forced ones off."""
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
        known = {setting.name for setting in fields(cls)}
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
            ("boundary_choice", BOUNDARY_CHOICES),
            ("prefix_source", PREFIX_SOURCES),
            ("baseline", BASELINES),
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
            ("insert_max", 0),
            ("insert_min_left", 1),
            ("branch_token_budget", 1),
            ("insert_every", 1),
        ):
            if getattr(self, key) is None and key in ("branch_token_budget", "insert_every"):
                continue
            _check_number(key, getattr(self, key), f"a whole number >= {least}", int, lambda v, least=least: v >= least)
        for key in ("branch_timeout_s", "grade_timeout_s"):
            _check_number(key, getattr(self, key), "a number of seconds > 0", float, lambda v: v > 0)
        _check_number("alpha", self.alpha, "a number >= 0", float, lambda v: v >= 0)
        _check_number("forced_share", self.forced_share, "a number in (0, 1)", float, lambda v: 0 < v < 1)
        _check_number("gamma", self.gamma, "a number in (0, 1]", float, lambda v: 0 < v <= 1)
        _check_number("bonus_floor", self.bonus_floor, "a number in (0, 1]", float, lambda v: 0 < v <= 1)
        if self.branch_temperature is not None:
            _check_number("branch_temperature", self.branch_temperature, "null or a number > 0", float, lambda v: v > 0)
        self._check_texts()
        self._check_pairs()

    def _check_texts(self) -> None:
        if not isinstance(self.val_branches, bool):
            raise ValueError(f"mrt.val_branches={self.val_branches!r}; allowed: true, false")
        for key in ("markers", "branch_stop", "insert_texts"):
            value = getattr(self, key)
            if not isinstance(value, tuple) or not all(isinstance(text, str) and text.strip(" ") for text in value):
                raise ValueError(f"mrt.{key}={value!r}; allowed: a list of texts that are not empty")
        for key in ("markers", "insert_texts"):
            if not getattr(self, key):
                raise ValueError(f"mrt.{key}=[]; allowed: at least one text")
        if self.backtrack_text.count("{step}") < 1 or not self.backtrack_text.partition("{step}")[0].strip():
            raise ValueError(
                f"mrt.backtrack_text={self.backtrack_text!r}; allowed: words, then {{step}} for the number"
            )
        try:
            groups = re.compile(self.step_pattern).groups
        except re.error as error:
            raise ValueError(
                f"mrt.step_pattern={self.step_pattern!r}: {error}; allowed: a regular expression"
            ) from error
        if groups < 1:
            raise ValueError(f"mrt.step_pattern={self.step_pattern!r}; allowed: a group for the step's number")
        if "{reference}" not in self.reference_text:
            raise ValueError(f"mrt.reference_text={self.reference_text!r}; allowed: a text with {{reference}} in it")
        if not isinstance(self.stop_text, str) or not self.stop_text.strip():
            raise ValueError(f"mrt.stop_text={self.stop_text!r}; allowed: a text that is not empty")
        if (self.think_open is None) != (self.think_close is None) or "" in (self.think_open, self.think_close):
            raise ValueError(
                f"mrt.think_open={self.think_open!r} with mrt.think_close={self.think_close!r}; "
                "allowed: two tags, or null for both"
            )

    def _check_pairs(self) -> None:
        """Settings that exclude each other."""
        if self.prover in SCORING_PROVERS:
            self._check_scored()
        if self.variant == "prefix" and self.prover != "sample":
            raise ValueError(f"mrt.prover={self.prover!r} with mrt.variant='prefix'; allowed there: sample")
        if self.branch_token_budget is not None and self.branch_token_budget < self.boundary_tokens:
            raise ValueError(
                f"mrt.branch_token_budget={self.branch_token_budget}; allowed: {self.boundary_tokens} or more (one "
                "boundary: mrt.branches x mrt.branch_max_tokens, and a token for a scored reference), or null"
            )

    def _check_scored(self) -> None:
        """Provers that score the reference answer."""
        if not self.stop_text.endswith("{"):
            raise ValueError(
                f"mrt.prover={self.prover!r} with mrt.stop_text={self.stop_text!r}; allowed: a stop text that ends in "
                "an open box (mrt_stop=short), where the reference answer stands next"
            )
        if self.outcome != "math_verify":
            raise ValueError(
                f"mrt.prover={self.prover!r} with mrt.outcome={self.outcome!r}; allowed: math_verify, for which the "
                "reference is an answer. Use mrt.prover=ht"
            )
        if self.prover == "anchored" and self.branch_temperature not in (None, 1.0):
            raise ValueError(
                f"mrt.branch_temperature={self.branch_temperature} with mrt.prover='anchored'; allowed: null or 1.0, "
                "the temperature of scored prompts"
            )

    @property
    def boundary_tokens(self) -> int:
        """Tokens that the branches of a boundary generate at most, with one reference answer."""
        drawn = 0 if self.prover == "likelihood" else self.branches * self.branch_max_tokens
        return drawn + (self.prover in SCORING_PROVERS)

    @property
    def most_boundaries(self) -> int:
        """Boundaries of a trace that are branched at most."""
        if self.branch_token_budget is None:
            return self.max_episodes
        return min(self.max_episodes, self.branch_token_budget // self.boundary_tokens)


def forced_rollouts(n: int, forced_share: float) -> int:
    """Of a prompt's `n` rollouts those that the prefix variant forces to answer: one at least, and not all."""
    return min(max(round(n * forced_share), 1), n - 1)


def _is_list(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | Mapping)


def _check_number(key: str, value: Any, allowed: str, kind: type, holds: Any) -> None:
    kinds = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not holds(value):
        raise ValueError(f"mrt.{key}={value!r}; allowed: {allowed}")

"""Allowed values of the settings; a bad one is an error that says the key, the value got and what is allowed."""

import difflib
import itertools
import math
import re
from collections.abc import Iterable
from typing import Any

CHOICES = {
    "variant": ("online", "prefix"),
    "credit_per": ("episode", "token"),
    "bonus_norm": ("rms", "batch", "none"),
    "outcome": ("math_verify", "compute_score"),
    "boundary_choice": ("even", "uncertain"),
    "prefix_mode": ("one_episode", "paper"),
    "prefix_source": ("on_policy", "dataset"),
    "baseline": ("group", "termination"),
    "val_branches": (True, False),
}
WHOLE = {
    "branches": 1,
    "max_episodes": 1,
    "min_episode_tokens": 0,
    "min_steps": 1,
    "branch_max_tokens": 1,
    "traces_per_step": 1,
    "insert_max": 0,
    "insert_min_left": 1,
    "branch_token_budget": 1,
    "insert_every": 1,
    "seed": 0,
}
"""Whole numbers and the least value of each."""
RANGES = {
    "alpha": ("a number >= 0", 0.0, math.inf, "["),
    "plain_share": ("a number in (0, 1)", 0.0, 1.0, "()"),
    "forced_share": ("a number in (0, 1)", 0.0, 1.0, "()"),
    "gamma": ("a number in (0, 1]", 0.0, 1.0, "("),
    "bonus_floor": ("a number in (0, 1]", 0.0, 1.0, "("),
    "max_error_share": ("a number in (0, 1]", 0.0, 1.0, "("),
    "branch_temperature": ("null or a number > 0", 0.0, math.inf, "("),
    "branch_timeout_s": ("a number of seconds > 0", 0.0, math.inf, "("),
    "trace_timeout_s": ("null or a number of seconds > 0", 0.0, math.inf, "("),
    "stall_timeout_s": ("null or a number of seconds > 0", 0.0, math.inf, "("),
    "grade_timeout_s": ("a number of seconds > 0", 0.0, math.inf, "("),
}
"""Numbers: what is allowed in words, lower end, upper end, and which ends are excluded by ( and )."""
NULLABLE = (
    "branches",
    "branch_token_budget",
    "insert_every",
    "branch_temperature",
    "trace_timeout_s",
    "stall_timeout_s",
    "seed",
)
LISTS = ("markers", "branch_stop", "insert_texts")
TEXTS = ("credit", "prover", "episodes", "stop_text", "backtrack_text", "step_pattern")
WRITTEN = ("stop_text", "backtrack_text", "insert_texts", "reference_text")
"""Texts that the model is shown as they are."""
ESCAPED = re.compile(r"\\\\(?=[a-z])|\\n(?![a-z])")
r"""`\\boxed`, or `\n` where no command of LaTeX begins: escapes that nobody reads."""


def check_keys(given: Iterable[Any], known: Iterable[str], node: str = "") -> None:
    """Check that a node holds settings alone.

    Args:
        node: its name with a dot, for the error; empty for the top of a file.

    Raises:
        ValueError: a key is unknown; says what was meant, and what is allowed.
    """
    allowed = sorted(known)
    for key in map(str, given):
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            meant = f", did you mean {node}{near[0]}?" if near else ""
            raise ValueError(f"{node}{key} is not a setting{meant}; allowed: {', '.join(allowed)}")


def check_values(settings: Any) -> None:
    """Check every value of MRTSettings by itself; parts.check_parts checks those that exclude each other.

    Raises:
        ValueError: names the key, the value and what is allowed.
    """
    for key, allowed in CHOICES.items():
        value = getattr(settings, key)
        if not any(value is one or (isinstance(one, str) and value == one) for one in allowed):
            raise _refusal(key, value, ", ".join(map(str, allowed)).lower())
    for key, least in WHOLE.items():
        value = getattr(settings, key)
        if not (value is None and key in NULLABLE) and not (_is_number(value, int) and value >= least):
            raise _refusal(key, value, f"{'null or ' * (key in NULLABLE)}a whole number >= {least}")
    for key, (words, low, high, excluded) in RANGES.items():
        value = getattr(settings, key)
        if not (value is None and key in NULLABLE) and not (
            _is_number(value, int, float) and _is_inside(value, low, high, excluded)
        ):
            raise _refusal(key, value, words)
    _check_lists(settings)
    _check_texts(settings)


def _check_lists(settings: Any) -> None:
    for key in LISTS:
        value = getattr(settings, key)
        if not isinstance(value, tuple) or not all(isinstance(text, str) and text.strip(" ") for text in value):
            raise _refusal(key, value, "a list of texts that are not empty")
        if not value and key != "branch_stop":
            raise ValueError(f"mrt.{key}=[]; allowed: at least one text")


def _check_texts(settings: Any) -> None:
    for key in TEXTS:
        value = getattr(settings, key)
        if not isinstance(value, str) or not value.strip():
            raise _refusal(key, value, "a text that is not empty")
    if settings.trace_dir is not None and not (isinstance(settings.trace_dir, str) and settings.trace_dir.strip()):
        raise _refusal("trace_dir", settings.trace_dir, "null, or a directory")
    if not settings.backtrack_text.partition("{step}")[0].strip() or "{step}" not in settings.backtrack_text:
        raise _refusal("backtrack_text", settings.backtrack_text, "words, then {step} for the number")
    try:
        groups = re.compile(settings.step_pattern).groups
    except re.error as error:
        raise ValueError(
            f"mrt.step_pattern={settings.step_pattern!r}: {error}; allowed: a regular expression"
        ) from error
    if groups < 1:
        raise _refusal("step_pattern", settings.step_pattern, "a group for the step's number")
    spelled = settings.reference_text
    texts = texts_of(spelled)
    if spelled == () or not all(isinstance(text, str) and "{reference}" in text for text in texts):
        raise _refusal("reference_text", spelled, "null, or a text with {reference} in it, or several")
    if any(one.startswith(other) for one, other in itertools.permutations(texts, 2)):
        raise _refusal(
            "reference_text", spelled, "texts of which none begins with another, whose probability it shares"
        )
    for key in WRITTEN:
        _check_escapes(key, getattr(settings, key))
    tags = (settings.think_open, settings.think_close)
    if tags != (None, None) and not (all(isinstance(tag, str) and tag for tag in tags) and tags[0] != tags[1]):
        raise ValueError(
            f"mrt.think_open={tags[0]!r} with mrt.think_close={tags[1]!r}; allowed: two tags, or null for both; "
            "the two must differ"
        )


def texts_of(value: Any) -> tuple[Any, ...]:
    """Of a setting that takes a text, several, or null."""
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _check_escapes(key: str, value: Any) -> None:
    r"""Neither bash nor Hydra turns `\n` between quotes into a line break: the model would be shown a backslash."""
    for text in texts_of(value):
        if found := ESCAPED.search(text):
            raise _refusal(
                key,
                value,
                f"a line break itself (in bash $'\\n') and one backslash before a command, not {found.group()}",
            )


def _is_number(value: Any, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _is_inside(value: float, low: float, high: float, excluded: str) -> bool:
    if not math.isfinite(value):
        return False
    above = value > low if "(" in excluded else value >= low
    return above and (value < high if ")" in excluded else value <= high)


def _refusal(key: str, value: Any, allowed: str) -> ValueError:
    return ValueError(f"mrt.{key}={value!r}; allowed: {allowed}")

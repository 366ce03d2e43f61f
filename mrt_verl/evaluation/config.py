"""What an evaluation samples: one object, filled by the command line, a recipe or a notebook."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.plan import RESERVED, SamplingPlan, is_name
from mrt_verl.parts import check_parts
from mrt_verl.provers import PROVERS, Prover, prover_class
from mrt_verl.settings import MRTSettings

ENDPOINT_STOPS = 4
"""Stop texts that an OpenAI-compatible server takes."""
NUMBERS = {
    "temperature": (0.0, sys.float_info.max, "a number >= 0"),
    "top_p": (sys.float_info.min, 1.0, "a number in (0, 1]"),
    "top_k": (0, sys.maxsize, "-1 or 0 for all tokens, or 1 and more"),
    "insertions": (0, sys.maxsize, "0 or more"),
    "insertion_tokens": (1, sys.maxsize, "1 or more"),
    "seed": (0, 2**32 - 1, "a whole number from 0 to 2**32 - 1"),
}
"""Least and greatest value, and both in words: an engine refuses others trace by trace."""


def evaluation_settings(settings: MRTSettings | None = None) -> MRTSettings:
    """Training's settings with an evaluation's defaults: every boundary, and plain samples, which can vote."""
    return replace(settings or MRTSettings(), max_episodes=100, prover="sample", branches=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """What `evaluate` samples; each model gets a directory of its own in `out`."""

    models: Mapping[str, str]
    """{name: Hugging Face model, verl checkpoint, or the name that `base_url` serves}, at least one."""
    data: Path
    """verl parquet file with the problems."""
    budgets: Sequence[int]
    """Response tokens at which measures are taken, >= 1; traces are sampled with the largest."""
    out: Path
    traces: int = 4
    """Per problem, >= 1."""
    problems: int | None = None
    """Only the first so many; None takes all."""
    settings: MRTSettings = field(default_factory=evaluation_settings)
    """How episodes are found and answers forced and graded."""
    reward_function: Mapping[str, Any] | None = None
    """verl's node `reward.custom_reward_function` (path, name, reward_kwargs), for `mrt.outcome=compute_score`."""
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    direct_answers: int = 16
    """Answers without thinking per problem, >= 1."""
    insertions: int = 0
    """Budget forcing beyond a trace's end: switch markers that keep the thinking open."""
    insertion_tokens: int = 2048
    window: int | None = None
    """Linearised sampling: finished episodes kept in the context; None keeps all."""
    seed: int = 0
    """Of the engine."""
    engine: Mapping[str, Any] = field(default_factory=dict)
    """vLLM's arguments, such as max_model_len."""
    base_url: str | None = None
    """An OpenAI-compatible server instead of vLLM in this process."""
    tokenizer: str | None = None
    """The models' tokenizer; None takes the model's own."""
    concurrency: int = 128
    """Traces under way at once, >= 1."""

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models={}; allowed: one model or more")
        for name in self.models:
            if not is_name(name) or name in RESERVED:
                raise ValueError(
                    f"model name {name!r}; allowed: one without /, that starts with no dot, and none of "
                    f"{', '.join(RESERVED)}"
                )
        if not self.budgets or min(self.budgets) < 1:
            raise ValueError(f"budgets={list(self.budgets)}; allowed: numbers of tokens >= 1")
        for key in ("traces", "direct_answers", "concurrency", "problems", "window"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise ValueError(f"{key}={value}; allowed: 1 or more")
        for key, (low, high, words) in NUMBERS.items():
            value = getattr(self, key)
            if not (low <= value <= high or (key == "top_k" and value == -1)):
                raise ValueError(f"{key}={value}; allowed: {words}")
        check_settings(self.settings, self.base_url)

    @property
    def plan(self) -> SamplingPlan:
        """How the traces are sampled."""
        return SamplingPlan(
            response_tokens=max(self.budgets),
            sampling_params={"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k},
            direct_answers=self.direct_answers,
            insertions=self.insertions,
            insertion_tokens=self.insertion_tokens,
            window=self.window,
        )


def check_settings(settings: MRTSettings, base_url: str | None = None) -> None:
    """Raises ValueError: the settings' parts cannot evaluate; names the key, the value and what is allowed."""
    check_parts(settings)
    prover = prover_class(settings)
    if not can_evaluate(prover):
        allowed = ", ".join(name for name, kind in PROVERS.items() if can_evaluate(kind))
        raise ValueError(f"mrt.prover={settings.prover!r}; allowed in an evaluation: {allowed}")
    if base_url and len(settings.branch_stop) > ENDPOINT_STOPS:
        raise ValueError(
            f"mrt.branch_stop has {len(settings.branch_stop)} texts with --base-url; allowed there: {ENDPOINT_STOPS} "
            "or fewer, as OpenAI's protocol has it"
        )
    if base_url and "endpoint" not in prover.engines:
        allowed = ", ".join(name for name, kind in PROVERS.items() if "endpoint" in kind.engines)
        raise ValueError(f"mrt.prover={settings.prover} with --base-url; allowed there: {allowed}")


def can_evaluate(prover: type[Prover]) -> bool:
    """A scored reference cannot vote, and J that is too low would be read as the model's."""
    return prover.is_unbiased and not prover.scores_reference

"""The runs whose outputs are golden. Their texts are spelled out, so that new wording in conf/ changes none of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STOP = "Time is up.\n</think>\n\nThe answer is \\boxed{"
EXPLAIN = "Time is up.\n</think>\n\nSo the answer is:\n\n"
PLAIN_STOP = "\n\nTime is up. The answer is \\boxed{"
TEXTS = {
    "stop_text": STOP,
    "reference_text": "{reference}}",
    "branch_stop": ("\n",),
    "markers": ("Wait", "But wait", "Alternatively", "Hold on"),
    "insert_texts": ("Wait", "Alternatively"),
    "backtrack_text": "Wait, let me go back to step {step}.\n\nStep {step}:",
    "step_pattern": "Step (\\d+)",
}
OVERRIDES = ("mrt.min_steps=1", "mrt.min_episode_tokens=4", "mrt.branches=3", "mrt.branch_max_tokens=12")
MIXED = ("closes", "runs", "silent", "stops", "closes", "closes", "bare", "empty")
QUESTIONS = (
    ("Take 3 and 7.", "10"),
    ("Take 2 and 5.", "7"),
)
"""(question, reference)"""


@dataclass(frozen=True)
class Training:
    """One step's rollouts of some prompts, from the agent loop to the metrics."""

    overrides: tuple[str, ...] = ()
    texts: Mapping[str, Any] = field(default_factory=dict)
    reward_model: str = "mrt"
    response_tokens: int = 96
    prompts: int = 1
    rollouts: int = 5
    max_episodes: int = 4
    author: Mapping[str, Any] = field(default_factory=dict)
    """How the fake model writes, see author.Author."""
    opens_thinking: bool = True
    log_probs: bool = True
    row: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of each prompt's row."""
    estimates: tuple[Mapping[str, Any], ...] = ()
    """Changes of the `mrt` node (or of `norm_adv_by_std_in_grpo`) under which the advantages are computed again."""
    scored_by_function: bool = False
    """Whether tests/golden/outcome.py grades."""


@dataclass(frozen=True)
class Evaluation:
    """Records of the evaluation, and the prefixes that `data_prep prefixes` chooses from them."""

    overrides: tuple[str, ...] = ()
    texts: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    problems: int = 1
    traces: int = 4
    author: Mapping[str, Any] = field(default_factory=dict)
    opens_thinking: bool = True
    prefix_seeds: int = 0


CREDITS = (
    {"credit": "to_go", "gamma": 0.8},
    {"credit": "progress"},
    {"credit": "regret", "bonus_norm": "none"},
    {"credit_per": "token"},
    {"alpha": 0.0},
    {"norm_adv_by_std_in_grpo": False},
    {"bonus_floor": 0.9},
)
PREFIX: dict[str, Any] = {"reward_model": "mrt_prefix", "response_tokens": 112, "texts": {"prefix_mode": "paper"}}
THINKS = {"kinds": ("closes", "runs", "bare")}
DATASET = {"prefix": "Try 3 and 7: 3 + 7 = 10.\n\n" + "Wait, take 4 and 9: 4 + 9 = 13, no.\n\n" * 6}
"""Longer than a response may be: cut at a boundary that leaves room for an answer."""
INSERTED: dict[str, Any] = {"response_tokens": 112, "rollouts": 4}
PLAIN = {"think_open": None, "think_close": None, "stop_text": PLAIN_STOP}
STEPS = {"kinds": ("closes", "bare", "closes", "runs"), "has_steps": True}

TRAINING = {
    "online_sample": Training(
        ("mrt.prover=sample", "mrt.trace_dir=not/written", "mrt.alpha=0.5"),
        prompts=2,
        author={"kinds": MIXED, "failures": 0.15},
        estimates=CREDITS,
    ),
    "online_ht": Training(
        ("mrt.prover=ht", "mrt.branch_temperature=0.7"), author={"kinds": ("fits", *MIXED)}, log_probs=False
    ),
    "online_explain": Training(
        ("mrt.prover=ht", "mrt.branch_max_tokens=40"),
        {"stop_text": EXPLAIN, "branch_stop": ()},
        rollouts=3,
        author={"failures": 0.1},
    ),
    "online_likelihood": Training(
        ("mrt.prover=likelihood", "mrt.credit=regret"), author={"kinds": MIXED, "failures": 0.1}
    ),
    "online_anchored": Training(
        ("mrt.prover=anchored", "mrt.bonus_norm=none"),
        author={"kinds": MIXED, "failures": 0.1},
        row={"reward_model": {"ground_truth": ["10", "12"]}},
    ),
    "online_seen": Training(
        ("mrt.prover=seen", "mrt.branches=2", "mrt.branch_temperature=0.7"),
        author={"kinds": MIXED, "failures": 0.1},
    ),
    "online_pooled": Training(("mrt.prover=pooled",), author={"kinds": MIXED, "seed": 21}),
    "online_anchored_seen": Training(
        ("mrt.prover=anchored_seen", "mrt.branches=1"),
        author={"kinds": MIXED, "failures": 0.1},
    ),
    "online_even_budget": Training(
        ("mrt.prover=sample", "mrt.branch_token_budget=80", "mrt.min_episode_tokens=0"),
        author={"kinds": ("runs", "closes", "closes", "runs")},
        rollouts=4,
    ),
    "online_uncertain_budget": Training(
        ("mrt.prover=ht", "mrt.branch_token_budget=120", "mrt.boundary_choice=uncertain"),
        author={"kinds": ("runs", "closes", "closes", "runs"), "failures": 0.1},
        rollouts=4,
    ),
    "online_model_opens": Training(
        ("mrt_family=qwen3", "mrt.prover=sample"), author={"kinds": ("closes", "silent", "runs")}, opens_thinking=False
    ),
    "online_without_tags": Training(
        ("mrt_family=plain", "mrt.prover=sample"),
        PLAIN,
        author={"kinds": ("closes", "stops", "runs", "bare")},
        opens_thinking=False,
    ),
    "online_scored_by_function": Training(
        ("mrt.prover=sample",),
        rollouts=3,
        author={"kinds": ("closes", "runs", "bare"), "seed": 1},
        scored_by_function=True,
    ),
    "insertion_at_the_close": Training(
        ("mrt.prover=ht", "mrt.insertion=budget_forcing", "mrt.insert_min_left=20"),
        author={"kinds": ("closes", "closes", "stops", "silent"), "seed": 2},
        **INSERTED,
    ),
    "insertion_every_20": Training(
        (
            "mrt.prover=ht",
            "mrt.insertion=budget_forcing",
            "mrt.insert_min_left=20",
            "mrt.insert_every=20",
            "mrt.insert_max=3",
        ),
        author={"kinds": ("closes", "runs", "stops", "silent"), "seed": 4},
        **INSERTED,
    ),
    "insertion_without_tags": Training(
        ("mrt_family=plain", "mrt.prover=ht", "mrt.insertion=budget_forcing", "mrt.insert_every=30"),
        PLAIN,
        author={"kinds": ("closes", "runs", "bare"), "seed": 3},
        opens_thinking=False,
        rollouts=3,
        response_tokens=112,
    ),
    "insertion_backtrack": Training(
        ("mrt.prover=sample", "mrt.branches=2", "mrt.insert_min_left=20"),
        reward_model="mrt_backtrack",
        author={**STEPS, "seed": 6},
        response_tokens=128,
    ),
    "insertion_backtrack_by_function": Training(
        ("mrt.prover=ht", "mrt.insert_min_left=20", "mrt.insert_max=1"),
        reward_model="mrt_backtrack",
        author={**STEPS, "seed": 5},
        rollouts=1,
        response_tokens=112,
        scored_by_function=True,
    ),
    "prefix_on_policy": Training(
        prompts=2, author=THINKS, estimates=({"alpha": 0.0}, {"norm_adv_by_std_in_grpo": False}), **PREFIX
    ),
    "prefix_termination": Training(
        ("mrt.baseline=termination", "mrt.forced_share=0.4", "mrt.insertion=budget_forcing"),
        author={**THINKS, "seed": 17},
        estimates=({"bonus_norm": "none", "alpha": 0.5}, {"bonus_floor": 0.9}),
        **PREFIX,
    ),
    "prefix_dataset": Training(
        ("mrt.prefix_source=dataset",), row=DATASET, author={"failures": 0.3, "seed": 12}, **PREFIX
    ),
    "prefix_fallback": Training(
        ("mrt.prefix_source=dataset",), rollouts=3, row={"prefix": None}, author=THINKS, **PREFIX
    ),
    "prefix_taken_over": Training(author={"dies_at": (0,), "seed": 3}, **PREFIX),
    "prefix_one_episode": Training(
        rollouts=6,
        author={**THINKS, "seed": 4},
        reward_model="mrt_prefix",
        response_tokens=112,
        estimates=({"alpha": 0.5},),
    ),
    "validation_plain": Training(
        ("mrt.insertion=budget_forcing",), rollouts=3, row={"mrt_validate": True}, author={"kinds": MIXED, "seed": 1}
    ),
    "validation_backtrack": Training(
        ("mrt.prover=ht", "mrt.val_branches=true"),
        reward_model="mrt_backtrack",
        rollouts=3,
        row={"mrt_validate": True},
        author=STEPS,
    ),
    "validation_prefix": Training(rollouts=3, row={"mrt_validate": True}, author=THINKS, **PREFIX),
}
EVALUATION = {
    "evaluation_sample": Evaluation(author={"kinds": MIXED, "failures": 0.1}, problems=2, traces=5, prefix_seeds=3),
    "evaluation_ht": Evaluation(("mrt.prover=ht",), author={"kinds": ("closes", "runs", "fits")}, traces=3),
    "evaluation_insertions": Evaluation(
        plan={"insertions": 3, "insertion_tokens": 30}, author={"kinds": ("closes", "stops", "runs", "silent")}
    ),
    "evaluation_window": Evaluation(
        plan={"window": 1, "response_tokens": 120}, author={"kinds": ("closes", "runs", "stops", "silent"), "seed": 0}
    ),
    "evaluation_window_model_opens": Evaluation(
        ("mrt_family=qwen3",),
        plan={"window": 2, "response_tokens": 160},
        opens_thinking=False,
        traces=2,
        author={"kinds": ("runs", "closes"), "seed": 0},
    ),
    "evaluation_model_opens": Evaluation(
        ("mrt_family=qwen3",),
        opens_thinking=False,
        traces=3,
        author={"kinds": ("closes", "silent", "runs")},
        prefix_seeds=2,
    ),
    "evaluation_without_tags": Evaluation(
        ("mrt_family=plain",),
        PLAIN,
        plan={"insertions": 1, "insertion_tokens": 30},
        opens_thinking=False,
        traces=3,
        author={"kinds": ("closes", "runs", "bare")},
    ),
    "evaluation_backtrack": Evaluation(("reward_model=mrt_backtrack",), traces=3, author={**STEPS, "seed": 2}),
}

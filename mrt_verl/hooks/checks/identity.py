"""Settings that make it another run than MRT's, or that MRT would silently ignore."""

import logging
from collections.abc import Iterator
from typing import Any

from mrt_verl.parts import function_problems, group_problems
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

OURS = (
    ("algorithm.adv_estimator", ("mrt",), "mrt.alpha=0 is verl's GRPO on the outcome"),
    ("reward.reward_manager.source", ("register",), "MRT's reward manager lays out the episodes' rewards"),
    (
        "reward.reward_manager.name",
        ("mrt",),
        "MRT's reward manager lays out the episodes' rewards; it honours reward.reward_kwargs.overlong_buffer_cfg "
        "itself, and mrt.outcome=compute_score grades with verl's function or yours",
    ),
    (
        "actor_rollout_ref.rollout.agent.default_agent_loop",
        ("mrt", "mrt_prefix"),
        "no other agent loop finds episodes and forces answers",
    ),
    (
        "actor_rollout_ref.rollout.agent.agent_loop_manager_class",
        ("mrt_verl.hooks.loop_manager.MRTAgentLoopManager",),
        "it tells rollouts whether they validate",
    ),
    (
        "trainer.v1.sampler.custom_sampler.path",
        ("pkg://mrt_verl.hooks.replay_buffer",),
        "mrt/* metrics come from this sampler; leave the node to reward_model=mrt",
    ),
    ("trainer.v1.sampler.custom_sampler.name", ("build_replay_buffer",), "mrt/* metrics come from this sampler"),
)
"""(key, allowed values, why): what reward_model=mrt sets and a later override may have taken back."""
NOT_SERVED = (
    ("trainer.use_v1", True, "verl's older trainers do not hand a rollout's own rewards on"),
    ("algorithm.use_kl_in_reward", False, "a KL term on every token would blur the episode rewards; use "
     "actor_rollout_ref.actor.use_kl_loss=True"),
    ("actor_rollout_ref.rollout.multi_turn.enable", False, "MRT rolls out single turns, tools are not called"),
    ("reward.reward_model.enable", False, "a reward model's score would be ignored; mrt.outcome=compute_score with a "
     "reward.custom_reward_function of your own can ask it"),
)  # fmt: skip
"""(key, the only value served, why)."""


def check_parts_of_verl(settings: MRTSettings, config: Any) -> Iterator[str]:
    """What reward_model=mrt sets must still be set."""
    for key, allowed, why in OURS:
        value = _select(config, key)
        if value not in allowed:
            yield f"{key}={value}; allowed: {' or '.join(allowed)}. {why}"
    if _select(config, "actor_rollout_ref.rollout.agent.default_agent_loop") == "mrt_prefix":
        logger.warning(
            "actor_rollout_ref.rollout.agent.default_agent_loop=mrt_prefix: write mrt, mrt.variant=%s chooses the "
            "agent loop; the old name goes with the next version",
            settings.variant,
        )


def check_what_is_served(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Features of verl that MRT does not serve."""
    for key, allowed, why in NOT_SERVED:
        value = _select(config, key)
        if value is not None and bool(value) != allowed:
            yield f"{key}={value}; allowed: {allowed}. {why}"


def check_outcome(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Who grades must be who was named."""
    yield from function_problems(settings, _select(config, "reward.custom_reward_function.path"))
    buffer = _select(config, "reward.reward_kwargs.overlong_buffer_cfg")
    if buffer is not None and buffer.get("enable"):
        longest = _select(config, "reward.reward_kwargs.max_resp_len")
        length = buffer.get("len") or 0
        if longest is None or not 0 < length <= longest:
            yield (
                f"reward.reward_kwargs.overlong_buffer_cfg.len={length} with reward.reward_kwargs.max_resp_len="
                f"{longest}; allowed: a max_resp_len, and a buffer of 1 … max_resp_len tokens"
            )


def check_group_filter(settings: MRTSettings, config: Any) -> Iterator[str]:
    """DAPO's group filter tells groups by the outcome."""
    node = _select(config, "algorithm.filter_groups")
    if node is not None and node.get("enable") and node.get("metric") != "acc":
        yield (
            f"algorithm.filter_groups.metric={node.get('metric')}; allowed: acc, the outcome. The reward of a rollout "
            "is outcome + alpha · (J_last - J_before), whose spread is never 0, and MRT computes no other metric"
        )


def check_variant(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Settings that would train something else in the prefix variant."""
    yield from group_problems(settings, config.actor_rollout_ref.rollout.n, "actor_rollout_ref.rollout.n")


def _select(config: Any, key: str) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.select(config, key)


CHECKS = (
    check_parts_of_verl,
    check_what_is_served,
    check_outcome,
    check_group_filter,
    check_variant,
)

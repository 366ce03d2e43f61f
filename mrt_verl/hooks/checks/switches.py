"""Switches of verl under which another agent loop, trainer or loss would run than MRT's, or which would do nothing."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf

from mrt_verl.hooks.checks.local import expand
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

TOOLS = "MRT rolls out single turns, tools are not called"
TRAINERS = ("sync", "colocate_async", "separate_async")
OFF: tuple[tuple[str, Any, str], ...] = (
    ("critic.enable", None, "MRT's advantages need no critic"),
    ("trainer.critic_warmup", 0, "there is no critic to warm up, and until then the policy would not be trained"),
    ("algorithm.use_pf_ppo", False, "it reweights rollouts by the sum of their rewards, which is not the outcome"),
    ("algorithm.gdpo_reward_keys", None, "the outcome is one reward; mrt.outcome=compute_score may combine several"),
    ("actor_rollout_ref.rollout.ignore_eos", False, "traces would go on after their end, and no answer would be read"),
    ("actor_rollout_ref.rollout.multi_turn.tool_config_path", None, TOOLS),
    ("actor_rollout_ref.rollout.multi_turn.function_tool_path", None, TOOLS),
    ("skip.rollout_tq.enable", False, "rollouts of a cache would be trained as they are, with or without J"),
)  # fmt: skip
"""(key, its value where it is off, why)."""
LEGACY = {
    "custom_reward_function": "reward.custom_reward_function",
    "sandbox_fusion": "reward.sandbox_fusion",
    "reward_model.num_workers": "reward.num_workers",
    "reward_model.reward_manager": "reward.reward_manager.name",
    "reward_model.reward_loop_source": "reward.reward_manager.source",
    "reward_model.reward_loop_module_path": "reward.reward_manager.module.path",
    "reward_model.reward_loop_class_name": "reward.reward_manager.module.name",
    "reward_model.reward_kwargs": "reward.reward_kwargs",
    "reward_model.model.path": "reward.reward_model.model_path",
    "reward_model": "reward.reward_model",
}
"""Nodes that verl still has and its `main_ppo` no longer reads, and where their keys are now; first match wins."""
SEQUENCE_LOSSES = ("geo_mean",)
"""Values of `policy_loss.loss_mode` that take the mean of a rollout's advantages."""


def check_switches(settings: MRTSettings, config: Any) -> Iterator[str]:
    """What must be off."""
    for key, off, why in OFF:
        value = OmegaConf.select(config, key)
        if value and value != off:
            yield f"{key}={value}; allowed: {'null' if off is None else off}. {why}"


def check_legacy(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Keys of older scripts: verl ignores them without a word."""
    for node in ("custom_reward_function", "reward_model", "sandbox_fusion"):
        for key, value in _leaves(node, config.get(node)):
            old = next(old for old in LEGACY if f"{key}.".startswith(f"{old}."))
            yield f"{key}={value}: verl's main_ppo no longer reads it; allowed: {LEGACY[old]}{key[len(old) :]}={value}"


def check_trainer(settings: MRTSettings, config: Any) -> Iterator[str]:
    """The trainers that MRT's rewards were seen to reach."""
    mode = OmegaConf.select(config, "trainer.v1.trainer_mode")
    if mode not in TRAINERS:
        yield f"trainer.v1.trainer_mode={mode}; allowed: {', '.join(TRAINERS)}"


def check_loss(settings: MRTSettings, config: Any) -> Iterator[str]:
    """The loss must keep what each episode is paid."""
    mode = OmegaConf.select(config, "actor_rollout_ref.actor.policy_loss.loss_mode")
    if mode in SEQUENCE_LOSSES and settings.variant == "online" and settings.alpha > 0:
        yield (
            f"actor_rollout_ref.actor.policy_loss.loss_mode={mode}; allowed: vanilla, gspo and others that weigh each "
            "token by its own advantage. This one takes their mean over a rollout, in which episodes are lost"
        )
    node = OmegaConf.select(config, "distillation")
    if node is not None and node.get("enabled") and not node.distillation_loss.use_task_rewards:
        yield (
            "distillation.distillation_loss.use_task_rewards=False with distillation.enabled=True; allowed: True, or "
            "the policy is trained by its teacher alone and MRT's rewards do nothing"
        )


def check_sampling(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Rollouts of a group must be able to differ."""
    rollout = config.actor_rollout_ref.rollout
    if rollout.temperature <= 0:
        yield (
            f"actor_rollout_ref.rollout.temperature={rollout.temperature}; allowed: above 0, or all rollouts "
            "of a prompt are the same and nothing is learned"
        )
    if rollout.top_k == 1:
        yield (
            f"actor_rollout_ref.rollout.top_k={rollout.top_k}; allowed: -1, or 2 and more; all rollouts of a "
            "prompt would be the same"
        )
    if not rollout.enable_prefix_caching:
        logger.warning(
            "actor_rollout_ref.rollout.enable_prefix_caching=False: every forced answer computes its whole trace anew"
        )
    for key in ("gamma", "lam"):
        value = config.algorithm.get(key)
        if value != 1:
            logger.warning("algorithm.%s=%s has no effect: MRT discounts by mrt.gamma (mrt.credit=to_go)", key, value)


def check_scorers(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Nobody is named who would grade nothing."""
    url = OmegaConf.select(config, "reward.sandbox_fusion.url")
    if url and settings.outcome != "compute_score":
        yield f"reward.sandbox_fusion.url={url} with mrt.outcome={settings.outcome}; allowed: mrt.outcome=compute_score"


def check_agent_loops(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A file of agent loops must not give another one our name."""
    path = OmegaConf.select(config, "actor_rollout_ref.rollout.agent.agent_loop_config_path")
    key = f"actor_rollout_ref.rollout.agent.agent_loop_config_path={path}"
    if path and not expand(path).is_file() and expand(path).is_absolute():
        yield f"{key}; allowed: a YAML file that exists, or null"
    if not path or not expand(path).is_file():
        return  # verl looks for a relative one in its own package, too
    try:
        loops = OmegaConf.to_container(OmegaConf.load(expand(path)))
    except Exception as error:  # of YAML, of bytes that are no text, or of OmegaConf's own types
        yield f"{key}: {str(error)[:200]}; allowed: a YAML file with a list of agent loops, or null"
        return
    if not isinstance(loops, list) or not all(isinstance(one, Mapping) for one in loops):
        yield f"{key}: holds no list of agent loops; allowed: a YAML file with one, or null"
        return
    for name in sorted({"mrt", "mrt_prefix"} & {str(one.get("name")) for one in loops}):
        yield f"{key}: names an agent loop {name}; allowed: other names, or no such file"


def _leaves(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """(key, value) of what is set in a node."""
    if isinstance(node, Mapping) or OmegaConf.is_dict(node):
        for name in node:
            yield from _leaves(f"{key}.{name}", node[name])
    elif node is not None:
        yield key, node


CHECKS = (
    check_switches,
    check_legacy,
    check_trainer,
    check_loss,
    check_sampling,
    check_scorers,
    check_agent_loops,
)

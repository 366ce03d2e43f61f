"""Whether the config is that of verl's main_ppo at all, and whether the numbers that the checks read are numbers."""

import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from omegaconf import OmegaConf

from mrt_verl.settings import MRTSettings

TINY = sys.float_info.min
MAIN = "python -m verl.trainer.main_ppo reward_model=mrt …"
NODES = ("data", "algorithm", "trainer", "reward", "actor_rollout_ref.actor", "actor_rollout_ref.model")
OTHER_TRAINERS = {
    "async_training": "verl's fully_async_policy, which chooses agent loops of its own",
    "rollout": "verl's one_step_off_policy, which does not hand a rollout's own rewards on",
}
"""Nodes of verl's other primary configs, and whose they are; first match wins, for the first trainer has both."""
OWN_DATASET = "data.custom_cls"
REQUIRED = (
    *("ray_kwargs.ray_init", "reward.custom_reward_function"),
    *("algorithm.filter_groups", "trainer.v1", "actor_rollout_ref.rollout.agent"),
)
INNER = (
    *(OWN_DATASET, *REQUIRED),
    *("algorithm.rollout_correction", "actor_rollout_ref.model.lora", "actor_rollout_ref.actor.checkpoint"),
    *("actor_rollout_ref.rollout.val_kwargs", "actor_rollout_ref.rollout.engine_kwargs"),
    *("actor_rollout_ref.rollout.engine_kwargs.vllm", "actor_rollout_ref.rollout.engine_kwargs.sglang"),
    *("reward.custom_reward_function.reward_kwargs", "reward.reward_kwargs"),
    "reward.reward_kwargs.overlong_buffer_cfg",
)
"""Nodes that the checks look into."""
WHOLE = {
    "actor_rollout_ref.rollout.n": 1,
    "data.train_batch_size": 1,
    "data.max_prompt_length": 1,
    "data.max_response_length": 1,
    "actor_rollout_ref.rollout.agent.num_workers": 1,
    "actor_rollout_ref.actor.ppo_mini_batch_size": 1,
    "reward.num_workers": 1,
    "trainer.n_gpus_per_node": 1,
    "trainer.nnodes": 1,
    "trainer.total_epochs": 1,
    "trainer.save_freq": -1,
    "trainer.test_freq": -1,
}
"""Keys of verl's that hold whole numbers, and the least of each."""
WHOLE_OR_NULL = {
    "trainer.total_training_steps": 1,
    "trainer.v1.separate_async.parameter_sync_step": 1,
    "trainer.v1.colocate_async.parameter_sync_step": 1,
    "data.gen_batch_size": 1,
    "data.train_max_samples": -1,
    "data.dataloader_num_workers": 0,
    "actor_rollout_ref.rollout.max_model_len": 1,
    "actor_rollout_ref.rollout.top_k": -1,
    "actor_rollout_ref.rollout.val_kwargs.n": 1,
    "actor_rollout_ref.rollout.val_kwargs.top_k": -1,
    "actor_rollout_ref.model.lora_rank": 0,
    "actor_rollout_ref.model.lora.rank": 0,
    "actor_rollout_ref.actor.ppo_epochs": 1,
    "actor_rollout_ref.actor.ulysses_sequence_parallel_size": 1,
    "actor_rollout_ref.actor.megatron.tensor_model_parallel_size": 1,
    "actor_rollout_ref.actor.megatron.pipeline_model_parallel_size": 1,
    "actor_rollout_ref.actor.megatron.context_parallel_size": 1,
    "reward.reward_kwargs.overlong_buffer_cfg.len": 0,
    "reward.reward_kwargs.max_resp_len": 1,
}
"""The same of keys that may be null, or are not there in every config."""
NUMBERS = {
    "actor_rollout_ref.rollout.temperature": ("a number", -math.inf, math.inf),
    "actor_rollout_ref.rollout.top_p": ("a number in (0, 1]", TINY, 1.0),
    "actor_rollout_ref.rollout.val_kwargs.temperature": ("a number >= 0", 0.0, math.inf),
    "actor_rollout_ref.rollout.val_kwargs.top_p": ("a number in (0, 1]", TINY, 1.0),
    "actor_rollout_ref.actor.optim.lr": ("a number >= 0", 0.0, math.inf),
}
"""What is allowed in words, and the ends of it."""
FLAGS = (
    *("trainer.use_v1", "algorithm.use_kl_in_reward", "algorithm.filter_groups.enable", "reward.reward_model.enable"),
    *("actor_rollout_ref.actor.use_kl_loss", "actor_rollout_ref.rollout.enable_prefix_caching"),
    *("actor_rollout_ref.rollout.ignore_eos", "actor_rollout_ref.rollout.multi_turn.enable"),
)
"""True or false, or null: a text such as 'no' is true to Python."""
CHOICES = {"trainer.resume_mode": ("auto", "disable", "resume_path")}
TEXTS = ("actor_rollout_ref.model.path", "data.prompt_key", "trainer.default_local_dir")
TEXTS_OR_NULL = (
    *("actor_rollout_ref.model.tokenizer_path", "reward.custom_reward_function.path"),
    *("actor_rollout_ref.rollout.agent.agent_loop_config_path", "trainer.resume_from_path"),
)
LOGGER = "trainer.logger"
LISTS = {
    "data.train_files": "a file, or a list of several",
    "data.val_files": "a file, or a list of several",
    LOGGER: "a name, or a list of several",
    "actor_rollout_ref.actor.checkpoint.load_contents": "a list of names",
}
"""Texts, or lists of them."""


def find_unreadable(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A line for each value that the other checks could not read; they are not asked then."""
    missing = [node for node in NODES if OmegaConf.select(config, node) is None]
    if missing:
        yield f"no node {missing[0]} in this config: it is not one of verl's main_ppo; allowed: {MAIN}"
        return
    for node, whose in OTHER_TRAINERS.items():
        if OmegaConf.select(config, node) is not None:
            yield f"the node {node} is that of {whose}; allowed: {MAIN} trainer.v1.trainer_mode=separate_async"
            return
    if wrong := list(_no_nodes(config)):
        yield from wrong  # what is in them cannot be looked at
        return
    for key, allowed, is_allowed in _kinds():
        value = OmegaConf.select(config, key)
        if not is_allowed(value):
            yield f"{key}={value}; allowed: {allowed}"


def _no_nodes(config: Any) -> Iterator[str]:
    for key in (*NODES, *INNER):
        value = OmegaConf.select(config, key)
        # verl looks into this one as soon as it is there
        is_needed = key in REQUIRED or (key == OWN_DATASET and "custom_cls" in config.data)
        if not OmegaConf.is_dict(value) and (value is not None or is_needed):
            yield f"{key}={value}; allowed: a node of settings"


def _kinds() -> Iterator[tuple[str, str, Callable[[Any], bool]]]:
    """(key, what is allowed in words, whether a value is) of each."""
    for key, least in {**WHOLE, **WHOLE_OR_NULL}.items():
        yield key, f"a whole number >= {least}", _or_null(key in WHOLE_OR_NULL, partial(_is_whole, least))
    for key, (words, low, high) in NUMBERS.items():
        yield key, words, _or_null("val_kwargs" in key, partial(_is_number, low, high))
    for key in FLAGS:
        yield key, "True or False", _or_null(True, partial(_is_a, bool))
    for key, choices in CHOICES.items():
        yield key, ", ".join(choices), choices.__contains__
    for key in (*TEXTS, *TEXTS_OR_NULL):
        yield key, "a text", _or_null(key in TEXTS_OR_NULL, _is_text)
    for key, words in LISTS.items():
        yield key, words, _or_null(key != LOGGER, _is_list)


def _or_null(is_nullable: bool, is_allowed: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (is_nullable and value in (None, "")) or is_allowed(value)


def _is_a(kind: type, value: Any) -> bool:
    return isinstance(value, kind)


def _is_whole(least: int, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(low: float, high: float, value: Any) -> bool:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and math.isfinite(value) and low <= value <= high


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list(value: Any) -> bool:
    return all(map(_is_text, list(value) if OmegaConf.is_list(value) else [value]))

"""Whether the config is that of verl's main_ppo at all, and whether the numbers that the checks read are numbers."""

from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

MAIN = "python -m verl.trainer.main_ppo reward_model=mrt …"
NODES = ("data", "algorithm", "trainer", "reward", "actor_rollout_ref.actor", "actor_rollout_ref.model")
OTHER_TRAINERS = {
    "async_training": "verl's fully_async_policy, which chooses agent loops of its own",
    "rollout": "verl's one_step_off_policy, which does not hand a rollout's own rewards on",
}
"""Nodes of verl's other primary configs, and whose they are; first match wins, for the first trainer has both."""
WHOLE = {
    "actor_rollout_ref.rollout.n": 1,
    "data.train_batch_size": 1,
    "data.max_prompt_length": 1,
    "data.max_response_length": 1,
    "actor_rollout_ref.rollout.max_model_len": 1,
    "actor_rollout_ref.rollout.agent.num_workers": 1,
    "actor_rollout_ref.actor.ppo_mini_batch_size": 1,
    "reward.num_workers": 1,
    "trainer.n_gpus_per_node": 1,
    "trainer.nnodes": 1,
}
"""Keys of verl's that hold whole numbers, and the least of each."""
NUMBERS = ("actor_rollout_ref.rollout.temperature", "actor_rollout_ref.rollout.top_p")
TEXTS = (
    "actor_rollout_ref.model.path",
    "actor_rollout_ref.model.tokenizer_path",
    "reward.custom_reward_function.path",
    "data.prompt_key",
)
LISTS = ("data.train_files", "data.val_files")
"""Texts, or lists of them."""
NULLABLE = ("actor_rollout_ref.rollout.max_model_len", *TEXTS[1:3], *LISTS)


def find_unreadable(config: Any) -> Iterator[str]:
    """A line for each value that the other checks could not read; they are not asked then."""
    missing = [node for node in NODES if OmegaConf.select(config, node) is None]
    if missing:
        yield f"no node {missing[0]} in this config: it is not one of verl's main_ppo; allowed: {MAIN}"
        return
    for node, whose in OTHER_TRAINERS.items():
        if OmegaConf.select(config, node) is not None:
            yield f"the node {node} is that of {whose}; allowed: {MAIN} trainer.v1.trainer_mode=separate_async"
            return
    for key, least in WHOLE.items():
        value = OmegaConf.select(config, key)
        if value is None and key in NULLABLE:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield f"{key}={value}; allowed: a whole number >= {least}"
    for key in NUMBERS:
        value = OmegaConf.select(config, key)
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
            yield f"{key}={value}; allowed: a number"
    for key in (*TEXTS, *LISTS):
        value = OmegaConf.select(config, key)
        if value in (None, "") and key in NULLABLE:
            continue
        several = list(value) if key in LISTS and OmegaConf.is_list(value) else [value]
        if not all(isinstance(one, str) and one.strip() for one in several):
            yield f"{key}={value}; allowed: {'a file, or a list of several' if key in LISTS else 'a text'}"

"""Small pieces that several tests build on."""

from pathlib import Path

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings

ROOT = Path(__file__).parents[1]
ROW = {"data_source": "s", "prompt": [{"role": "user", "content": "?"}], "reward_model": {"ground_truth": "7"}}
"""A row of verl's data."""
SMALL = (
    "data.train_batch_size=2",
    "actor_rollout_ref.actor.ppo_mini_batch_size=2",
    "actor_rollout_ref.actor.use_dynamic_bsz=True",
    "actor_rollout_ref.rollout.agent.num_workers=1",
    "trainer.n_gpus_per_node=1",
)
"""Sizes with which a run of two such rows, or a few more, starts."""


def default_node(*overrides, reward_model="mrt", **changes):
    """The `mrt:` node as Hydra composes it, with changes."""
    with initialize_config_module("mrt_verl.conf", version_base=None):
        config = compose(overrides=[f"+reward_model={reward_model}", *overrides])
    return {**OmegaConf.to_container(config.mrt, resolve=True), **changes}


def default_settings(*overrides, **changes):
    return MRTSettings.from_config(default_node(*overrides, **changes))


def worker_pids(grader):
    """Process ids of a grader's workers alive now."""
    return [pid for pool in list(grader._pools.values()) for pid in pool.pids()]


def graded_record(**changes):
    """A graded rollout of two episodes, right in the end."""
    values = {
        "episodes": [(0, 0, 4), (4, 5, 10)],
        "answer_start": 11,
        "finished": True,
        "think_tokens": 10,
        "response_tokens": 20,
        "markers": 1,
        "forced": [[("7", True, None)], [("7", True, None)]],
        "answer_tokens": [6.0, 6.0],
        "outcome": 1.0,
        "j_before": 0.0,
        "js": [0.5, 1.0],
        "progress": [(0, 0, 0.5), (1, 1, 0.5)],
        "answers": 9,
    }
    return RolloutRecord.from_dict({**values, **changes})

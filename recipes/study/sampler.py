"""verl's replay buffer with the study's polling interval: its own 2 s hide differences between short steps."""

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer


def build_replay_buffer(**kwargs: Any) -> ReplayBuffer:
    """Named by `custom_sampler.name` of the arms without MRT, whose sampler takes the interval itself."""
    return ReplayBuffer(**kwargs, poll_interval=kwargs["sampler_kwargs"]["poll_interval"])

"""verl's replay buffer with the study's polling interval: at verl's own 2 s, steps of some seconds cannot be compared."""

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer


def build_replay_buffer(**kwargs: Any) -> ReplayBuffer:
    """Named by `custom_sampler.name` of the arms without MRT, whose sampler takes the interval itself."""
    return ReplayBuffer(**kwargs, poll_interval=kwargs["sampler_kwargs"]["poll_interval"])

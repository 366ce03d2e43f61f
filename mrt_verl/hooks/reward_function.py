"""A run's `reward.custom_reward_function`, loaded and wrapped as verl does it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


def load_reward_function(node: Any) -> Callable[..., Any] | None:
    """The function of verl's node `reward.custom_reward_function`; None without a path."""
    from verl.trainer.ppo.reward import get_custom_reward_fn  # takes seconds, which a run without it need not wait

    run: Any = SimpleNamespace(reward={"custom_reward_function": node})
    return get_custom_reward_fn(run)  # type: ignore[no-any-return]

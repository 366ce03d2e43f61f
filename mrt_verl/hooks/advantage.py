"""verl's advantage estimator "mrt"."""

from typing import Any

import numpy as np
import torch
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, register_adv_est

from mrt_verl.advantage import mrt_advantage
from mrt_verl.settings import MRTSettings


@register_adv_est("mrt")
def compute_mrt_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray | None = None,
    config: Any = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """advantage.mrt_advantage with verl's own GRPO for the outcome; shapes as there.

    Args:
        config: verl's algorithm config, with the `mrt` node.

    Returns:
        advantages and returns, the same tensor.

    Raises:
        ValueError: index or the `mrt` node is missing.
    """
    node = None if config is None else config.get("mrt")
    if index is None or node is None:
        raise ValueError("the estimator `mrt` needs the prompts' uid and algorithm.mrt; set both with reward_model=mrt")
    by_std = config.get("norm_adv_by_std_in_grpo", True)

    def normalise(values: torch.Tensor, groups: np.ndarray) -> torch.Tensor:
        # one column and a mask that lets it through: verl's own normalisation of one value a rollout
        advantages, _ = compute_grpo_outcome_advantage(
            token_level_rewards=values.unsqueeze(1).clone(),
            response_mask=torch.ones_like(values).unsqueeze(1),
            index=groups,
            norm_adv_by_std_in_grpo=by_std,
        )
        return advantages.squeeze(1)

    settings = MRTSettings.from_config(node)
    advantages = mrt_advantage(token_level_rewards, response_mask, index, settings, normalise)
    return advantages, advantages

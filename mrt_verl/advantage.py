"""The advantage estimator "mrt": verl's GRPO on the outcome, plus scaled episode credit."""

from typing import Any

import numpy as np
import torch
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, register_adv_est

from mrt_verl.progress import compute_credit
from mrt_verl.reward_layout import RewardRows, read_rewards


@register_adv_est("mrt")
def compute_mrt_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray | None = None,
    config: Any = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantage A_t = GRPO(outcome) + alpha · R_j / max(RMS, floor) for a token t of episode j.

    R_j is the episode's credit (progress.compute_credit), RMS its root mean square over all episodes of the group's
    rollouts. The credit is scaled, never centred: centred, credits that look ahead make late episodes negative and
    thinking collapses. Outcome and bonus are normalised apart, so that neither drowns the other and alpha keeps one
    meaning. Tokens of no span (tags, markers, the answer) carry the outcome part alone. With alpha = 0, and for rows
    without episodes, the result is exactly verl's GRPO.

    Args:
        token_level_rewards: (bs, response_length) float32, rows as reward_layout.write_rewards makes them.
        response_mask: (bs, response_length), 1 for tokens the policy sampled.
        index: (bs,) group (prompt uid) of each row.
        config: verl's algorithm config, with the `mrt` node.

    Returns:
        advantages and returns, the same (bs, response_length) float32 tensor, 0 outside the mask.

    Raises:
        ValueError: index or the `mrt` node is missing.
    """
    if index is None or config is None or config.get("mrt") is None:
        raise ValueError("the estimator `mrt` needs the prompts' uid and algorithm.mrt; set both with reward_model=mrt")
    settings = config.get("mrt")
    rows = read_rewards(token_level_rewards, response_mask)
    # verl's own code on one column: each row's whole outcome, each row's one mask entry
    outcome, _ = compute_grpo_outcome_advantage(
        token_level_rewards=rows.outcome.unsqueeze(1).clone(),
        response_mask=torch.ones_like(rows.outcome).unsqueeze(1),
        index=index,
        norm_adv_by_std_in_grpo=config.get("norm_adv_by_std_in_grpo", True),
    )
    alpha = float(settings["alpha"])
    if alpha == 0 or rows.bonus.shape[1] == 0:
        advantages = outcome * response_mask
    else:
        bonus = alpha * scale_credit(rows, index, settings)
        advantages = spread(outcome.squeeze(1), bonus, rows, token_level_rewards.shape[1]).mul_(response_mask)
    return advantages, advantages


def scale_credit(rows: RewardRows, index: np.ndarray, settings: Any) -> torch.Tensor:
    """Credit (bs, k_max) divided by the group's RMS over its episodes, but by no less than `bonus_floor`."""
    credit = compute_credit(rows.bonus / float(settings["alpha"]), rows.valid, settings["credit"], settings["gamma"])
    if settings["bonus_norm"] == "none":
        return credit
    group = torch.from_numpy(np.unique(index, return_inverse=True)[1].reshape(-1)).to(credit.device)
    groups = int(group.max()) + 1
    squares = credit.new_zeros(groups).index_add_(0, group, credit.square().sum(dim=1))
    episodes = credit.new_zeros(groups).index_add_(0, group, rows.valid.sum(dim=1).to(credit.dtype))
    rms = (squares / episodes.clamp(min=1)).sqrt().clamp(min=float(settings["bonus_floor"]))
    return credit / rms[group].unsqueeze(1)


def spread(outcome: torch.Tensor, bonus: torch.Tensor, rows: RewardRows, length: int) -> torch.Tensor:
    """Piecewise-constant rows (bs, length): the outcome everywhere, plus a step's bonus on the tokens of its span."""
    bs, k_max = bonus.shape
    # per row the pieces gap, span, gap, span, …, rest; an invalid step is an empty gap and an empty span at the end
    start = torch.where(rows.valid, rows.start, length)
    end = torch.where(rows.valid, rows.end, length)
    edges = torch.stack((start, end), dim=2).reshape(bs, 2 * k_max)
    edges = torch.cat((edges.new_zeros(bs, 1), edges, edges.new_full((bs, 1), length)), dim=1)
    values = torch.stack((torch.zeros_like(bonus), bonus), dim=2).reshape(bs, 2 * k_max)
    values = torch.cat((values, values.new_zeros(bs, 1)), dim=1) + outcome.unsqueeze(1)
    return values.flatten().repeat_interleave(edges.diff(dim=1).flatten(), output_size=bs * length).view(bs, length)

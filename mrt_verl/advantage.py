"""The advantage estimator "mrt": verl's GRPO on the outcome, plus scaled episode credit."""

from typing import Any

import numpy as np
import torch
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, register_adv_est

from mrt_verl.progress import compute_credit
from mrt_verl.reward_layout import RewardEvents, read_rewards


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
    meaning. Tokens of no span (tags, markers, the answer) carry the outcome part alone. With alpha = 0, and for groups
    without episodes, the result is exactly verl's GRPO; a row without trained tokens is one of its group there as here.

    Args:
        token_level_rewards: (bs, response_length) float32, rows as reward_layout.write_rewards makes them.
        response_mask: (bs, response_length), 1 for tokens the policy sampled.
        index: (bs,) group (prompt uid) of each row.
        config: verl's algorithm config, with the `mrt` node (alpha, credit, gamma, bonus_norm, bonus_floor).

    Returns:
        advantages and returns, the same (bs, response_length) float32 tensor, 0 outside the mask.

    Raises:
        ValueError: index or the `mrt` node is missing.
    """
    if index is None or config is None or config.get("mrt") is None:
        raise ValueError("the estimator `mrt` needs the prompts' uid and algorithm.mrt; set both with reward_model=mrt")
    settings = config.get("mrt")
    events = read_rewards(token_level_rewards, response_mask)
    # verl's own code on one column: each row's whole outcome, and a mask that lets it through
    outcome, _ = compute_grpo_outcome_advantage(
        token_level_rewards=events.outcome.unsqueeze(1).clone(),
        response_mask=torch.ones_like(events.outcome).unsqueeze(1),
        index=index,
        norm_adv_by_std_in_grpo=config.get("norm_adv_by_std_in_grpo", True),
    )
    alpha = float(settings["alpha"])
    bonus = torch.zeros_like(events.bonus) if alpha == 0 else alpha * scale_credit(events, index, settings)
    advantages = spread(outcome.squeeze(1), bonus, events, response_mask)
    return advantages, advantages


def scale_credit(events: RewardEvents, index: np.ndarray, settings: Any) -> torch.Tensor:
    """Credit (bs, k_max), free of alpha, divided by its group's RMS over episodes, but by no less than bonus_floor."""
    progress = events.bonus / float(settings["alpha"])
    credit = compute_credit(progress, events.valid, settings["credit"], float(settings["gamma"]))
    if settings["bonus_norm"] == "none":
        return credit
    group = torch.from_numpy(np.unique(index, return_inverse=True)[1].reshape(-1)).to(credit.device)
    squares = credit.new_zeros(len(index)).index_add_(0, group, credit.square().sum(dim=1))
    episodes = credit.new_zeros(len(index)).index_add_(0, group, events.valid.sum(dim=1).to(credit.dtype))
    rms = (squares / episodes.clamp(min=1)).sqrt().clamp(min=float(settings["bonus_floor"]))
    return credit / rms[group].unsqueeze(1)


def spread(
    outcome: torch.Tensor, bonus: torch.Tensor, events: RewardEvents, response_mask: torch.Tensor
) -> torch.Tensor:
    """Rows (bs, response_length): the outcome on all trained tokens, plus a step's bonus on those of its span.

    The rows are constant between the edges of mask runs and spans, so they are computed per piece and then repeated.
    """
    bs, length = response_mask.shape
    offset = torch.arange(bs, device=bonus.device).unsqueeze(1) * length
    start, end = ((offset + edge)[events.valid].cpu().numpy() for edge in (events.start, events.end))
    edges = np.unique(np.concatenate((events.mask_runs.cpu().numpy(), start, end)))
    values = outcome.cpu().numpy()[edges // length]
    span = np.searchsorted(start, edges, side="right") - 1
    inside = span >= 0
    inside[inside] = edges[inside] < end[span[inside]]
    values[inside] += bonus[events.valid].cpu().numpy()[span[inside]]
    values *= response_mask.cpu().numpy().reshape(-1)[edges]
    pieces = np.repeat(values, np.diff(edges, append=bs * length)).reshape(bs, length)
    return torch.from_numpy(pieces).to(response_mask.device)

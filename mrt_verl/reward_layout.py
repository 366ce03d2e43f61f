"""Outcome and episode rewards inside one token-level reward row: the one home of the rule.

verl's estimators see nothing but `token_level_rewards` and `response_mask`, so the row has to say everything:

    last trained token           the outcome
    last trained token of a span alpha · progress of a rewarded step; a progress of 0 is stored as +TINY
    token before a span          -TINY: the bonus starts behind this token, so an opening marker carries none
    all other tokens             0

A boundary that falls on the outcome's token moves to the trained token before it. The row sums to
outcome + alpha · (J_last - J_{-1}). Trained tokens are those with response_mask 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

TINY = float(np.float32(1e-30))
"""Marks a position without weight: survives float32 and bfloat16, and vanishes beside any real reward."""


def write_rewards(
    *,
    outcome: float,
    spans: Sequence[tuple[int, int]],
    progress: Sequence[float],
    response_mask: Sequence[int],
    alpha: float,
) -> np.ndarray:
    """Lay out the rewards of one response.

    Args:
        outcome: outcome reward.
        spans: per rewarded step the tokens [start, end) its bonus falls on, in order, not overlapping.
        progress: per rewarded step its progress.
        response_mask: 1 for tokens the policy sampled.
        alpha: weight of the bonus.

    Returns:
        (response_length,) float32. A step whose span holds no trained token beside the outcome's adds its reward to
        the step before it, or to the next one if it is the first; a response without trained tokens gets zeros.
    """
    rewards = np.zeros(len(response_mask), dtype=np.float32)
    trained = np.flatnonzero(np.asarray(response_mask))
    if not len(trained):
        return rewards
    carried = 0.0
    last_boundary = -1
    for (start, end), value in zip(spans, progress, strict=True):
        reward = alpha * value + carried
        inside = trained[(trained >= max(start, last_boundary + 1)) & (trained < end) & (trained < trained[-1])]
        if len(inside):
            if start - 1 > last_boundary:
                rewards[start - 1] = -TINY
            last_boundary, carried = int(inside[-1]), 0.0
            rewards[last_boundary] = reward if abs(reward) > TINY else TINY
        elif last_boundary >= 0:
            reward += float(rewards[last_boundary])
            rewards[last_boundary] = reward if abs(reward) > TINY else TINY
        else:
            carried = reward
    rewards[trained[-1]] = outcome
    return rewards


@dataclass(frozen=True, slots=True)
class RewardRows:
    """Rewards of a batch, read back; k_max is the largest number of rewarded steps of a row."""

    outcome: torch.Tensor
    """(bs,) float, 0 for a row without trained tokens."""
    bonus: torch.Tensor
    """(bs, k_max) float, alpha · progress; 0 where not valid."""
    start: torch.Tensor
    """(bs, k_max) int64, first token of a step's span."""
    end: torch.Tensor
    """(bs, k_max) int64, one past the boundary token."""
    valid: torch.Tensor
    """(bs, k_max) bool."""


def read_rewards(token_level_rewards: torch.Tensor, response_mask: torch.Tensor) -> RewardRows:
    """Read a batch of reward rows.

    Args:
        token_level_rewards: (bs, response_length) float, rows of `write_rewards`, right-padded with zeros.
        response_mask: (bs, response_length), 1 for tokens the policy sampled.
    """
    bs, length = token_level_rewards.shape
    position = torch.arange(length, device=response_mask.device)
    outcome_at = (response_mask.bool() * position).amax(dim=1) if length else position.new_zeros(bs)
    has_tokens = response_mask.bool().any(dim=1)
    row_index = torch.arange(bs, device=position.device)
    outcome = token_level_rewards[row_index, outcome_at] * has_tokens

    row, column = token_level_rewards.nonzero(as_tuple=True)
    value = token_level_rewards[row, column]
    opening = value == -TINY
    # a span starts behind its opening tag, or behind the boundary before it, or with the response
    previous = torch.cat((column.new_full((1,), -1), column[:-1]))
    previous = torch.where(torch.cat((row.new_full((1,), -1), row[:-1])) == row, previous, -1)
    boundary = ~opening & (column != outcome_at[row])
    row, start, end, bonus = row[boundary], previous[boundary] + 1, column[boundary] + 1, value[boundary]

    count = torch.bincount(row, minlength=bs)
    k_max = int(count.max()) if len(row) else 0
    first = count.cumsum(0) - count
    slot = torch.arange(len(row), device=row.device) - first[row]

    def compact(values: torch.Tensor) -> torch.Tensor:
        table = values.new_zeros((bs, k_max))
        table[row, slot] = values
        return table

    return RewardRows(outcome, compact(bonus), compact(start), compact(end), compact(torch.ones_like(row)).bool())

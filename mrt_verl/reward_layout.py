"""Outcome and episode rewards inside one token-level reward row: the one home of the rule.

verl's estimators see nothing but `token_level_rewards` and `response_mask`, so the row has to say everything:

    last trained token            the outcome; an outcome of 0 is stored as -0.0, equal to 0 but visible in its bits;
                                  +TINY where it is not known, and then nothing else in the row
    last trained token of a span  alpha · progress of a rewarded step; a progress of 0 is stored as +TINY
    token before a span           -TINY: the bonus starts after this token; alone where the progress is not known
    all other tokens              0

A boundary that falls on the outcome's token moves to the trained token before it. No -TINY is needed, nor stored, where
a span starts with the row or after another boundary. The row sums to outcome + alpha · (J_last - J_{-1}). Trained
tokens are those with response_mask 1 when the row is written; verl's rollout correction may take some of them, or whole
responses, out of the mask before the row is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

TINY = float(np.float32(1e-30))
"""Marks a position without weight: far from underflow in float32 and bfloat16, and lost beside any real reward."""


def bonus_spans(
    episodes: Sequence[tuple[int, int, int]], answer_start: int | None, steps: Sequence[tuple[int, int, float]]
) -> list[tuple[int, int]]:
    """Tokens [start, end) each rewarded step's bonus falls on: after the marker that opens it, through what ends it.

    Ending an episode, by the next marker or by closing the thinking, is its last decision and carries its bonus.
    Without it a policy is paid for whatever else it writes after an episode that made progress, and within 20 updates
    it no longer writes markers nor closes its thinking.

    Args:
        episodes: (start, marker_end, end) per episode, token positions in the response.
        answer_start: first token of the final answer, None where the thinking was never closed.
        steps: (first episode, boundary, progress) per rewarded step.
    """
    starts = [marker_end for _, marker_end, _ in episodes]
    think_end = max((end for *_, end in episodes), default=0)
    ends = [*starts[1:], max(think_end, answer_start or 0)]
    return [(starts[first], ends[boundary]) for first, boundary, _ in steps]


def write_rewards(
    *,
    outcome: float | None,
    spans: Sequence[tuple[int, int]],
    progress: Sequence[float | None],
    response_mask: Sequence[int],
    alpha: float,
) -> np.ndarray:
    """Lay out the rewards of one response.

    Args:
        outcome: outcome reward; None where it is not known, which leaves the rollout out of its group.
        spans: per rewarded step the tokens [start, end) its bonus falls on, in order, not overlapping.
        progress: per rewarded step its progress; None where it is not known, then only the step's start is shown.
        response_mask: 1 for tokens the policy sampled.
        alpha: weight of the bonus.

    Returns:
        (response_length,) float32. A step whose span holds no trained token beside the outcome's adds its reward to
        the step before it, else to the one after it, else to the trained token before the outcome's. Only where that
        does not exist either the bonus is lost; a response without trained tokens gets zeros, or the mark of an unknown
        outcome on its last token.
    """
    rewards = np.zeros(len(response_mask), dtype=np.float32)
    trained = np.flatnonzero(np.asarray(response_mask))
    if outcome is None:
        rewards[trained[-1] if len(trained) else -1] = TINY
        return rewards
    if not len(trained):
        return rewards
    before_outcome = trained[:-1]
    boundary, carried = -1, 0.0
    # a start is shown before the outcome, after which a row is read no further
    spans = [(min(start, int(trained[-1])), end) for start, end in spans]
    for (start, end), value in zip(spans, progress, strict=True):
        if value is None:
            _open(rewards, start, boundary)
            continue
        inside = before_outcome[(before_outcome >= max(start, boundary + 1)) & (before_outcome < end)]
        if len(inside):
            _open(rewards, start, boundary)
            boundary = int(inside[-1])
            rewards[boundary] = _visible(alpha * value + carried)
            carried = 0.0
        elif boundary >= 0:
            rewards[boundary] = _visible(float(rewards[boundary]) + alpha * value)
        else:
            carried += alpha * value
    is_known = any(value is not None for value in progress)
    if is_known and boundary < 0 and len(before_outcome):
        last = int(before_outcome[-1])
        _open(rewards, last, boundary)
        rewards[last] = _visible(carried)
    elif is_known and boundary < 0:
        _open(rewards, spans[0][0], boundary)
    rewards[trained[-1]] = outcome if abs(outcome) > 2 * TINY else -0.0
    return rewards


def _open(rewards: np.ndarray, start: int, last_boundary: int) -> None:
    """Show that a span starts at `start`, unless the boundary before it or the row's start shows it already."""
    if start - 1 > last_boundary:
        rewards[start - 1] = -TINY


def _visible(reward: float) -> float:
    return reward if abs(reward) > 2 * TINY else TINY


@dataclass(frozen=True, slots=True)
class RewardEvents:
    """Rewards of a batch, read back; k_max is the largest number of rewarded steps of a row."""

    outcome: torch.Tensor
    """(bs,) float, 0 for a row without any reward, and where it is not known."""
    known: torch.Tensor
    """(bs,) bool, False for rows whose outcome is not known."""
    bonus: torch.Tensor
    """(bs, k_max) float, alpha · progress; 0 where not valid."""
    start: torch.Tensor
    """(bs, k_max) int64, first token of a step's span."""
    end: torch.Tensor
    """(bs, k_max) int64, one past the boundary token."""
    valid: torch.Tensor
    """(bs, k_max) bool, True in a row's first k columns."""
    started: torch.Tensor
    """(bs,) bool, rows that show the start of a step, whether its progress is known or not."""
    mask_runs: torch.Tensor
    """(runs,) int64, where a row or a run of equal mask values starts, positions in the flattened batch, ascending."""


def read_rewards(token_level_rewards: torch.Tensor, response_mask: torch.Tensor) -> RewardEvents:
    """Read a batch of reward rows.

    Args:
        token_level_rewards: (bs, response_length) float, rows of `write_rewards`, right-padded with zeros.
        response_mask: (bs, response_length), 1 for tokens the policy sampled.
    """
    length = token_level_rewards.shape[1]
    # numpy is several times faster here than torch on a CPU, and the trainer's driver is one
    rewards = token_level_rewards.detach().float().cpu().numpy().reshape(-1)
    mask = response_mask.detach().cpu().numpy().reshape(-1)
    mask_runs = _mask_runs(mask, length)
    position = np.flatnonzero(rewards.view(np.uint32) != 0)  # by their bits, because -0.0 counts
    row = position // length
    # the last of either: rewards of others have no -0.0, and a mask may have lost its last token since
    outcome_at = _last_trained(mask, mask_runs, length)
    np.maximum.at(outcome_at, row, position)
    outcome, known = _outcomes(rewards, outcome_at)

    # a span starts after its opening mark, or after the boundary before it, or with the row
    start = np.maximum(np.append(-1, position[:-1]) + 1, row * length)
    is_opening = (rewards[position] < 0) & (rewards[position] > -2 * TINY)
    is_boundary = ~is_opening & (position != outcome_at[row])
    started = np.zeros(len(outcome), dtype=bool)
    started[row[is_opening | is_boundary]] = True
    row, start, end = row[is_boundary], start[is_boundary], position[is_boundary] + 1

    count = np.bincount(row, minlength=len(outcome))
    slot = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    k_max = int(count.max()) if len(row) else 0

    def compact(values: np.ndarray) -> torch.Tensor:
        table = np.zeros((len(outcome), k_max), dtype=values.dtype)
        table[row, slot] = values
        return torch.from_numpy(table).to(token_level_rewards.device)

    return RewardEvents(
        outcome=torch.from_numpy(outcome).to(token_level_rewards.device),
        known=torch.from_numpy(known).to(token_level_rewards.device),
        bonus=compact(rewards[end - 1]),
        start=compact(start - row * length),
        end=compact(end - row * length),
        valid=compact(np.ones(len(row), dtype=bool)),
        started=torch.from_numpy(started).to(token_level_rewards.device),
        mask_runs=torch.from_numpy(mask_runs).to(token_level_rewards.device),
    )


def _outcomes(rewards: np.ndarray, outcome_at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(bs,) outcomes that stand at some positions (-1 for none), and whether they are known."""
    outcome = np.where(outcome_at >= 0, rewards[outcome_at] + np.float32(0.0), np.float32(0.0))
    known = (outcome <= 0) | (outcome > 2 * TINY)
    outcome[~known] = 0.0
    return outcome, known


def _mask_runs(mask: np.ndarray, length: int) -> np.ndarray:
    changes = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    return np.union1d(changes, np.arange(0, len(mask), length))


def _last_trained(mask: np.ndarray, mask_runs: np.ndarray, length: int) -> np.ndarray:
    """(bs,) position of each row's last trained token in the flattened batch, -1 without one."""
    last = np.full(len(mask) // length, -1)
    ends = np.append(mask_runs[1:], len(mask))
    trained = mask[mask_runs] != 0
    last[mask_runs[trained] // length] = ends[trained] - 1  # of a row's runs the last assignment stays
    return last

"""The advantage "mrt": GRPO on the outcome, plus scaled episode credit. Plain tensors; no host is imported here."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mrt_verl.progress import compute_credit
from mrt_verl.reward_layout import RewardEvents, read_rewards
from mrt_verl.settings import MRTSettings

SHORTEST = 0.25
"""Share of the mean length that an episode counts at least where its tokens share its credit: a few tokens alone are
not paid many times what an episode is."""
Normalise = Callable[[torch.Tensor, np.ndarray], torch.Tensor]
"""normalise(values (bs,), index (bs,)) -> (bs,): the host's own GRPO on one value a rollout."""


def mrt_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    settings: MRTSettings,
    normalise: Normalise,
) -> torch.Tensor:
    """Advantage A_t = GRPO(outcome) + alpha · R_j / max(RMS, floor) for a token t of episode j.

    R_j is the episode's credit (progress.compute_credit), RMS its root mean square over all episodes of the batch, or
    of the group's rollouts (`mrt.bonus_norm`); what ends an episode, a marker or tag, is its last token
    (reward_layout.bonus_spans). The credit is scaled, never centred: centred, credits that look ahead make late
    episodes negative and thinking collapses. Outcome and bonus are normalised apart, so that neither drowns the other
    and alpha keeps one meaning. With `mrt.credit_per=token` each token carries its share of R_j, not all of it.
    Tokens of no span (such as the answer) carry the outcome part alone. With alpha = 0, and for groups without
    episodes, the result is exactly the host's GRPO; a row without trained tokens is one of its group there as here.
    The prefix variant has advantages of its own. A rollout whose outcome is not known (its grading timed out or
    failed, its trace was lost) has advantage 0, and the others have those of a group without it.

    Args:
        token_level_rewards: (bs, response_length) float32, rows as reward_layout.write_rewards makes them.
        response_mask: (bs, response_length), 1 for tokens the policy sampled.
        index: (bs,) group (prompt uid) of each row.

    Returns:
        (bs, response_length) float32, 0 outside the mask.
    """
    events = read_rewards(token_level_rewards, response_mask)
    if not bool(events.known.all()):
        known, rows = events.known, events.known.cpu().numpy()
        advantages = torch.zeros_like(token_level_rewards, dtype=torch.float32)
        if rows.any():
            kept = token_level_rewards[known], response_mask[known], index[rows]
            advantages[known] = mrt_advantage(*kept, settings, normalise)
        return advantages
    if settings.variant == "prefix" and settings.prefix_mode == "one_episode":
        return one_episode_advantage(events, index, settings, normalise).unsqueeze(1) * response_mask
    outcome = normalise(events.outcome, index)
    if settings.variant == "prefix":
        return prefix_advantage(events, outcome, index, settings, normalise).unsqueeze(1) * response_mask
    if settings.alpha == 0:
        bonus = torch.zeros_like(events.bonus)
    else:
        bonus = settings.alpha * scale_credit(events, index, settings)
    return spread(outcome, bonus, events, response_mask)


def prefix_advantage(
    events: RewardEvents, outcome: torch.Tensor, index: np.ndarray, settings: MRTSettings, normalise: Normalise
) -> torch.Tensor:
    """One advantage (bs,) per rollout of the prefix variant (arXiv 2503.07572, its RL).

    A rollout that thought on has one step, with progress p = outcome - J; one forced to answer has none, p = 0.

    `group`: GRPO(outcome) + alpha · GRPO(p), both normalised over all n; alpha = 0 is the host's GRPO.
    `termination`: (outcome - J + alpha · p) / max(RMS, floor), J the mean outcome of the forced rollouts and RMS that
    of outcome - J over the batch or the group. It is not centred again: J is the same for all n and would cancel.

    A group without rollouts of both kinds (plain rollouts for want of a prefix) gets GRPO(outcome), and so does a
    rollout that thought on but whose progress is not known (its grading timed out); it counts in no mean of the others.

    Args:
        outcome: (bs,) GRPO(outcome).
    """
    alpha = float(settings.alpha)
    is_known = events.valid.any(dim=1)
    is_forced = ~(events.started | is_known)
    counts = is_forced | is_known
    forced = is_forced.to(outcome.dtype)
    progress = events.bonus.sum(dim=1) / alpha if alpha else torch.zeros_like(outcome)
    group_sum = _group_sums(index, outcome.device)
    is_mixed = (group_sum(is_known.to(outcome.dtype)) > 0) & (group_sum(forced) > 0) & counts
    if settings.baseline == "group":
        bonus = torch.zeros_like(progress)
        if alpha and bool(counts.any()):
            bonus[counts] = alpha * normalise(progress[counts], index[counts.cpu().numpy()])
        return torch.where(is_mixed, outcome + bonus, outcome)
    over_j = events.outcome - group_sum(events.outcome * forced) / group_sum(forced).clamp(min=1)
    weight = (counts & is_mixed).to(outcome.dtype)
    scale = _scale(over_j.square() * weight, weight, index, settings)
    return torch.where(is_mixed, (over_j + alpha * progress) / scale, outcome)


def one_episode_advantage(
    events: RewardEvents, index: np.ndarray, settings: MRTSettings, normalise: Normalise
) -> torch.Tensor:
    """One advantage (bs,) per rollout of prefix mode one_episode (ours): GRPO(outcome) among the rollouts of its kind.

    One-episode rollouts show where their episode starts, plain ones do not. Those of a prompt start from the same J,
    which cancels: GRPO of their outcomes is that of their progress, times alpha. A group of one kind is plain GRPO. A
    rollout that is left alone of its kind, the others lost, has nothing to be compared with: its advantage is 0.
    """
    one_episode = events.started.to(events.outcome.dtype)
    groups = np.unique(index, return_inverse=True)[1].reshape(-1)
    kinds = groups * 2 + events.started.cpu().numpy()
    advantages = normalise(events.outcome, kinds) * (1 + (float(settings.alpha) - 1) * one_episode)
    is_alone = (np.bincount(kinds)[kinds] == 1) & (np.bincount(groups)[groups] > 1)
    return advantages.masked_fill(torch.from_numpy(is_alone).to(advantages.device), 0.0)


def scale_credit(events: RewardEvents, index: np.ndarray, settings: MRTSettings) -> torch.Tensor:
    """Credit (bs, k_max) of a token, free of alpha, divided by its RMS over the episodes of its group or of the batch.

    By no less than bonus_floor. `mrt.credit_per=token` multiplies it first by mean length / own length.
    """
    progress = (events.bonus / float(settings.alpha)).cpu().numpy()
    valid = events.valid.cpu().numpy()
    credit = torch.from_numpy(compute_credit(progress, valid, settings.credit, float(settings.gamma)))
    credit = credit.to(events.bonus.device)
    if settings.credit_per == "token":
        credit = credit * _share_of_a_token(events).to(credit.dtype)
    episodes = events.valid.sum(dim=1).to(credit.dtype)
    return credit / _scale(credit.square().sum(dim=1), episodes, index, settings).unsqueeze(1)


def _share_of_a_token(events: RewardEvents) -> torch.Tensor:
    """(bs, k_max) mean length of the batch's episodes over the episode's own."""
    length = (events.end - events.start).to(torch.float64) * events.valid
    mean = length.sum() / events.valid.sum().clamp(min=1)
    return mean / length.clamp(min=max(SHORTEST * float(mean), 1.0))


def _scale(squares: torch.Tensor, counts: torch.Tensor, index: np.ndarray, settings: MRTSettings) -> torch.Tensor:
    """(bs,) what credit is divided by: its RMS as `mrt.bonus_norm` says, from the sums (bs,) of squares and counts."""
    if settings.bonus_norm == "none":
        return torch.ones_like(squares)
    groups = np.zeros(len(index), dtype=np.int64) if settings.bonus_norm == "batch" else index
    group_sum = _group_sums(groups, squares.device)
    return (group_sum(squares) / group_sum(counts).clamp(min=1)).sqrt().clamp(min=float(settings.bonus_floor))


def _group_sums(index: np.ndarray, device: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """values (bs,) -> (bs,), for each row the sum over its group."""
    group = torch.from_numpy(np.unique(index, return_inverse=True)[1].reshape(-1)).to(device)

    def group_sum(values: torch.Tensor) -> torch.Tensor:
        return values.new_zeros(len(index)).index_add_(0, group, values)[group]

    return group_sum


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

"""How large one reward a rollout can be (scalar.py), for a trainer that clips rewards. Plain numbers."""

import math

from mrt_verl.settings import MRTSettings, plain_rollouts


def largest_reward(settings: MRTSettings, n: int) -> float:
    """The largest size of a reward among n rollouts of a prompt; a reward of each sign comes to it, or near it.

    One rule gives all of it: d_1 … d_n that add up to 0, with squares that add up to q, are at most sqrt(q (n-1) / n).
    For if one is d, the others add up to -d, their squares to d² / (n-1) or more, and q >= d² + d² / (n-1).

    Outcome, by GRPO: less the mean and over a deviation that divides by n - 1, so q = n - 1 and the most is
    (n-1) / sqrt(n): one rollout right, or wrong, alone. Fewer rollouts whose outcome is known give less.

    Bonus, c = alpha S / max(RMS, floor) less its mean, S the progress of a trace:
    `bonus_norm=rms`: the squares of S / RMS add up to the number of rollouts that have one, n at most; those of numbers
    less their mean to no more, so q = n and the most is alpha sqrt(n-1), whatever J is. It comes together with the
    outcome's: J_{-1} = 1/n, J = 1 in the end for the one right rollout, 0 for the others.
    `bonus_norm=none`: for J in [0, 1] S is in [-1, 1] under every credit (those of `to_go` and `regret` are a mean of J
    less J_{-1}), and one less the mean of all is at most 2 alpha (n-1) / n. Provers whose J may be above 1 (`ht`,
    `anchored`) can exceed it.
    `bonus_norm=batch` has no place here: its scale is not the group's (config.problems refuses it).

    Prefix variant, mode paper: GRPO(outcome) + alpha GRPO(p), so 1 + alpha times the outcome's. Mode one_episode: GRPO
    among the rollouts of a kind. All n are plain for want of a prefix, or those that are not are paid alpha times it.
    """
    grpo = _largest_normalised(n)
    if settings.variant == "prefix" and settings.prefix_mode == "paper":
        return (1 + settings.alpha) * grpo
    if settings.variant == "prefix":
        return max(grpo, settings.alpha * _largest_normalised(n - plain_rollouts(n, settings.plain_share)))
    if settings.bonus_norm == "rms":
        return grpo + settings.alpha * math.sqrt(n - 1)
    return grpo + settings.alpha * 2 * (n - 1) / n


def _largest_normalised(n: int) -> float:
    return (n - 1) / math.sqrt(n)

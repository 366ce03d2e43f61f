"""One reward per rollout, from the outcomes and progress of its group. Plain numbers; OpenRLHF is not imported here.

OpenRLHF lays a rollout's one reward on its last sampled token, and every sampled token's advantage is that reward less
what its estimator takes off. So what is handed over is the rollout's advantage, made here with the group at hand; its
mean over the group is 0, and the estimator `dr_grpo`, which takes that mean off, leaves it as it is.
"""

from collections.abc import Sequence

import numpy as np
import torch

from mrt_verl.advantage import mrt_advantage
from mrt_verl.progress import compute_credit
from mrt_verl.rollout_grading import reward_batch
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings
from mrt_verl.trace import Trace

Floats = np.ndarray
LOOKS_AHEAD = ("to_go", "regret")
"""Credits of which the first episode's is that of the whole trace."""
EPSILON = 1e-6
"""Added to the deviation, as verl's GRPO does."""


def group_rewards(rollouts: Sequence[tuple[Trace, RolloutRecord]], settings: MRTSettings) -> list[float]:
    """The reward of each of a prompt's graded rollouts; 0 where the outcome is not known, which changes no other's."""
    rewards = np.zeros(len(rollouts))
    known = [number for number, (_, record) in enumerate(rollouts) if record.values.outcome is not None]
    if not known:
        return rewards.tolist()
    of = prefix_rewards if settings.variant == "prefix" else online_rewards
    found = of([rollouts[number] for number in known], settings)
    rewards[known] = found - found.mean()
    return [float(reward) for reward in rewards]


def online_rewards(rollouts: Sequence[tuple[Trace, RolloutRecord]], settings: MRTSettings) -> Floats:
    """GRPO(outcome) + alpha · S / max(RMS, floor), S the one number of a trace's progress (trace_credit).

    RMS is the root mean square of S over the group's rollouts that have one (`mrt.bonus_norm=rms`; none: 1); a rollout
    without known progress has no bonus.
    """
    outcome = normalise(np.array([record.values.outcome for _, record in rollouts]))
    credit = np.zeros(len(rollouts))
    has = [number for number, (_, record) in enumerate(rollouts) if record.values.progress]
    for number in has:
        credit[number] = trace_credit([value for *_, value in rollouts[number][1].values.progress], settings)
    scale = 1.0
    if settings.bonus_norm == "rms" and has:
        scale = max(float(np.sqrt(np.mean(credit[has] ** 2))), settings.bonus_floor)
    return np.asarray(outcome + settings.alpha * credit / scale)


def trace_credit(progress: Sequence[float], settings: MRTSettings) -> float:
    """One number of a trace's progress r_m, by `mrt.credit`.

    `progress`, `median`: sum_m r_m = J_last - J_{-1}. `to_go`: sum_m gamma^m r_m. `regret`: sum_m (k-m) r_m / k, the
    mean of J over the k episodes less J_{-1}. These two are the credit of the first episode, which looks ahead to all.
    """
    values = np.asarray([list(progress)], dtype=float)
    credit = compute_credit(values, np.ones_like(values), settings.credit, settings.gamma)[0]
    return float(credit[0] if settings.credit in LOOKS_AHEAD else credit.sum())


def prefix_rewards(rollouts: Sequence[tuple[Trace, RolloutRecord]], settings: MRTSettings) -> Floats:
    """The advantage of the prefix variant, one number a rollout as it is: that of mrt_verl.advantage."""
    advantages, mask = token_advantages(rollouts, settings)
    return np.asarray(np.take_along_axis(advantages, mask.argmax(axis=1, keepdims=True), axis=1)[:, 0])


def token_advantages(rollouts: Sequence[tuple[Trace, RolloutRecord]], settings: MRTSettings) -> tuple[Floats, Floats]:
    """(advantages, masks) of one prompt's graded rollouts by mrt_verl.advantage, each (rollouts, longest response)."""
    outcomes = [float(record.values.outcome or 0.0) for _, record in rollouts]
    rewards, mask = map(torch.from_numpy, reward_batch(rollouts, outcomes))

    def of_group(values: torch.Tensor, index: np.ndarray) -> torch.Tensor:
        result = torch.zeros_like(values)
        for group in np.unique(index):
            rows = index == group
            result[torch.from_numpy(rows)] = torch.from_numpy(normalise(values.numpy()[rows])).to(values.dtype)
        return result

    index = np.zeros(len(rollouts), dtype=np.int64)
    return mrt_advantage(rewards, mask, index, settings, of_group).numpy(), mask.numpy()


def normalise(values: Floats) -> Floats:
    """GRPO: less the mean, divided by the deviation; one value alone is compared with none, and gets 0."""
    if len(values) < 2:
        return np.zeros(len(values))
    centred = values - values.mean()
    return np.asarray(centred / (values.std(ddof=1) + EPSILON))

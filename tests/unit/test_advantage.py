"""The estimator on batches small enough to work out by hand."""

import math

import numpy as np
import pytest
import torch

from mrt_verl.hooks.advantage import compute_mrt_advantage
from mrt_verl.reward_layout import write_rewards

EPSILON = 1e-6  # verl's, under GRPO's standard deviation


def config(**settings) -> dict:
    mrt = {
        "variant": "online",
        "alpha": 1.0,
        "credit": "progress",
        "credit_per": "episode",
        "gamma": 1.0,
        "bonus_norm": "rms",
        "bonus_floor": 0.05,
        **settings,
    }
    return {"mrt": mrt, "norm_adv_by_std_in_grpo": False}


def batch(rollouts: list[tuple], alpha: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards and mask of rollouts (outcome, spans, progress, mask)."""
    rewards = [
        write_rewards(outcome=outcome, spans=spans, progress=progress, response_mask=mask, alpha=alpha)
        for outcome, spans, progress, mask in rollouts
    ]
    return torch.from_numpy(np.stack(rewards)), torch.tensor([mask for *_, mask in rollouts])


def one_row(rollout: tuple) -> tuple[torch.Tensor, torch.Tensor]:
    rewards, mask = batch([rollout])
    return rewards[0], mask[0]


# <think> 1 | Wait 3 4 </think> 6 and a trace of one episode, padded
ROLLOUTS = [
    (1.0, [(1, 2), (3, 5)], [0.5, 0.25], [1, 1, 1, 1, 1, 1, 1]),
    (0.0, [(1, 4)], [-0.25], [1, 1, 1, 1, 1, 0, 0]),
]
SAME_PROMPT = np.array(["a", "a"], dtype=object)


def test_outcome_plus_scaled_progress():
    rewards, mask = batch(ROLLOUTS)
    advantages, returns = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config())
    # outcome: 1 - 1/2, 0 - 1/2; RMS of 0.5, 0.25, -0.25: sqrt((0.25 + 0.0625 + 0.0625) / 3)
    rms = math.sqrt(0.125)
    first = [0.5, 0.5 + 0.5 / rms, 0.5, 0.5 + 0.25 / rms, 0.5 + 0.25 / rms, 0.5, 0.5]
    second = [-0.5, *[-0.5 - 0.25 / rms] * 3, -0.5, 0.0, 0.0]
    torch.testing.assert_close(advantages, torch.tensor([first, second]))
    assert returns is advantages
    assert advantages.dtype == torch.float32


@pytest.mark.parametrize("alpha", [0.1, 2.0])
def test_alpha_is_applied_once(alpha):
    rewards, mask = batch(ROLLOUTS, alpha)
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config(alpha=alpha))
    rms = math.sqrt(0.125)
    torch.testing.assert_close(
        advantages[0, 1:4], torch.tensor([0.5 + alpha * 0.5 / rms, 0.5, 0.5 + alpha * 0.25 / rms])
    )


def test_outcomes_may_be_scaled_by_their_deviation():
    rewards, mask = batch(ROLLOUTS)
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, {**config(), "norm_adv_by_std_in_grpo": True})
    # the sample deviation of 0 and 1 is sqrt(1/2); the first token is in no episode
    assert advantages[:, 0].tolist() == pytest.approx([sign * 0.5 / (math.sqrt(0.5) + EPSILON) for sign in (1, -1)])


def test_without_scaling_the_bonus_is_alpha_times_progress():
    rewards, mask = batch(ROLLOUTS, 2.0)
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config(alpha=2.0, bonus_norm="none"))
    assert advantages[0].tolist() == pytest.approx([0.5, 1.5, 0.5, 1.0, 1.0, 0.5, 0.5])
    assert advantages[1].tolist() == pytest.approx([-0.5, -1.0, -1.0, -1.0, -0.5, 0.0, 0.0])


def test_the_floor_keeps_noise_small():
    rollouts = [(1.0, [(0, 1)], [0.01], [1, 1]), (1.0, [(0, 1)], [-0.01], [1, 1])]
    rewards, mask = batch(rollouts)
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config(bonus_floor=0.05))
    # RMS 0.01 is under the floor: 0.01 / 0.05; outcomes are all alike and cancel
    assert advantages.tolist() == [pytest.approx([0.2, 0.0]), pytest.approx([-0.2, 0.0])]


def test_progress_of_zero_everywhere_is_no_bonus():
    rewards, mask = batch([(1.0, [(0, 1)], [0.0], [1, 1]), (0.0, [(0, 1)], [0.0], [1, 1])])
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config())
    assert advantages.tolist() == [pytest.approx([0.5, 0.5]), pytest.approx([-0.5, -0.5])]


def test_tokens_may_share_the_credit_of_their_episode():
    """Lengths 1, 2 and 3, of mean 2: shares 2, 1 and 2/3 of 0.5, 0.25 and -0.25."""
    rewards, mask = batch(ROLLOUTS)
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config(credit_per="token", bonus_norm="none"))
    assert advantages[0].tolist() == pytest.approx([0.5, 1.5, 0.5, 0.75, 0.75, 0.5, 0.5])
    assert advantages[1].tolist() == pytest.approx([-0.5, *[-0.5 - 0.5 / 3] * 3, -0.5, 0.0, 0.0])


def test_a_token_is_not_paid_many_times_an_episode():
    """Lengths 1 and 11, of mean 6: the short one counts as 1.5."""
    rollouts = [(1.0, [(0, 1), (1, 12)], [0.25, 0.5], [1] * 13), (1.0, [], [], [1])]
    rewards, mask = (torch.nn.utils.rnn.pad_sequence(rows, True) for rows in zip(*map(one_row, rollouts), strict=True))
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config(credit_per="token", bonus_norm="none"))
    assert advantages[0].tolist() == pytest.approx([0.25 * 4, *[0.5 * 6 / 11] * 11, 0.0])


def test_every_prompt_has_a_scale_of_its_own():
    rollouts = [(1.0, [(0, 1)], [0.8], [1, 1]), (1.0, [(0, 1)], [0.1], [1, 1])]
    rewards, mask = batch(rollouts * 2)
    uids = np.array(["a", "b", "a", "b"], dtype=object)
    advantages, _ = compute_mrt_advantage(rewards, mask, uids, config())
    # each group's progress over its own RMS is 1
    assert advantages[:, 0].tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0])


def test_one_scale_for_the_batch():
    """A group of noise stays small beside one that learnt something; a common factor cancels."""
    rollouts = [(1.0, [(0, 1)], [value], [1, 1]) for value in (0.8, 0.1, 0.8, -0.1)]
    (rewards, mask), uids = batch(rollouts), np.array(["a", "b", "a", "b"], dtype=object)
    advantages, _ = compute_mrt_advantage(rewards, mask, uids, config(bonus_norm="batch"))
    rms = math.sqrt((0.64 + 0.01) / 2)
    assert advantages[:, 0].tolist() == pytest.approx([0.8 / rms, 0.1 / rms, 0.8 / rms, -0.1 / rms])
    halves, _ = batch([(1.0, spans, [value / 2 for value in progress], own) for _, spans, progress, own in rollouts])
    halved, _ = compute_mrt_advantage(halves, mask, uids, config(bonus_norm="batch"))
    assert halved[:, 0].tolist() == pytest.approx(advantages[:, 0].tolist())


@pytest.mark.parametrize(
    ("credit", "expected"),
    [("progress", [0.5, 0.25]), ("to_go", [0.625, 0.25]), ("regret", [0.625, 0.125]), ("median", [0.5, 0.25])],
)
def test_credit_of_a_trace(credit, expected):
    rewards, mask = batch(ROLLOUTS)
    advantages, _ = compute_mrt_advantage(
        rewards, mask, SAME_PROMPT, config(credit=credit, gamma=0.5, bonus_norm="none")
    )
    assert (advantages[0, [1, 3]] - 0.5).tolist() == pytest.approx(expected)


def test_inserted_tokens_get_nothing():
    rewards, mask = batch([(1.0, [(0, 4)], [0.5], [1, 0, 0, 1, 1]), (0.0, [], [], [1, 1, 1, 1, 0])])
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config(bonus_norm="none"))
    assert advantages.tolist() == [pytest.approx([1.0, 0.0, 0.0, 1.0, 0.5]), pytest.approx([-0.5] * 4 + [0.0])]


def test_a_prompt_with_one_rollout():
    rewards, mask = batch([(1.0, [(0, 2)], [0.5], [1, 1, 1])])
    advantages, _ = compute_mrt_advantage(rewards, mask, np.array(["a"], dtype=object), config())
    # verl leaves a lone outcome as it is (less epsilon only when scaled); the lone progress over its RMS is 1
    assert advantages.tolist() == [pytest.approx([2.0, 2.0, 1.0])]


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("scaled", [True, False])
def test_a_rollout_whose_outcome_is_not_known_is_none_of_its_group(alpha, scaled):
    unknown = (None, [(1, 2)], [0.75], [1, 1, 1, 1, 0, 0, 0])
    lost = (None, [], [], [0] * 7)  # nothing of it is trained, as verl holds it
    settings = {**config(alpha=alpha), "norm_adv_by_std_in_grpo": scaled}
    rewards, mask = batch([ROLLOUTS[0], unknown, ROLLOUTS[1], lost], alpha)
    advantages, _ = compute_mrt_advantage(rewards, mask, np.array(["a"] * 4, dtype=object), settings)
    without, _ = compute_mrt_advantage(*batch(ROLLOUTS, alpha), SAME_PROMPT, settings)
    assert torch.equal(advantages[[0, 2]], without)
    assert not advantages[[1, 3]].any() and advantages.dtype == torch.float32
    if not scaled:  # 1 - 1/2 on the first token, which is in no episode; of four rollouts it would be 1 - 1/4
        assert advantages[:, 0].tolist() == pytest.approx([0.5, 0.0, -0.5, 0.0])


def test_a_batch_without_any_known_outcome():
    rewards, mask = batch([(None, [], [], [1, 1]), (None, [], [], [1, 1])])
    advantages, _ = compute_mrt_advantage(rewards, mask, SAME_PROMPT, config())
    assert advantages.shape == (2, 2) and not advantages.any()


def test_the_batch_is_left_as_it_was():
    rewards, mask = batch(ROLLOUTS)
    copies = rewards.clone(), mask.clone()
    compute_mrt_advantage(rewards, mask, SAME_PROMPT, config())
    assert torch.equal(rewards, copies[0])
    assert torch.equal(mask, copies[1])


@pytest.mark.parametrize(
    ("index", "settings"), [(None, config()), (SAME_PROMPT, None), (SAME_PROMPT, {"norm_adv_by_std_in_grpo": True})]
)
def test_missing_inputs_are_errors(index, settings):
    rewards, mask = batch(ROLLOUTS)
    with pytest.raises(ValueError, match="reward_model=mrt"):
        compute_mrt_advantage(rewards, mask, index, settings)


def test_an_unknown_credit_is_an_error():
    rewards, mask = batch(ROLLOUTS)
    with pytest.raises(ValueError, match="allowed: progress, to_go, regret"):
        compute_mrt_advantage(rewards, mask, SAME_PROMPT, config(credit="none"))

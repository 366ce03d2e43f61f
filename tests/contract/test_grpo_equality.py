"""The estimator beside verl's own: with alpha 0 its numbers are GRPO's to the last bit, and verl finds it by name."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from verl import DataProto
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, get_adv_estimator_fn
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

from mrt_verl.hooks.advantage import compute_mrt_advantage
from mrt_verl.reward_layout import TINY

GROUPS, SIZE, LENGTH = 6, 4, 24


def config(*, alpha: float, scaled: bool):
    mrt = {
        "variant": "online",
        "alpha": alpha,
        "credit": "progress",
        "gamma": 1.0,
        "bonus_norm": "rms",
        "bonus_floor": 0.05,
    }
    return OmegaConf.create({"adv_estimator": "mrt", "norm_adv_by_std_in_grpo": scaled, "mrt": mrt})


def make_batch(seed: int, *, gaps: bool) -> tuple[torch.Tensor, torch.Tensor, np.ndarray, torch.Tensor]:
    """Outcome-only rewards, mask, uids, and the same rewards with two boundaries a row, as alpha 0 writes them."""
    rng = np.random.default_rng(seed)
    rows = GROUPS * SIZE
    lengths = rng.integers(8, LENGTH + 1, rows)
    mask = (np.arange(LENGTH) < lengths[:, None]).astype(np.int64)
    if gaps:
        mask[:, 2:5] = 0
    outcome = rng.choice([0.0, 1.0, -0.3, 0.7], rows).astype(np.float32)
    rewards = np.zeros((rows, LENGTH), dtype=np.float32)
    rewards[np.arange(rows), lengths - 1] = outcome
    mask[3], rewards[3] = 0, 0.0  # a rollout that trains nothing, as verl gives it to GRPO
    with_boundaries = rewards.copy()
    with_boundaries[:, [1, 5]] = TINY
    with_boundaries[3] = 0.0
    uids = np.array([f"prompt-{row % GROUPS}" for row in range(rows)], dtype=object)
    uids[:2] = ["pad-1", "pad-2"]  # verl pads a batch with rows of their own uid and no trained token
    mask[:2], rewards[:2], with_boundaries[:2] = 0, 0.0, 0.0
    return torch.from_numpy(rewards), torch.from_numpy(mask), uids, torch.from_numpy(with_boundaries)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("gaps", [True, False])
@pytest.mark.parametrize("mask_dtype", [torch.int64, torch.float32])
def test_alpha_zero_is_verls_grpo_to_the_last_bit(seed, scaled, gaps, mask_dtype):
    rewards, mask, uids, with_boundaries = make_batch(seed, gaps=gaps)
    mask = mask.to(mask_dtype)
    expected, _ = compute_grpo_outcome_advantage(rewards, mask, uids, norm_adv_by_std_in_grpo=scaled)
    for laid_out in (rewards, with_boundaries):
        advantages, returns = compute_mrt_advantage(laid_out, mask, uids, config(alpha=0.0, scaled=scaled))
        assert torch.equal(advantages, expected)
        assert torch.equal(returns, expected)
        assert advantages.dtype == expected.dtype


@pytest.mark.parametrize("scaled", [True, False])
def test_responses_taken_out_of_the_mask_count_as_they_do_for_grpo(scaled):
    # verl's rollout correction masks responses and tokens after they were rewarded
    rewards, mask, uids, _ = make_batch(6, gaps=False)
    mask[5], mask[8, -6:], mask[9, 4:] = 0, 0, 0
    expected, _ = compute_grpo_outcome_advantage(rewards, mask, uids, norm_adv_by_std_in_grpo=scaled)
    advantages, _ = compute_mrt_advantage(rewards, mask, uids, config(alpha=0.0, scaled=scaled))
    assert torch.equal(advantages, expected)


@pytest.mark.parametrize("scaled", [True, False])
def test_rows_without_episodes_get_grpos_numbers_at_any_alpha(scaled):
    rewards, mask, uids, _ = make_batch(7, gaps=False)
    expected, _ = compute_grpo_outcome_advantage(rewards, mask, uids, norm_adv_by_std_in_grpo=scaled)
    advantages, _ = compute_mrt_advantage(rewards, mask, uids, config(alpha=1.5, scaled=scaled))
    assert torch.equal(advantages, expected)


def test_a_bool_mask_is_as_good():
    rewards, mask, uids, _ = make_batch(8, gaps=True)
    settings = config(alpha=1.0, scaled=True)
    as_bool, _ = compute_mrt_advantage(rewards, mask.bool(), uids, settings)
    as_int, _ = compute_mrt_advantage(rewards, mask, uids, settings)
    assert torch.equal(as_bool, as_int)


def test_padding_rows_change_nothing():
    rewards, mask, uids, _ = make_batch(9, gaps=False)
    rewards[:, 1] = torch.where(mask[:, 1] > 0, 0.25, 0.0)
    settings = config(alpha=1.0, scaled=True)
    padded, _ = compute_mrt_advantage(rewards, mask, uids, settings)
    bare, _ = compute_mrt_advantage(rewards[2:], mask[2:], uids[2:], settings)
    assert torch.equal(padded[2:], bare)
    assert padded[:2].eq(0).all()


def test_verl_finds_the_estimator_by_name():
    assert get_adv_estimator_fn("mrt") is compute_mrt_advantage


def test_verls_trainer_calls_the_estimator_as_it_calls_its_own():
    rewards, mask, uids, _ = make_batch(10, gaps=False)
    rewards[:, 1] = torch.where(mask[:, 1] > 0, 0.25, 0.0)
    settings = config(alpha=1.0, scaled=True)
    data = DataProto.from_dict(
        tensors={"token_level_rewards": rewards, "response_mask": mask}, non_tensors={"uid": uids}
    )
    data = compute_advantage_for_multi_trajectories(
        data,
        batch_keys=[f"{uid}_{row}_0" for row, uid in enumerate(uids)],
        adv_estimator=settings.adv_estimator,
        norm_adv_by_std_in_grpo=settings.norm_adv_by_std_in_grpo,
        config=settings,
    )
    expected, _ = compute_mrt_advantage(rewards, mask, uids, settings)
    assert torch.equal(data.batch["advantages"], expected)
    assert torch.equal(data.batch["returns"], expected)
    assert not torch.equal(expected, compute_grpo_outcome_advantage(rewards, mask, uids)[0])

"""The study's own loop does to a batch what verl does."""

import numpy as np
import pytest
import torch

from recipes.study.fast.loop import grpo, policy_loss


def test_grpo_is_verls():
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

    values = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 0.25, 0.5])
    index = np.array([3, 3, 3, 5, 5, 5, 9])  # the last group has one rollout
    theirs, _ = compute_grpo_outcome_advantage(
        token_level_rewards=values[:, None].clone(), response_mask=torch.ones(7, 1), index=index
    )
    assert grpo(values, index).tolist() == pytest.approx(theirs[:, 0].tolist())


def test_the_gradient_is_that_of_verls_loss():
    """On policy, mean over the tokens of the batch; in two parts, as dynamic batch sizes cut it."""
    from verl.trainer.ppo.core_algos import get_policy_loss_fn
    from verl.workers.config import FSDPActorConfig

    generator = torch.Generator().manual_seed(0)
    log_probs = -torch.rand(4, 6, generator=generator)
    advantages = torch.randn(4, 6, generator=generator)
    mask = (torch.rand(4, 6, generator=generator) < 0.7).float()
    total = mask.sum()
    config = FSDPActorConfig(strategy="fsdp", ppo_micro_batch_size_per_gpu=1, rollout_n=1)
    config.global_batch_info.update(dp_size=1, batch_num_tokens=int(total))
    gradients = []
    for ours in (True, False):
        current = log_probs.clone().requires_grad_()
        for rows in (slice(0, 1), slice(1, 4)):
            part = current[rows], advantages[rows], mask[rows]
            if ours:
                loss = policy_loss(*part, total)
            else:
                loss, _ = get_policy_loss_fn("vanilla")(
                    old_log_prob=log_probs[rows],
                    log_prob=part[0],
                    advantages=part[1],
                    response_mask=part[2],
                    loss_agg_mode="token-mean",
                    config=config,
                )
            loss.backward()
        gradients.append(current.grad)
    assert torch.allclose(*gradients, atol=1e-7)
    assert gradients[0].abs().sum() > 0

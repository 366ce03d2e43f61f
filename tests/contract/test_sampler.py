"""verl's replay buffer as reward_model=mrt builds it: what it is handed, and the numbers it hands on."""

import pytest


def test_counts_of_a_steps_batches_add_up():
    from verl.trainer.ppo.v1.utils import MetricsAggregator

    from mrt_verl.hooks.replay_buffer import as_part_of_a_step

    step = MetricsAggregator()
    for failures, outcome in ((1.0, 0.25), (2.0, 0.75)):
        batch = {"mrt/rollouts": 8.0, "mrt/branch_failures": failures, "mrt/outcome": outcome}
        step.add_step_metrics(as_part_of_a_step(batch, 2), sample_count=8)
    assert step.get_aggregated_metrics() == {"mrt/rollouts": 16, "mrt/branch_failures": 3, "mrt/outcome": 0.5}


@pytest.mark.parametrize(
    ("key", "metric"),
    [("trainer.v1.sampler.sync_refill_failed_groups", None), ("algorithm.filter_groups.enable", "acc")],
)
def test_what_verl_hands_to_its_own_samplers_alone_reaches_ours(compose, key, metric):
    """verl gives a custom sampler neither the refill of failed groups nor DAPO's filter."""
    from mrt_verl.hooks.replay_buffer import build_replay_buffer

    def build(*overrides):
        config = compose("reward_model=mrt", "data.train_batch_size=6", *overrides)
        sampler = config.trainer.v1.sampler
        return build_replay_buffer(
            trainer_mode="sync",
            trainer_config=config.trainer,
            max_off_policy_threshold=sampler.max_off_policy_threshold,
            max_off_policy_strategy=sampler.max_off_policy_strategy,
            sampler_kwargs=sampler.sampler_kwargs,
            refill_fn=lambda count: None,
        )

    def handed_on(buffer):
        return buffer.sync_refill_failed_groups, buffer.filter_groups_metric, buffer.train_batch_size

    assert handed_on(build()) == (False, None, None)
    assert handed_on(build(f"{key}=True")) == (metric is None, metric, 6)

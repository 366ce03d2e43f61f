"""MRT in verl's asynchronous trainers: three steps each, with replicas beside the trainer and replicas of their own."""

import math

import pytest

ROLLOUT = "actor_rollout_ref.rollout"
PLAIN = ("trainer.total_training_steps=3", "trainer.val_before_train=False", "trainer.test_freq=-1")
ROLLOUTS = 16
STALENESS = "training/off_policy/trajectory_staleness"


def rewards(trace):
    """Outcome and what its episodes were paid."""
    return trace["outcome"] + sum(one["progress"] for one in trace["episodes"] if one["progress"] is not None)


def check_rewards(run):
    """What the trainer got is outcome + alpha · (J_last - J_before), of each rollout of each step."""
    assert sorted(run.steps) == sorted(run.traces) == sorted(run.dumps) == [1, 2, 3]
    for step, traces in run.traces.items():
        data = run.steps[step]
        assert len(traces) == len(run.dumps[step]) == ROLLOUTS
        assert all(math.isfinite(value) for name, value in data.items() if name.startswith("mrt/"))
        assert data["mrt/rollouts"] == ROLLOUTS
        assert data["mrt/branch_failures"] == data["mrt/grade_timeouts"] == data["mrt/grade_errors"] == 0
        assert data["mrt/episodes_mean"] > 1
        assert data["mrt/outcome"] == pytest.approx(sum(trace["outcome"] for trace in traces) / ROLLOUTS)
        dumped = sorted(row["score"] for row in run.dumps[step])
        assert dumped == pytest.approx(sorted(map(rewards, traces)), abs=1e-5)
        for trace in traces:
            if trace["episodes"]:
                telescoped = trace["outcome"] + trace["episodes"][-1]["j"] - trace["j_before"]
                assert rewards(trace) == pytest.approx(telescoped)


def test_replicas_of_their_own(train):
    """Without prompts ahead of a step every rollout has its weights: that log-probs agree shows them arrive by gloo."""
    run = train(
        *PLAIN,
        "trainer.v1.trainer_mode=separate_async",
        "trainer.v1.separate_async.num_warmup_batches=0",
        "trainer.v1.separate_async.parameter_sync_step=1",
        *(f"{ROLLOUT}.nnodes=1", f"{ROLLOUT}.n_gpus_per_node=1", f"{ROLLOUT}.checkpoint_engine.backend=gloo"),
    )
    check_rewards(run)
    for data in run.steps.values():
        assert data["training/rollout_probs_diff_max"] < 1e-4
        assert data[f"{STALENESS}/max"] == data[f"{STALENESS}/min"] == 0
        assert data["actor/grad_norm"] > 0  # the weights of the next step are others


def test_replicas_beside_the_trainer(train):
    """A batch of prompts is ahead of the trainer: traces of a step may have been begun with the weights before.

    verl takes groups as they end, so that a slow one may be overtaken and grow older, up to a limit: here a version.
    """
    run = train(
        *PLAIN,
        "trainer.v1.trainer_mode=colocate_async",
        "trainer.v1.sampler.max_off_policy_threshold=2",
        "trainer.v1.sampler.max_off_policy_strategy=wait",
    )
    check_rewards(run)
    for step, data in run.steps.items():
        stale = data[f"{STALENESS}_worst/max"]
        assert 0 <= data[f"{STALENESS}/min"] <= stale <= min(step - 1, 1)
        assert stale or data["training/rollout_probs_diff_max"] < 1e-4
        assert data["actor/grad_norm"] > 0

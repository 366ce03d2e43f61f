"""MRT in the real trainer: two steps of verl's main_ppo with vLLM rollouts, on one rank and on two."""

import math

import pytest

from mrt_verl.hooks.checks.versions import tells_cached_tokens

CONTRACT = [
    "outcome",
    "progress_mean",
    "progress_std",
    "episodes_mean",
    "j_first",
    "j_last",
    "regret",
    "think_tokens_mean",
    "branch_tokens_ratio",
    "prefix_cache_hit",
    "branch_failures",
    "grade_timeouts",
    "inserted_mean",
    "markers_mean",
]


@pytest.fixture(scope="module")
def run(train):
    return train("mrt.prover=sample", "mrt.branches=4")


def test_metrics_of_every_step(run):
    assert sorted(run.steps) == [0, 1, 2]  # 0 is the validation before training
    for step in (1, 2):
        data = run.steps[step]
        assert all(math.isfinite(data[f"mrt/{name}"]) for name in CONTRACT)
        assert data["mrt/branch_failures"] == data["mrt/grade_timeouts"] == data["mrt/grade_errors"] == 0
        assert data["mrt/episodes_mean"] > 1
        assert data["mrt/prefix_cache_hit"] > 0.5 or not tells_cached_tokens()
        assert 0 <= data["mrt/regret"] <= 1
        assert (data["actor/grad_norm"] > 0) == _has_credit(run.traces[step])
    assert "val-core/search_task/acc/mean@1" in run.steps[0]
    assert "val-core/search_task/acc/mean@1" in run.steps[2]


def _has_credit(traces):
    """Whether anything was learned from: some progress, or a group in which outcomes differ."""
    return any(_progress(trace) for trace in traces) or _outcomes_differ(traces)


def _progress(trace):
    """Progress of a rollout's rewarded steps."""
    return [one["progress"] for one in trace["episodes"] if one["progress"] is not None]


def _outcomes_differ(traces):
    outcomes = {}
    for trace in traces:
        outcomes.setdefault(trace["prompt_text"], set()).add(trace["outcome"])
    return any(len(values) > 1 for values in outcomes.values())


def test_rollout_and_trainer_agree_on_log_probs(run):
    for step in (1, 2):  # the second step rolls out with weights that went through the sync
        assert run.steps[step]["training/rollout_probs_diff_max"] < 1e-4
        assert run.steps[step]["training/rollout_actor_probs_pearson_corr"] > 0.9999


def test_every_boundary_was_branched(run):
    for traces in run.traces.values():
        assert len(traces) == 16
        for trace in traces:
            own = trace["answer_start"] is not None
            counts = [4] * len(trace["episodes"])
            if counts and own:
                counts[-1] -= 1
            assert [len(one["forced"]) for one in trace["episodes"]] == counts
            assert len(trace["forced_before"]) == 4


def test_dense_rewards_reach_the_trainer(run):
    """verl's own dump holds the sum of each row of rewards: outcome + alpha · (J_last - J_before)."""
    for step, traces in run.traces.items():
        expected = [trace["outcome"] + sum(_progress(trace)) for trace in traces]
        dumped = [row["score"] for row in run.dumps[step]]
        assert sorted(dumped) == pytest.approx(sorted(expected), abs=1e-5)
        thought = [t for t in traces if t["episodes"]]
        telescoped = [t["outcome"] + t["episodes"][-1]["j"] - t["j_before"] for t in thought]
        assert sorted(e for e, t in zip(expected, traces, strict=True) if t["episodes"]) == pytest.approx(
            sorted(telescoped)
        )


def test_two_ranks(train):
    """FSDP2 over two processes, one vLLM server each, weights gathered and sent to both."""
    run = train("trainer.n_gpus_per_node=2", "trainer.val_before_train=False", "trainer.test_freq=-1")
    for step in (1, 2):
        assert run.steps[step]["training/rollout_probs_diff_max"] < 1e-4
        assert run.steps[step]["mrt/episodes_mean"] > 1


def dumped(run, step):
    """verl's dump holds the sum of each row of rewards."""
    return sorted(row["score"] for row in run.dumps[step])


def test_prefix_variant(train):
    # a prompt whose first trace is one episode has no prefix: sixteen, so that a step without any does not happen
    prompts = ("data.train_batch_size=16", "actor_rollout_ref.actor.ppo_mini_batch_size=16", "mrt.prefix_mode=paper")
    run = train("trainer.val_before_train=False", "trainer.test_freq=-1", *prompts, reward_model="mrt_prefix")
    for step, traces in run.traces.items():
        assert run.steps[step]["training/rollout_probs_diff_max"] < 1e-4
        assert (run.steps[step]["actor/grad_norm"] > 0) == _outcomes_differ(traces)
        kinds = [trace["kind"] for trace in traces]
        assert kinds.count("forced") == kinds.count("continued") > 0
        assert run.steps[step]["mrt/fallback_share"] == kinds.count("fallback") / 64
        for trace in traces:
            if trace["kind"] == "continued":
                # paid for what it added to the prefix; a trace that ends there has J of the forced half
                assert trace["episodes"][0]["progress"] == pytest.approx(trace["outcome"] - trace["j_before"])
                assert trace["episodes"][0]["start"] == trace["prefix_tokens"] > 0
        expected = sorted(t["outcome"] + sum(_progress(t)) for t in traces)
        assert dumped(run, step) == pytest.approx(expected, abs=1e-5)


def test_one_episode_from_a_plain_rollout(train):
    run = train("trainer.val_before_train=False", "trainer.test_freq=-1", reward_model="mrt_prefix")
    for step, traces in run.traces.items():
        # prefix and stop text are left out of the loss, what was sampled in pieces agrees with the trainer
        assert run.steps[step]["training/rollout_probs_diff_max"] < 1e-4
        kinds = [trace["kind"] for trace in traces]
        assert kinds.count("trace") == kinds.count("one_episode") == len(traces) // 2 > 0
        for trace in traces:
            if trace["kind"] == "one_episode":
                (episode,) = trace["episodes"]
                assert episode["start"] == trace["prefix_tokens"] <= episode["end"]
                assert trace["inserted_tokens"] > 0
        assert dumped(run, step) == pytest.approx(sorted(trace["outcome"] for trace in traces), abs=1e-5)


def test_inserted_boundaries(train):
    """The backtrack experiment: the model's numbered steps are its paragraphs here, whatever they say."""
    # of sixteen rollouts it may be that none closes where J is low
    sizes = ("data.train_batch_size=8", "actor_rollout_ref.actor.ppo_mini_batch_size=8")
    run = train(
        *sizes,
        "trainer.val_before_train=False",
        "trainer.test_freq=-1",
        "mrt.step_pattern='.*?(\\d+)'",
        "mrt.backtrack_text='Wait, let me go back to step {step}.'",
        "mrt.insert_max=1",
        "mrt.insert_min_left=20",
        reward_model="mrt_backtrack",
    )
    for step, traces in run.traces.items():
        data = run.steps[step]
        assert data["training/rollout_probs_diff_max"] < 1e-4  # inserted tokens are left out, the rest agrees
        assert data["mrt/inserted_mean"] > 0
        assert data["mrt/branch_failures"] == 0
        inserted = [trace for trace in traces if trace["inserted_tokens"]]
        assert any("go back to step" in trace["response"] for trace in inserted)
        expected = sorted(t["outcome"] + sum(_progress(t)) for t in traces)
        assert dumped(run, step) == pytest.approx(expected, abs=1e-5)

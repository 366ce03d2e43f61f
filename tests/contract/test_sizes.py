"""Sizes that do not fit each other, told before Ray starts; what verl says itself is said in one line."""

import logging
import re

import pandas as pd
import pytest

from mrt_verl.hooks.checks import sizes

ACTOR = "actor_rollout_ref.actor"
ROLLOUT = "actor_rollout_ref.rollout"
MODE = "trainer.v1.trainer_mode"
ASYNC = (f"{MODE}=separate_async", f"{ROLLOUT}.nnodes=1")
STEPS = ("trainer.v1.separate_async.parameter_sync_step=4",)
COLOCATED = f"{MODE}=colocate_async"
WHOLE = (f"{ACTOR}.use_dynamic_bsz=True", f"{ROLLOUT}.name=vllm", f"{ROLLOUT}.n=4")


@pytest.fixture
def told(compose):
    """told(check, *overrides) -> its lines"""

    def run(check, *overrides):
        return list(check(None, compose("reward_model=mrt", *overrides)))

    return run


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("data.train_batch_size=8", f"{ACTOR}.use_dynamic_bsz=False"), r"train_batch_size \(8\) must be >= .*\(256\)"),
        (("data.train_batch_size=3", f"{ACTOR}.use_dynamic_bsz=False"), r"real_train_batch_size \(12\) must be divis"),
        ((f"{ACTOR}.loss_agg_mode=mean",), "Invalid loss_agg_mode: mean"),
        ((f"{ROLLOUT}.val_kwargs.do_sample=True", f"{ROLLOUT}.temperature=0"), "temperature should be greater than 0"),
    ],
)
def test_what_verl_refuses_is_one_line(told, overrides, message, capsys):
    micro = (f"{ACTOR}.ppo_micro_batch_size_per_gpu=1", f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu=1")
    (line,) = told(sizes.check_as_verl_does, *WHOLE, *micro, *overrides)
    assert line.startswith("verl's own check of the config: ") and "\n" not in line

    assert re.search(message, line), line
    assert "successfully" not in capsys.readouterr().out


def test_what_verl_takes_is_fine(told, capsys):
    assert told(sizes.check_as_verl_does, *WHOLE) == []
    assert told(sizes.check_as_verl_does, *WHOLE[:1]) == []  # without a rollout server: another line says it
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("overrides", "ranks"),
    [
        ((), 8),
        ((f"{ACTOR}.ulysses_sequence_parallel_size=2",), 4),
        (("trainer.nnodes=2",), 16),
        (("trainer.n_gpus_per_node=3", f"{ACTOR}.ulysses_sequence_parallel_size=2"), None),  # verl says so itself
    ],
)
def test_a_mini_batch_spreads_over_the_ranks(told, overrides, ranks):
    lines = told(sizes.check_mini_batches, f"{ROLLOUT}.n=3", f"{ACTOR}.ppo_mini_batch_size=5", *overrides)
    if ranks is None:
        assert lines == []
        return
    assert lines == [
        f"{ACTOR}.ppo_mini_batch_size=5 x {ROLLOUT}.n=3 over {ranks} data-parallel ranks; allowed: a multiple of "
        f"{ranks} rollouts"
    ]
    assert told(sizes.check_mini_batches, f"{ROLLOUT}.n={ranks}", f"{ACTOR}.ppo_mini_batch_size=5", *overrides) == []


def test_a_step_that_is_no_whole_number_of_mini_batches_is_warned_of(told, caplog):
    with caplog.at_level(logging.WARNING):
        assert told(sizes.check_mini_batches, f"{ROLLOUT}.n=4", "data.train_batch_size=512") == []
        assert caplog.text == ""
        told(sizes.check_mini_batches, f"{ROLLOUT}.n=4", "data.train_batch_size=300")
    assert "data.train_batch_size=300 is no multiple of actor_rollout_ref.actor.ppo_mini_batch_size=256" in caplog.text


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (ASYNC, f"=4 and {ACTOR}.ppo_mini_batch_size=256; allowed: 1024, their product"),
        ((f"{MODE}=separate_async",), f"{ROLLOUT}.nnodes=0 with trainer_mode=separate_async; allowed: 1 or"),
        (
            (COLOCATED, "+trainer.v1.colocate_async.parameter_sync_step=4"),
            "trainer.v1.colocate_async.parameter_sync_step=4; allowed: 1, or trainer.v1.trainer_mode=separate_async",
        ),
        (("+trainer.v1.sync.parameter_sync_step=2",), "trainer.v1.sync.parameter_sync_step=2; allowed: 1, or trainer"),
        (("data.gen_batch_size=100",), "data.gen_batch_size=100 with data.train_batch_size=1023; allowed: a divisor"),
    ],
)
def test_what_a_trainer_asserts_once_ray_runs(told, overrides, message):
    lines = told(sizes.check_trainer_mode, "data.train_batch_size=1023", *STEPS, *overrides)
    assert any(message in line for line in lines), lines


@pytest.mark.parametrize("overrides", [ASYNC, (COLOCATED,), ("data.gen_batch_size=128",), ()])
def test_what_the_trainers_take(told, overrides):
    assert told(sizes.check_trainer_mode, "data.train_batch_size=1024", *STEPS, *overrides) == []


def test_a_group_filter_sets_the_generated_batch_itself(told):
    assert told(sizes.check_trainer_mode, "data.gen_batch_size=100", "algorithm.filter_groups.enable=True") == []


@pytest.mark.parametrize(
    ("prompts", "workers", "idle", "enough"),
    [(1024, 8, 0, 8), (9, 8, 3, 5), (4, 8, 4, 4), (16, 8, 0, 8), (17, 8, 2, 6)],
)
def test_workers_without_a_prompt_are_warned_of(told, caplog, prompts, workers, idle, enough):
    """As TensorDict.chunk cuts a batch: 17 prompts over 8 workers are chunks of 3."""
    sizes_ = (f"data.train_batch_size={prompts}", f"{ROLLOUT}.agent.num_workers={workers}")
    with caplog.at_level(logging.WARNING):
        assert told(sizes.check_idle_workers, *sizes_) == []
        told(sizes.check_idle_workers, *sizes_, f"{MODE}=separate_async")  # whose prompts come one by one
    expected = [] if not idle else [f"{idle} workers get no prompt; {enough} would do as well"]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == expected


def test_as_verl_cuts_a_batch():
    from tensordict import TensorDict

    for prompts, workers, enough in ((9, 8, 5), (4, 8, 4), (17, 8, 6), (16, 8, 8)):
        assert len(TensorDict({}, batch_size=prompts).chunk(workers)) == enough


def test_less_rows_than_a_step(told, tmp_path):
    """verl would take no step and end with exit code 0."""
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file in files:
        pd.DataFrame({"prompt": ["?"] * 3}).to_parquet(file)
    several = f"data.train_files=[{files[0]},{files[1]}]"
    assert told(sizes.check_enough_rows, several, "data.train_batch_size=6") == []
    expected = ["data.train_batch_size=7 with 6 rows of data.train_files; allowed: 6 or less"]
    assert told(sizes.check_enough_rows, several, "data.train_batch_size=7") == expected
    few = told(sizes.check_enough_rows, several, "data.train_batch_size=6", "data.train_max_samples=4")
    assert few == ["data.train_batch_size=6 with 4 rows of data.train_files; allowed: 4 or less"]
    assert told(sizes.check_enough_rows, "data.train_files=no/such.parquet") == []

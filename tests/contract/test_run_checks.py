"""A run that could not train with MRT ends before Ray starts, with the key, the value and what is allowed."""

import logging

import pytest

from mrt_verl.hooks.run_checks import check_run

GROUP = "actor_rollout_ref.rollout.n=4"
VLLM = "actor_rollout_ref.rollout.name=vllm"


@pytest.fixture
def model(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    return f"actor_rollout_ref.model.path={tmp_path}"


def test_a_good_run_passes(compose, model):
    check_run(compose("reward_model=mrt", GROUP, VLLM, model))


def test_the_other_experiments_pass(compose, model):
    for name in ("mrt_prefix", "mrt_backtrack"):
        check_run(compose(f"reward_model={name}", GROUP, VLLM, model))


def test_an_adapter_that_is_not_scored_passes(compose, model):
    check_run(compose("reward_model=mrt", GROUP, VLLM, model, "actor_rollout_ref.model.lora_rank=8"))


@pytest.mark.parametrize(
    ("overrides", "is_warned"),
    [
        (("data.max_response_length=2048", "mrt.prover=anchored"), False),
        (("data.max_response_length=16384", "mrt.prover=anchored"), True),
        (("data.max_response_length=16384",), False),
    ],
)
def test_scoring_after_long_traces_is_warned_of(compose, model, caplog, overrides, is_warned):
    with caplog.at_level(logging.WARNING):
        check_run(compose("reward_model=mrt", GROUP, VLLM, model, *overrides))
    assert ("data.max_response_length=16384: each scored prompt" in caplog.text) == is_warned


def test_the_variant_alone_chooses_the_agent_loop(compose, model, caplog):
    check_run(compose("reward_model=mrt", GROUP, VLLM, model, "mrt.variant=prefix", "mrt.prover=sample"))
    assert caplog.text == ""
    old_name = "actor_rollout_ref.rollout.agent.default_agent_loop=mrt_prefix"
    with caplog.at_level(logging.WARNING):
        check_run(compose("reward_model=mrt_prefix", GROUP, VLLM, model, old_name))
    assert "default_agent_loop=mrt_prefix: write mrt, mrt.variant=prefix chooses" in caplog.text


def test_another_estimator_is_left_alone(compose):
    check_run(compose("reward_model=mrt", "algorithm.adv_estimator=grpo"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((), r"rollout\.n=1; allowed: 2 or more"),
        ((GROUP, "algorithm.use_kl_in_reward=True"), r"algorithm\.use_kl_in_reward=True; .*actor\.use_kl_loss"),
        ((GROUP,), r"rollout\.name=\?\?\?; allowed: vllm"),
        ((GROUP, "actor_rollout_ref.rollout.name=trtllm"), r"rollout\.name=trtllm; allowed: vllm, sglang"),
        (
            (GROUP, "actor_rollout_ref.rollout.name=sglang", "mrt.prover=likelihood"),
            r"mrt\.prover=likelihood with actor_rollout_ref\.rollout\.name=sglang; allowed there: sample",
        ),
        (
            (GROUP, VLLM, "mrt.prover=ht", "actor_rollout_ref.rollout.logprobs_mode=raw_logprobs"),
            r"logprobs_mode=raw_logprobs with mrt\.prover=ht; allowed: processed_logprobs",
        ),
        ((GROUP, VLLM, "mrt.variant=prefix"), r"mrt\.prover='ht' with mrt\.variant='prefix'; allowed there: sample"),
        ((GROUP, VLLM, "mrt.prover=guess"), r"mrt\.prover='guess'; allowed: sample, ht, likelihood, anchored, or pack"),
        ((GROUP, VLLM, "mrt.credit=sum"), r"mrt\.credit='sum'; allowed: progress, to_go, regret, or package"),
        ((GROUP, VLLM, "mrt.episodes=lines"), r"mrt\.episodes='lines'; allowed: markers, or package\.module:Name"),
        (
            (GROUP, VLLM, "actor_rollout_ref.model.lora_rank=8", "mrt.prover=anchored"),
            r"mrt\.prover=anchored with a LoRA adapter of rank 8; allowed: sample, ht, or .*lora\.merge=True",
        ),
        ((GROUP, VLLM, "mrt.insertion=no.such:Policy"), r"mrt\.insertion='no\.such:Policy': No module named 'no'"),
        ((GROUP, "+mrt.alfa=1"), r"mrt\.alfa is not a setting"),
        ((GROUP, VLLM, "mrt.think_close='</thought>'"), r"mrt\.think_close='</thought>' is \d+ tokens"),
        ((GROUP, VLLM, "actor_rollout_ref.rollout.max_model_len=1000"), r"max_model_len=1000; allowed: \d+ or more"),
    ],
)
def test_a_bad_run_is_refused(compose, model, overrides, message):
    with pytest.raises(ValueError, match=message):
        check_run(compose("reward_model=mrt", model, *overrides))


def test_hydra_cannot_swallow_the_error(compose):
    from mrt_verl.hooks.hydra_plugin import CheckRun

    with pytest.raises(SystemExit, match=r"reward_model=mrt: actor_rollout_ref\.rollout\.n=1"):
        CheckRun().on_run_start(config=compose("reward_model=mrt"))

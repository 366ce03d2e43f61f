"""Families of training scripts with `reward_model=mrt` added: each passes the check, or is refused by the keys that
would make it another run. None ends in a traceback, and none trains something else without a word."""

import re

import pytest

ACTOR = "actor_rollout_ref.actor"
ROLLOUT = "actor_rollout_ref.rollout"
MODEL = "actor_rollout_ref.model"
REWARD = "reward.reward_model"
GRPO = ("algorithm.adv_estimator=grpo", r"algorithm\.adv_estimator=grpo; allowed: mrt")

PASSES = {
    "dense model, fsdp": (f"{ACTOR}.fsdp_config.param_offload=True", f"{ROLLOUT}.tensor_model_parallel_size=2"),
    "fsdp2 with sequence parallelism": (f"{ACTOR}.strategy=fsdp2", f"{ACTOR}.ulysses_sequence_parallel_size=4"),
    "megatron": ("model_engine=megatron", f"{ACTOR}.megatron.tensor_model_parallel_size=2"),
    "megatron, mixture of experts": (
        "model_engine=megatron",
        f"{ACTOR}.megatron.expert_model_parallel_size=8",
        f"{ROLLOUT}.enable_rollout_routing_replay=True",
    ),
    "veomni": ("model_engine=veomni",),
    "torchtitan": ("model_engine=torchtitan",),
    "vision": (f"{MODEL}.path=org/model-VL-7B", "data.image_key=images", f"{ACTOR}.freeze_vision_tower=True"),
    "vision with processor settings": ("+data.mm_processor_kwargs.max_pixels=602112", "data.return_raw_chat=True"),
    "sglang": (f"{ROLLOUT}.name=sglang", "mrt.prover=sample", f"{ROLLOUT}.multi_stage_wake_up=True"),
    "lora": (f"{MODEL}.lora_rank=32", f"{MODEL}.lora_alpha=32", f"{ROLLOUT}.load_format=safetensors"),
    "lora, merged, scored": (f"{MODEL}.lora_rank=32", f"{MODEL}.lora.merge=True", "mrt.prover=anchored"),
    "colocated asynchronous": ("trainer.v1.trainer_mode=colocate_async",),
    "separate asynchronous": (
        "trainer.v1.trainer_mode=separate_async",
        "trainer.v1.separate_async.parameter_sync_step=1",
        f"{ROLLOUT}.nnodes=1",
        f"{ROLLOUT}.checkpoint_engine.backend=nccl",
    ),
    "gspo": (f"{ACTOR}.policy_loss.loss_mode=gspo", f"{ACTOR}.loss_agg_mode=seq-mean-token-mean"),
    "cispo": (f"{ACTOR}.policy_loss.loss_mode=cispo", f"{ACTOR}.clip_ratio_high=10"),
    "clip higher": (f"{ACTOR}.clip_ratio_low=0.2", f"{ACTOR}.clip_ratio_high=0.28"),
    "without the spread of a group": ("algorithm.norm_adv_by_std_in_grpo=False",),
    "kl loss": (f"{ACTOR}.use_kl_loss=True", f"{ACTOR}.kl_loss_coef=0.001", f"{ACTOR}.kl_loss_type=low_var_kl"),
    "rollout correction": (
        "algorithm.rollout_correction.rollout_is=token",
        "algorithm.rollout_correction.rollout_rs=token_k1",
        "algorithm.rollout_correction.rollout_rs_threshold=2.0",
    ),
    "rollout log-probs as the old ones": ("algorithm.rollout_correction.bypass_mode=True",),
    "dapo's filter and length": (
        "algorithm.filter_groups.enable=True",
        "+reward.reward_kwargs.overlong_buffer_cfg.enable=True",
        "+reward.reward_kwargs.overlong_buffer_cfg.len=128",
        "+reward.reward_kwargs.overlong_buffer_cfg.penalty_factor=1.0",
        "+reward.reward_kwargs.max_resp_len=512",
    ),
    "a teacher beside the task": ("distillation.enabled=True", "distillation.distillation_loss.use_task_rewards=True"),
    "a custom reward": ("mrt.outcome=compute_score", "reward.custom_reward_function.path={tmp}/score.py",
                        "reward.custom_reward_function.name=score"),
    "code in a sandbox": ("mrt.outcome=compute_score", "mrt.prover=sample", "reward.sandbox_fusion.url=http://sandbox"),
    "profiling": ("global_profiler.tool=torch", "global_profiler.steps=[1]"),
    "quantised rollouts": (f"{ROLLOUT}.quantization=fp8",),
    "tensorboard": ("trainer.logger=[console,tensorboard]", "trainer.val_before_train=False"),
}  # fmt: skip
REFUSED = {
    "grpo as scripts write it": ((GRPO[0],), (GRPO[1],)),
    **{
        name: ((f"algorithm.adv_estimator={name}",), (rf"adv_estimator={name}; allowed: mrt",))
        for name in ("rloo", "remax", "reinforce_plus_plus", "reinforce_plus_plus_baseline", "opo", "gpg", "grpo_passk")
    },
    "ppo with a critic": (
        ("algorithm.adv_estimator=gae", "critic.enable=True", "critic.ppo_micro_batch_size_per_gpu=1"),
        (r"adv_estimator=gae; allowed: mrt", r"critic\.enable=True; allowed: null"),
    ),
    "gdpo": (
        ("algorithm.adv_estimator=gdpo", "+algorithm.gdpo_reward_keys=[accuracy,format]",
         "reward.reward_manager.name=gdpo"),
        (r"adv_estimator=gdpo", r"gdpo_reward_keys=.*; allowed: null", r"reward_manager\.name=gdpo; allowed: mrt"),
    ),
    "prime": (("reward.reward_manager.name=prime",), (r"reward_manager\.name=prime; allowed: mrt",)),
    "dapo": (
        (GRPO[0], "reward.reward_manager.name=dapo", "algorithm.filter_groups.enable=True",
         "algorithm.filter_groups.metric=seq_final_reward"),
        (GRPO[1], r"reward_manager\.name=dapo", r"filter_groups\.metric=seq_final_reward; allowed: acc"),
    ),
    "geometric means": ((f"{ACTOR}.policy_loss.loss_mode=geo_mean",), (r"loss_mode=geo_mean; allowed: vanilla",)),
    "discriminative reward model": (
        (f"{REWARD}.enable=True", f"{REWARD}.model_path=org/rm", f"{REWARD}.rollout.name=vllm"),
        (r"reward\.reward_model\.enable=True; allowed: False",),
    ),
    "generative reward model": (
        (f"{REWARD}.enable=True", f"{REWARD}.model_path=org/judge", f"{REWARD}.rollout.name=vllm",
         "mrt.outcome=compute_score", "reward.custom_reward_function.path={tmp}/score.py",
         "reward.custom_reward_function.name=score"),
        (r"reward\.reward_model\.enable=True; allowed: False",),
    ),
    "reward model by its old keys": (
        ("reward_model.enable=True", "reward_model.model.path=org/rm"),
        (r"reward_model\.enable=True: .*allowed: reward\.reward_model\.enable=True",
         r"reward_model\.model\.path=org/rm: .*allowed: reward\.reward_model\.model_path=org/rm"),
    ),
    "custom reward by its old keys": (
        ("custom_reward_function.path=score.py", "mrt.outcome=compute_score"),
        (r"custom_reward_function\.path=score\.py: .*allowed: reward\.custom_reward_function\.path=score\.py",),
    ),
    "tools in several turns": (
        (f"{ROLLOUT}.multi_turn.enable=True", f"{ROLLOUT}.multi_turn.tool_config_path=tools.yaml",
         f"{ROLLOUT}.agent.default_agent_loop=tool_agent"),
        (r"multi_turn\.enable=True", r"tool_config_path=tools\.yaml", r"default_agent_loop=tool_agent; allowed: mrt"),
    ),
    "distillation alone": (
        ("distillation.enabled=True", "distillation.distillation_loss.use_task_rewards=False"),
        (r"use_task_rewards=False with distillation\.enabled=True; allowed: True",),
    ),
    "trtllm": ((f"{ROLLOUT}.name=trtllm",), (r"rollout\.name=trtllm; allowed: vllm, sglang",)),
    "sglang, scored": (
        (f"{ROLLOUT}.name=sglang",), (r"mrt\.prover=seen with .*name=sglang; allowed there: sample",)
    ),
    "kl in the reward": (("algorithm.use_kl_in_reward=True",), (r"use_kl_in_reward=True; allowed: False",)),
    "lora, scored": (
        (f"{MODEL}.lora_rank=32", "mrt.prover=likelihood"), (r"mrt\.prover=likelihood with a LoRA adapter",)
    ),
    "the older trainer": (("trainer.use_v1=False",), (r"trainer\.use_v1=False; allowed: True",)),
    "videos": (("data.train_files={tmp}/videos.parquet",), (r"rows hold videos; allowed: text and images",)),
}  # fmt: skip
ELSEWHERE = {
    "fully_async_policy": ("fully_async_ppo_trainer", "async_training is that of verl's fully_async_policy"),
    "one_step_off_policy": ("one_step_off_ppo_trainer", "rollout is that of verl's one_step_off_policy"),
}
"""verl's trainers with primary configs of their own."""


@pytest.fixture
def lines(compose, good_words):
    """lines(*overrides) -> what a run with them ends with; [] if it may start"""

    def run(*overrides):
        words = [word.replace("{tmp}", str(good_words.directory)) for word in overrides]
        return end(compose("reward_model=mrt", *good_words.words, "trainer.n_gpus_per_node=8", *words))

    return run


def end(config):
    from mrt_verl.hooks.hydra_plugin import CheckRun

    try:
        CheckRun().on_run_start(config=config)
    except SystemExit as ended:
        return str(ended.code).splitlines()
    return []


def of_family(told):
    """Without what this machine and the rows of the test lack."""
    return [line for line in told if "VERL_PLATFORM=cpu" not in line and "verl has no scorer" not in line]


@pytest.mark.parametrize("family", PASSES)
def test_it_passes(lines, family):
    assert of_family(lines(*PASSES[family])) == []


@pytest.mark.parametrize("family", REFUSED)
def test_it_is_refused_by_its_keys(lines, family):
    overrides, patterns = REFUSED[family]
    told = of_family(lines(*overrides))
    assert all(line.startswith("reward_model=mrt: ") and "allowed" in line for line in told), told
    for pattern in patterns:
        assert [line for line in told if re.search(pattern, line)], told
    assert len(told) == len(patterns), told


@pytest.mark.parametrize("trainer", ELSEWHERE)
def test_trainers_with_a_config_of_their_own_are_refused(good_words, trainer):
    from importlib import resources

    from hydra import compose, initialize_config_dir

    name, told = ELSEWHERE[trainer]
    directory = str(resources.files("verl.experimental").joinpath(trainer, "config"))
    with initialize_config_dir(directory, version_base=None):
        config = compose(name, overrides=["reward_model=mrt", *good_words.words])
    assert config.algorithm.adv_estimator == "mrt"
    (line,) = of_family(end(config))
    assert told in line and line.endswith("trainer_mode=separate_async")


def test_a_primary_config_of_ones_own_takes_the_word(good_words, tmp_path):
    """Without a `+`, wherever it lies; what the file itself sets wins, and is refused where it must not."""
    from hydra import compose, initialize_config_dir

    text = "hydra:\n  searchpath: [pkg://verl.trainer.config]\ndefaults: [ppo_trainer, _self_]\n"
    (tmp_path / "mine.yaml").write_text(text + "data:\n  max_prompt_length: 77\n")
    (tmp_path / "theirs.yaml").write_text(text + "algorithm:\n  adv_estimator: grpo\n")
    with initialize_config_dir(str(tmp_path), version_base=None):
        mine = compose("mine", overrides=["reward_model=mrt", *good_words.words])
        theirs = compose("theirs", overrides=["reward_model=mrt", *good_words.words])
        without = compose("mine", overrides=list(good_words.words))
    assert mine.data.max_prompt_length == 77 and end(mine) == []
    assert "algorithm.adv_estimator=grpo; allowed: mrt" in end(theirs)[0]
    assert without.get("mrt") is None and without.algorithm.adv_estimator == "gae"


def test_a_config_that_is_no_trainer_of_rl_is_refused(compose):
    config = compose("+reward_model=mrt", config_name="sft_trainer_engine")
    (line,) = end(config)
    assert "it is not one of verl's main_ppo; allowed: python -m verl.trainer.main_ppo reward_model=mrt" in line


def test_a_teachers_log_probs_pass_through_our_output():
    """Distillation beside the task: verl's agent loop puts them into the output after it was graded."""
    from mrt_verl.hooks.loop_output import make_output
    from mrt_verl.rollout_record import ResponsePart, RolloutRecord
    from mrt_verl.trace import Trace

    trace = Trace()
    trace.add_sampled([5, 6], [-1.0, -2.0])
    record = RolloutRecord(ResponsePart([], None, True, think_tokens=0, response_tokens=2, markers=0))
    output = make_output([1], trace, record, {}, eos_token_id=0, trace_seconds=0.0)
    output.extra_fields.update(teacher_ids=[[1]], teacher_logprobs=[[-0.5]])
    fields = output.as_dict()
    assert (fields["teacher_ids"], fields["teacher_logprobs"]) == ([[1]], [[-0.5]])
    assert not {"teacher_ids", "teacher_logprobs", "mrt"} & fields["extra_fields"].keys()

"""Every recipe on the real verl: it composes, passes verl's own checks, its batches divide; SCALE=cpu replaces a fixed
set of keys."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mrt_verl.hooks.checks import find_problems
from mrt_verl.settings import MRTSettings
from recipes.quickstart.arms import HARDWARE
from recipes.tools import dry_run

RECIPES = Path(__file__).parents[2] / "recipes"
ARMS = ("mrt_prefix", "mrt", "grpo", "grpo_length")
RL = [
    *(f"{name}/{arm}" for name in ("r1_distill_qwen_1.5b", "deepscaler_1.5b") for arm in ARMS),
    *("qwen3_4b/mrt", "qwen3_4b/mrt_lora", "backtrack_llama_3b/mrt", "smollm2_cpu/mrt"),
    *(
        f"r1_distill_qwen_1.5b/mrt,multi_node/{overlay}"
        for overlay in ("two_nodes", "colocate_async", "separate_async")
    ),
]
SFT = ["star_r1_distill_7b/sft", "backtrack_llama_3b/sft"]
SCALED = {
    "data": "train_files val_files train_batch_size max_prompt_length max_response_length",
    "actor_rollout_ref.model": "path",
    "actor_rollout_ref.actor": "ppo_mini_batch_size ppo_max_token_len_per_gpu ulysses_sequence_parallel_size "
    "fsdp_config.model_dtype",
    "actor_rollout_ref.rollout": "n gpu_memory_utilization max_model_len max_num_seqs max_num_batched_tokens "
    "log_prob_max_token_len_per_gpu val_kwargs.n",
    "trainer": "nnodes n_gpus_per_node total_training_steps save_freq test_freq resume_mode logger default_local_dir",
}
SCALED_SFT = {
    "data": "train_batch_size max_length max_token_len_per_gpu num_workers",
    "model": "path tokenizer_path use_remove_padding override_config.attn_implementation",
    "engine": "strategy use_torch_compile ulysses_sequence_parallel_size mixed_precision.param_dtype "
    "mixed_precision.reduce_dtype mixed_precision.buffer_dtype",
    "trainer": "nnodes n_gpus_per_node device total_training_steps save_freq resume_mode logger default_local_dir",
}
EMPTY = ("actor_rollout_ref.model.override_config", "actor_rollout_ref.rollout.engine_kwargs.vllm")
"""Nodes without keys in verl's config, into which +hardware=cpu writes."""


@pytest.fixture(autouse=True)
def cpu_platform(monkeypatch):
    """`+hardware=cpu` is on the search path only then."""
    monkeypatch.setenv("VERL_PLATFORM", "cpu")


def compose_rl(recipe, scale=""):
    on_cpu = scale or recipe.startswith("smollm2_cpu")
    return dry_run.compose(recipe + scale, ["+hardware=cpu"] if on_cpu else [])


def flatten(node, prefix=""):
    """{dotted key: value} without resolving interpolations."""
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=False)
    if isinstance(node, dict) and node:
        return {key: value for name in node for key, value in flatten(node[name], f"{prefix}{name}.").items()}
    return {prefix.removesuffix("."): node}


def listed(nodes):
    return {f"{node}.{key}" for node, keys in nodes.items() for key in keys.split()}


def changed(before, after):
    before, after = flatten(before), flatten(after)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def check_batches(config):
    """What verl divides by: prompts by mini-batches, rollouts by data-parallel ranks, GPUs by tensor-parallel ones."""
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    ranks, rest = divmod(gpus, actor.ulysses_sequence_parallel_size)
    assert rest == 0
    assert config.data.train_batch_size % actor.ppo_mini_batch_size == 0
    assert actor.ppo_mini_batch_size * rollout.n % ranks == 0
    assert gpus % rollout.tensor_model_parallel_size == 0
    longest = config.data.max_prompt_length + config.data.max_response_length
    assert actor.use_dynamic_bsz and rollout.log_prob_use_dynamic_bsz
    assert actor.ppo_max_token_len_per_gpu * actor.ulysses_sequence_parallel_size >= longest
    assert rollout.log_prob_max_token_len_per_gpu >= longest


@pytest.mark.parametrize("recipe", RL)
@pytest.mark.parametrize("scale", ["", ",scale_cpu"])
def test_rl_recipe(recipe, scale):
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    config = compose_rl(recipe, scale)
    validate_config(config, use_reference_policy=False, use_critic=False)
    omega_conf_to_dataclass(config.actor_rollout_ref.rollout)
    check_batches(config)
    OmegaConf.to_container(config, resolve=True)
    if config.algorithm.adv_estimator == "mrt":
        MRTSettings.from_config(config.mrt)
    else:
        assert config.algorithm.adv_estimator == "grpo" and "mrt" not in config


def test_megatron_overlay():
    """Composes once the FSDP optimiser's schedule is taken out, as multi_node/run.sh does."""
    from verl.utils.config import validate_config

    removed = "~actor_rollout_ref.actor.optim.lr_scheduler_type"
    assert removed in (RECIPES / "multi_node" / "run.sh").read_text()
    config = dry_run.compose("r1_distill_qwen_1.5b/mrt,multi_node/megatron", [removed])
    validate_config(config, use_reference_policy=False, use_critic=False)
    assert config.actor_rollout_ref.actor.strategy == "megatron"
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    assert gpus % config.actor_rollout_ref.actor.megatron.tensor_model_parallel_size == 0


@pytest.mark.parametrize("recipe", SFT)
@pytest.mark.parametrize("scale", ["", ",scale_cpu_sft"])
def test_sft_recipe(recipe, scale):
    from verl.utils.config import omega_conf_to_dataclass

    config = dry_run.compose(recipe + scale)
    for node in ("engine", "optim", "checkpoint"):
        omega_conf_to_dataclass(config[node])
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    assert config.data.train_batch_size % gpus == 0
    assert config.data.max_token_len_per_gpu >= config.data.max_length


@pytest.mark.parametrize("recipe", RL)
def test_checkpoints_are_where_run_sh_looks_for_them(recipe):
    """recipes/tools/launch.sh evaluates what it finds in outputs/RECIPE, or in TINY/RECIPE."""
    name = recipe.split(",")[0]
    for scale, base in (("", "outputs"), (",scale_cpu", "outputs/scale_cpu")):
        trainer = compose_rl(recipe, scale).trainer
        assert trainer.default_local_dir == f"{base}/{name}"
        assert trainer.save_freq > 0 and trainer.save_freq in (trainer.test_freq, trainer.total_training_steps)


def test_separate_async_updates_fill_a_batch():
    config = dry_run.compose("r1_distill_qwen_1.5b/mrt,multi_node/separate_async")
    updates = config.trainer.v1.separate_async.parameter_sync_step
    assert config.data.train_batch_size == updates * config.actor_rollout_ref.actor.ppo_mini_batch_size
    assert config.actor_rollout_ref.rollout.nnodes > 0


@pytest.mark.parametrize("recipe", RL)
def test_scale_cpu_replaces_only_the_listed_keys(recipe):
    hardware = set(flatten(OmegaConf.load(RECIPES.parent / "mrt_verl/cpu/conf/hardware/cpu.yaml")))
    assert set(flatten(OmegaConf.load(RECIPES / "scale_cpu.yaml"))) == listed(SCALED)
    keys = changed(compose_rl(recipe), compose_rl(recipe, ",scale_cpu"))
    assert keys <= {*listed(SCALED), *hardware, *EMPTY}


def test_hardware_sets_keys_that_verl_has():
    """Hydra adds a key in the wrong place without a word."""
    ours = flatten(OmegaConf.load(RECIPES.parent / "mrt_verl/cpu/conf/hardware/cpu.yaml"))
    verls = flatten(dry_run.compose("r1_distill_qwen_1.5b/grpo"))
    actor = "actor_rollout_ref.actor.fsdp_config.mixed_precision"
    only_in_its_dataclasses = (f"{actor}.", "actor_rollout_ref.rollout.enable_sleep_mode")
    free = (*EMPTY, "ray_kwargs.ray_init", *only_in_its_dataclasses)
    assert [key for key in ours if key not in verls and not key.startswith(free)] == []


@pytest.mark.parametrize("recipe", [one for one in RL if "/mrt" in one and "megatron" not in one])
def test_a_recipe_passes_the_start_up_check(recipe):
    """As far as its config tells; models and data are not on this machine."""
    # verl takes a scaled batch from all but separate_async, which wants parameter_sync_step x ppo_mini_batch_size
    for scale in ("",) if "separate_async" in recipe else ("", ",scale_cpu"):
        assert find_problems(compose_rl(recipe, scale), of_machine=False) == []


def test_the_quickstart_on_a_gpu_composes(monkeypatch):
    """In the sizes of one card; it was never run on one."""
    from verl.utils.config import validate_config

    monkeypatch.delenv("VERL_PLATFORM")
    words = [f"hydra.searchpath=[file://{RECIPES}]", "reward_model=mrt", *HARDWARE["cuda"]]
    config = dry_run.compose_words(words)
    validate_config(config, use_reference_policy=False, use_critic=False)
    check_batches(config)
    assert find_problems(config, of_machine=False) == []


@pytest.mark.parametrize("recipe", SFT)
def test_scale_cpu_replaces_only_the_listed_keys_of_sft(recipe):
    assert set(flatten(OmegaConf.load(RECIPES / "scale_cpu_sft.yaml"))) == listed(SCALED_SFT)
    keys = changed(dry_run.compose(recipe), dry_run.compose(f"{recipe},scale_cpu_sft"))
    assert keys <= {*listed(SCALED_SFT), "model.override_config"}


@pytest.mark.parametrize("name", ["r1_distill_qwen_1.5b", "deepscaler_1.5b"])
def test_arms_differ_only_in_what_defines_them(name):
    grpo = dry_run.compose(f"{name}/grpo")
    length = changed(grpo, dry_run.compose(f"{name}/grpo_length"))
    assert {key.split(".")[0] for key in length} == {"reward", "trainer"}
    assert {key for key in length if key.startswith("trainer")} == {"trainer.experiment_name"}
    for arm in ("mrt", "mrt_prefix"):
        keys = changed(grpo, dry_run.compose(f"{name}/{arm}"))
        allowed = ("mrt.", "algorithm.adv_estimator", "algorithm.mrt", "reward.", "trainer.experiment_name")
        allowed += ("algorithm.filter_groups.metric",)  # without effect unless the filter is enabled
        hooks = ("actor_rollout_ref.rollout.agent.", "trainer.v1.sampler.")
        assert all(key.startswith(allowed + hooks) for key in keys), keys


def test_papers_values():
    """mrt.md: learning rate 1e-6 cosine, warm-up 0.1, weight decay 0.01, 256 rollouts, temperature 0.9, 16K tokens."""
    for name in ("r1_distill_qwen_1.5b", "deepscaler_1.5b"):
        config = dry_run.compose(f"{name}/mrt_prefix")
        optim, rollout = config.actor_rollout_ref.actor.optim, config.actor_rollout_ref.rollout
        values = (optim.lr, optim.lr_scheduler_type, optim.lr_warmup_steps_ratio, optim.weight_decay)
        assert values == (1e-6, "cosine", 0.1, 0.01)
        assert config.data.train_batch_size * rollout.n == 256
        assert (rollout.temperature, config.data.max_response_length) == (0.9, 16384)


@pytest.mark.parametrize(
    ("arm", "overrides", "tokens"),
    [
        ("mrt", [], (8 * 4 * 100, 8 * 4 * 100, 1)),
        # 8 traces to cut, 8 x 3 from the middle of one; the update sees 8 x 3 whole traces and a forced half one
        ("mrt_prefix", [], (8 * 100 + 8 * 3 * 50, 8 * 3 * 100 + 8 * 50, 2)),
        # 2 plain traces of a prompt, 2 that write a sixth of one and answer
        ("mrt_prefix", ["mrt.prefix_mode=one_episode"], (8 * (2 * 100 + 2 * (16 + 32)), 8 * (2 * 100 + 100), 2)),
        ("mrt_prefix", ["mrt.prefix_source=dataset"], (8 * 3 * 50, 8 * 3 * 100 + 8 * 50, 1)),
    ],
)
def test_tokens_that_the_dry_run_expects(arm, overrides, tokens):
    sizes = ["data.train_batch_size=8", "actor_rollout_ref.rollout.n=4", "data.max_response_length=200"]
    share = ["mrt.forced_share=0.25"]
    config = dry_run.compose(f"r1_distill_qwen_1.5b/{arm}", [*sizes, *share, *overrides])
    assert dry_run.expected_tokens(config, 0.5) == tokens


@pytest.mark.parametrize("recipe", sorted({recipe.split("/")[0] for recipe in (*RL, *SFT)} | {"multi_node"}))
def test_every_recipe_is_complete(recipe):
    script = RECIPES / recipe / "run.sh"
    assert len(script.read_text().splitlines()) <= 15
    subprocess.run(["bash", "-n", script], check=True)
    readme = (RECIPES / recipe / "README.md").read_text()
    for heading in ("Cost", "Data", "Train", "Evaluate", "What to expect", "Run here"):
        assert f"\n## {heading}\n" in readme, heading


def test_no_recipe_is_forgotten():
    files = {path.relative_to(RECIPES).with_suffix("").as_posix() for path in RECIPES.glob("*/*.yaml")}
    named = {part for recipe in (*RL, *SFT) for part in recipe.split(",")}
    shared = {name for name in files if name.endswith("/common")}
    others = {name for name in files if name.split("/")[0] in ("quickstart", "study", "openrlhf_r1_1.5b")}
    assert files - shared - others == named | {"multi_node/megatron"}


def score_with(config, tokenizer, text):
    """The reward of one response by the reward manager that verl makes from the config."""
    import numpy as np
    import torch
    from verl import DataProto
    from verl.trainer.ppo.reward import get_custom_reward_fn, load_reward_manager

    ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
    data = DataProto.from_dict(
        tensors={"responses": ids, "attention_mask": torch.ones_like(ids)},
        non_tensors={
            "data_source": np.array(["numinamath"], dtype=object),
            "reward_model": np.array([{"ground_truth": "12"}], dtype=object),
            "extra_info": np.array([{}], dtype=object),
        },
    )

    async def run():
        assert get_custom_reward_fn(config) is not None
        return await load_reward_manager(config, tokenizer).run_single(data)

    return float(asyncio.run(run())["reward_score"]), ids.shape[1]


ANSWERED = "so it is \\boxed{7}\n</think>\n\nThe answer is \\boxed{12}"


def test_grpo_is_graded_as_mrt_is(tokenizer, monkeypatch):
    monkeypatch.chdir(RECIPES.parent)
    config = dry_run.compose("r1_distill_qwen_1.5b/grpo")
    assert score_with(config, tokenizer, ANSWERED)[0] == 1.0
    assert score_with(config, tokenizer, ANSWERED.replace("12", "13"))[0] == 0.0
    assert score_with(config, tokenizer, "so it is \\boxed{12}")[0] == 0.0  # the thinking was never closed


def test_length_penalty_is_half_a_point_for_the_whole_budget(tokenizer, monkeypatch):
    monkeypatch.chdir(RECIPES.parent)
    config = dry_run.compose("r1_distill_qwen_1.5b/grpo_length", ["data.max_response_length=1000"])
    right, tokens = score_with(config, tokenizer, ANSWERED)
    assert right == pytest.approx(1 - 0.5 * tokens / 1000)
    wrong, tokens = score_with(config, tokenizer, ANSWERED.replace("12", "13"))
    assert wrong == pytest.approx(-0.5 * tokens / 1000)

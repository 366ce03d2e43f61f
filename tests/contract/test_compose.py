"""`reward_model=mrt` against verl's real configs."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from data_prep.search_task import MARKERS, STOP_TEXT
from mrt_verl.hooks.checks import sizes
from mrt_verl.settings import MRTSettings
from recipes.quickstart import arms
from recipes.quickstart.arms import ARMS, overrides_of


def select(config, key):
    return OmegaConf.select(config, key)


@pytest.mark.parametrize(
    ("config_name", "overrides"),
    [("ppo_trainer", ()), ("ppo_megatron_trainer", ()), ("ppo_trainer", ("model_engine=megatron",))],
)
def test_one_word_sets_everything(compose, config_name, overrides):
    config = compose("reward_model=mrt", *overrides, config_name=config_name)
    assert config.algorithm.adv_estimator == "mrt"
    assert config.algorithm.mrt.credit == "median"
    assert (config.reward.reward_manager.source, config.reward.reward_manager.name) == ("register", "mrt")
    assert config.actor_rollout_ref.rollout.agent.default_agent_loop == "mrt"
    assert config.trainer.v1.sampler.custom_sampler.path == "pkg://mrt_verl.hooks.replay_buffer"
    assert config.actor_rollout_ref.actor.strategy == (
        "megatron" if "megatron" in config_name + str(overrides) else "fsdp"
    )
    MRTSettings.from_config(config.mrt)


@pytest.mark.parametrize(
    ("name", "loop", "variant", "insertion"),
    [("mrt_prefix", "mrt", "prefix", None), ("mrt_backtrack", "mrt", "online", "backtrack")],
)
def test_the_other_experiments(compose, name, loop, variant, insertion):
    config = compose(f"reward_model={name}")
    assert config.actor_rollout_ref.rollout.agent.default_agent_loop == loop
    assert config.algorithm.adv_estimator == "mrt"
    settings = MRTSettings.from_config(config.mrt)
    assert (settings.variant, settings.insertion) == (variant, insertion)


@pytest.mark.parametrize("family", ["r1", "qwen3", "plain"])
def test_stop_texts_by_model_family(compose, family):
    short = MRTSettings.from_config(compose("reward_model=mrt", f"mrt_family={family}").mrt)
    explain = MRTSettings.from_config(
        compose("reward_model=mrt_prefix", f"mrt_family={family}", "mrt_stop=explain").mrt
    )
    assert short.stop_text.endswith("\\boxed") and (short.branch_max_tokens, short.prover) == (32, "seen")
    assert explain.stop_text == short.stop_texts["explain"] and explain.branch_max_tokens == 512
    assert explain.prover == "sample"  # the prefix variant's
    assert (family == "plain") == (short.think_open is None)
    for settings in (short, explain):
        assert settings.think_close is None or settings.think_close in settings.stop_text
        assert "\n    " not in settings.stop_text  # folded lines of the YAML are one line


def test_command_line_wins(compose):
    config = compose(
        "reward_model=mrt", "mrt.alpha=0.5", "algorithm.adv_estimator=grpo", "reward.reward_manager.name=dapo"
    )
    assert config.algorithm.mrt.alpha == 0.5
    assert config.algorithm.adv_estimator == "grpo"
    assert config.reward.reward_manager.name == "dapo"


def test_single_keys_of_verls_own_reward_model_node_still_parse(compose):
    assert compose("reward_model.enable=True").reward_model.enable is True


def test_a_run_without_it_is_verls(compose, monkeypatch):
    """Our config source against verl's package read by Hydra itself."""
    from mrt_verl.hooks import hydra_plugin

    def read(*overrides, config_name="ppo_trainer"):
        return OmegaConf.to_yaml(compose(*overrides, config_name=config_name))

    cases = [((), "ppo_trainer"), (("model_engine=megatron",), "ppo_trainer"), ((), "ppo_megatron_trainer")]
    ours = [read(*overrides, config_name=name) for overrides, name in cases]
    monkeypatch.setattr(hydra_plugin.MRTSearchPath, "manipulate_search_path", lambda self, path: None)
    assert [read(*overrides, config_name=name) for overrides, name in cases] == ours


def test_verl_behind_a_link_is_still_verl(tmp_path, monkeypatch):
    """An environment that is reached by a symbolic link: Hydra resolves the config's path, Python does not."""
    import verl

    from mrt_verl.hooks.hydra_plugin import _is_verl_config

    real = Path(verl.__file__).resolve().parent
    (tmp_path / "packages").symlink_to(real.parent)
    monkeypatch.setattr(verl, "__file__", str(tmp_path / "packages/verl/__init__.py"))
    assert _is_verl_config(f"file://{real}/trainer/config")
    assert not _is_verl_config(f"file://{tmp_path}")


def test_the_quickstart_composes(compose, monkeypatch):
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    recipes = Path(__file__).parents[2] / "recipes"
    searched = f"hydra.searchpath=[file://{recipes}]"
    config = compose("reward_model=mrt", "+hardware=cpu", "+quickstart=train", searched)
    settings = MRTSettings.from_config(config.mrt)
    assert settings.stop_text == STOP_TEXT
    for arm in ARMS:  # what run.sh trains
        short = compose(*overrides_of(arm, 7), searched)
        assert (short.trainer.total_training_steps, short.data.train_batch_size) == (7, 8)
        assert (short.mrt.alpha, short.mrt.prover) == ({"mrt": 1.0, "grpo": 0.0}[arm], "pooled")
        assert short.mrt.stop_text == STOP_TEXT and short.ray_kwargs.ray_init.include_dashboard is False
        of_run = MRTSettings.from_config(short.mrt)
        assert not [line for check in sizes.CHECKS for line in check(of_run, short)]
    monkeypatch.setattr(arms, "SEED", 2)
    other = compose(*overrides_of("mrt", 7, Path("outputs/quickstart-seed-2")), searched)
    of_seed = (other.data.seed, other.actor_rollout_ref.rollout.seed, other.actor_rollout_ref.actor.data_loader_seed)
    assert of_seed == (2, 2, 2) and other.data.train_files == "outputs/quickstart-seed-2/data/train.parquet"
    assert settings.markers == MARKERS
    assert config.data.train_batch_size % config.actor_rollout_ref.actor.ppo_mini_batch_size == 0
    assert config.actor_rollout_ref.rollout.dtype == "float32"

"""A setting that nothing reads is told; the ones that are read are not."""

import logging

import pytest

from mrt_verl.hooks.checks import check_run, find_problems
from recipes.tools import dry_run

VLLM = "actor_rollout_ref.rollout.name=vllm"
GROUP = "actor_rollout_ref.rollout.n=4"


def warned(caplog, config):
    with caplog.at_level(logging.WARNING):
        check_run(config)
    return [record.getMessage() for record in caplog.records if "has no effect without" in record.getMessage()]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("mrt.gamma=0.5",), "mrt.gamma=0.5 has no effect without mrt.credit=to_go"),
        (("mrt.insert_every=5",), "mrt.insert_every=5 has no effect without mrt.insertion=…"),
        (("mrt.traces_per_step=3",), "mrt.traces_per_step=3 has no effect without mrt.trace_dir=…"),
        (("mrt.prefix_mode=paper",), "mrt.prefix_mode=paper has no effect without reward_model=mrt_prefix"),
        (
            ("mrt.baseline=termination",),
            "mrt.baseline=termination has no effect without reward_model=mrt_prefix mrt.prefix_mode=paper",
        ),
    ],
)
def test_a_setting_without_effect(compose, caplog, words, told):
    assert warned(caplog, compose("reward_model=mrt", GROUP, VLLM, *words)) == [told]


def test_tokens_share_no_credit_in_the_prefix_variant(compose, caplog):
    words = ("mrt.credit_per=token", "mrt.prefix_mode=paper")
    told = "mrt.credit_per=token has no effect without reward_model=mrt"
    assert warned(caplog, compose("reward_model=mrt_prefix", GROUP, VLLM, *words)) == [told]


@pytest.mark.parametrize(
    "words",
    [
        ("reward_model=mrt", "mrt.gamma=0.5", "mrt.credit=to_go"),
        ("reward_model=mrt", "mrt.insert_every=50", "mrt.insertion=budget_forcing"),
        ("reward_model=mrt_backtrack", "mrt.step_pattern='(1)'"),
        ("reward_model=mrt_prefix", "mrt.plain_share=0.5"),
        ("reward_model=mrt", "mrt.credit_per=token"),
        ("reward_model=mrt_prefix", "mrt.prefix_mode=paper", "mrt.forced_share=0.25", "mrt.baseline=termination"),
    ],
)
def test_settings_with_effect(compose, caplog, words):
    assert warned(caplog, compose(*words, GROUP, VLLM)) == []


@pytest.mark.parametrize(
    "recipe",
    ["qwen3_4b/mrt", "r1_distill_qwen_1.5b/mrt", "r1_distill_qwen_1.5b/mrt_prefix", "backtrack_llama_3b/mrt"],
)
def test_recipes_set_nothing_without_effect(caplog, recipe):
    assert warned(caplog, dry_run.compose(recipe)) == []


def test_the_cpus_settings_without_its_platform(compose, monkeypatch):
    """Seen: a plain key that nothing read, and then Ray waited for ever."""
    monkeypatch.delenv("VERL_PLATFORM", raising=False)
    config = compose("reward_model=mrt", GROUP, VLLM, "+hardware=cpu")
    (line,) = (one for one in find_problems(config, of_machine=False) if "hardware" in one)
    assert line.startswith("+hardware=cpu is a plain value here, no config group: nothing reads it; allowed: VERL_PLAT")
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    config = compose("reward_model=mrt", GROUP, VLLM, "+hardware=cpu")
    assert not [one for one in find_problems(config, of_machine=False) if "hardware" in one]

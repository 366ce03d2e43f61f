"""A run that could not train with MRT as asked ends before Ray starts, in one line for each reason.

Composed from verl's own configs and told by the callback that a training run has.
"""

import re

import pytest

from tests.cases import wrong_runs, wrong_values


@pytest.fixture
def told(compose, good_words):
    """told(*overrides) -> the lines that a run ends with"""
    from mrt_verl.hooks.hydra_plugin import CheckRun

    def run(*overrides):
        words = [word.format(tmp=good_words.directory) if "{tmp}" in word else word for word in overrides]
        named = any(word.startswith("reward_model=") for word in words)
        config = compose(*(["reward_model=mrt"] * (not named)), *good_words.words, *words)
        with pytest.raises(SystemExit) as ended:
            CheckRun().on_run_start(config=config)
        assert ended.value.code not in (None, 0)
        return str(ended.value.code).splitlines()

    return run


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        *(*wrong_runs.OF_CONFIG, *wrong_runs.OF_MACHINE),
        *(*wrong_values.NUMBERS, *wrong_values.OTHERS, *wrong_values.NODES, *wrong_values.PARTS, *wrong_values.FILES),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_run_is_told(told, overrides, line):
    lines = told(*overrides)
    assert all(re.match(r"reward_model=mrt: \S", one) for one in lines)
    assert [one for one in lines if re.search(line, one)], lines
    assert len(lines) <= 2, lines  # a tag that is wrong in itself does not stand in the stop text either


@pytest.mark.parametrize(("words", "line"), wrong_runs.WORDS)
def test_words_that_hydra_would_give_the_wrong_advice_for(words, line, monkeypatch, compose):
    monkeypatch.setattr("sys.argv", ["main_ppo", "reward_model=mrt", *words])
    with pytest.raises(SystemExit, match=f"^reward_model=mrt: {line}"):
        compose("reward_model=mrt")


def test_a_run_without_mrt_is_nobodys_business(monkeypatch, compose):
    monkeypatch.setattr("sys.argv", ["main_ppo", "mrt_family=qwen", "+mrt.alfa=1"])
    assert compose().get("mrt") is None


def test_the_good_run_is_good(compose, good_words):
    from mrt_verl.hooks.hydra_plugin import CheckRun

    CheckRun().on_run_start(config=compose("reward_model=mrt", *good_words.words))


def test_everything_wrong_is_told_at_once(told):
    lines = told("algorithm.use_kl_in_reward=True", "actor_rollout_ref.rollout.n=1", "data.train_files=no.parquet")
    assert [line.split(": ", 1)[1].partition("=")[0] for line in lines] == [
        "algorithm.use_kl_in_reward",
        "actor_rollout_ref.rollout.n",
        "data.train_files",
    ]


def test_a_check_that_fails_is_a_line_too(told, monkeypatch):
    """Hydra makes a warning of a callback's exception, and the run would go on unchecked."""
    from mrt_verl.hooks import checks

    def check_nothing(settings, config):
        raise ZeroDivisionError("of a check")
        yield

    monkeypatch.setattr(checks, "OF_CONFIG", (check_nothing,))
    assert told() == ["reward_model=mrt: check nothing: the run cannot be checked: ZeroDivisionError: of a check"]

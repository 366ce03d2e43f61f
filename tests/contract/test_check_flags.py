"""`mrt_verl.check` takes the flags of Hydra that choose a config, as verl's example scripts write them.

It also tells whether verl loads the plugin.
"""

from importlib import metadata

import pytest

from mrt_verl import check
from mrt_verl.hooks.check_command import is_loaded, read_flags


@pytest.mark.parametrize(
    "flags",
    [
        ("--config-path=config", "--config-name=ppo_trainer.yaml"),
        ("-cp", "config", "-cn", "ppo_trainer"),
        ("--config-dir", "recipes"),
    ],
)
def test_a_run_of_an_example_script(good_words, flags, capsys):
    assert check.main(["reward_model=mrt", *good_words.words, *flags]) == 0
    assert capsys.readouterr().out.startswith("fine: this run may start.")


def test_a_primary_config_of_ones_own(good_words, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(
        "defaults: [ppo_trainer, _self_]\nhydra: {searchpath: ['pkg://verl.trainer.config']}\nseed: 1\n"
    )
    words = ["reward_model=mrt", *good_words.words, f"--config-path={tmp_path}", "--config-name=mine", "seed=2"]
    assert check.main(words) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cfg", "job"], "--cfg; allowed: overrides, --config-name, --config-path, --config-dir, -cn, -cp, -cd"),
        (["reward_model=mrt", "--config-name"], "--config-name without a value"),
        (["reward_model=mrt", "--config-path=no/such"], "does not compose: "),
    ],
)
def test_flags_that_cannot_be_taken(words, told, capsys):
    assert check.main(words) == 2
    assert told in capsys.readouterr().err


def test_words_are_split_from_flags():
    assert read_flags(["a=1", "-cn", "mine", "--config-dir=d"]) == ({"name": "mine", "dir": "d"}, ["a=1"])


@pytest.mark.parametrize(
    ("plugins", "modules", "expected"),
    [
        ("auto", "", True),
        ("none", "", False),
        ("another, mrt", "", True),
        ("another", "", False),
        ("none", "other,mrt_verl.register", True),
    ],
)
def test_a_plugin_that_verl_is_told_not_to_load(monkeypatch, capsys, plugins, modules, expected):
    monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", plugins)
    monkeypatch.setenv("VERL_USE_EXTERNAL_MODULES", modules)
    assert is_loaded() == expected
    if not expected:
        assert check.main(["reward_model=mrt"]) == 2
        assert capsys.readouterr().err.startswith("verl does not see this plugin: ")


def test_a_plugin_that_is_not_installed_here(monkeypatch, capsys):
    monkeypatch.setattr(metadata, "entry_points", lambda group: ())
    assert check.main(["reward_model=mrt"]) == 2
    assert "pip install" in capsys.readouterr().err

"""MRTSettings: every bad value is an error that names the key, the value and what is allowed."""

import copy
from dataclasses import fields

import pytest
from tokenizers import normalizers

from mrt_verl.branching import max_boundaries
from mrt_verl.parts import check_parts, text_problems
from mrt_verl.settings import MRTSettings
from tests.builders import default_node, default_settings
from tests.fakes import toy_tokenizer


def test_shipped_defaults_are_valid_and_complete():
    settings = MRTSettings.from_config(default_node())
    assert settings.credit == "median"
    assert settings.markers[0] == "Wait"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("alpha", -0.1, r"mrt\.alpha=-0\.1; allowed: a number >= 0"),
        ("alpha", "1", r"mrt\.alpha='1'; allowed"),
        ("alpha", True, r"mrt\.alpha=True; allowed"),
        ("alpha", float("nan"), r"mrt\.alpha=nan; allowed"),
        ("variant", "offline", r"mrt\.variant='offline'; allowed: online, prefix"),
        ("boundary_choice", "all", r"mrt\.boundary_choice='all'; allowed: even, uncertain"),
        ("branch_token_budget", 31, r"mrt\.branch_token_budget=31; allowed: 32 or more"),
        ("branch_token_budget", 0, r"mrt\.branch_token_budget=0; allowed: null or a whole number >= 1"),
        ("insert_every", 0, r"mrt\.insert_every=0; allowed"),
        ("insert_max", -1, r"mrt\.insert_max=-1; allowed"),
        ("insert_texts", [], r"mrt\.insert_texts=\[\]; allowed"),
        ("backtrack_text", "Go back.", r"mrt\.backtrack_text='Go back\.'; allowed: words, then \{step\}"),
        ("step_pattern", "Step (", r"mrt\.step_pattern='Step \(': missing \), .*; allowed: a regular"),
        ("step_pattern", "Step", r"mrt\.step_pattern='Step'; allowed: a group"),
        ("prefix_source", "web", r"mrt\.prefix_source='web'; allowed: on_policy, dataset"),
        ("forced_share", 1.0, r"mrt\.forced_share=1\.0; allowed: a number in \(0, 1\)"),
        ("baseline", "none", r"mrt\.baseline='none'; allowed: group, termination"),
        ("reference_text", "}", r"mrt\.reference_text='}'; allowed: null, or a text with \{reference\}"),
        (
            "reference_text",
            ["{{reference}}", "{{reference}}."],
            r"reference_text=.*; allowed: texts of which none begins",
        ),
        ("credit", "sum", r"mrt\.credit='sum'; allowed: progress, to_go, regret"),
        ("prover", "guess", r"mrt\.prover='guess'; allowed: sample"),
        ("bonus_norm", "std", r"mrt\.bonus_norm='std'; allowed: rms, batch, none"),
        ("outcome", "vote", r"mrt\.outcome='vote'; allowed: math_verify, compute_score"),
        ("branches", 0, r"mrt\.branches=0; allowed: null or a whole number >= 1"),
        ("branches", 2.0, r"mrt\.branches=2\.0; allowed: null or a whole number"),
        ("max_episodes", 0, r"mrt\.max_episodes=0; allowed"),
        ("min_episode_tokens", -1, r"mrt\.min_episode_tokens=-1; allowed"),
        ("min_steps", 0, r"mrt\.min_steps=0; allowed"),
        ("gamma", 0, r"mrt\.gamma=0; allowed: a number in \(0, 1\]"),
        ("bonus_floor", 0, r"mrt\.bonus_floor=0; allowed"),
        ("branch_temperature", 0, r"mrt\.branch_temperature=0; allowed: null or a number > 0"),
        ("branch_timeout_s", 0, r"mrt\.branch_timeout_s=0; allowed"),
        ("trace_timeout_s", 0, r"mrt\.trace_timeout_s=0; allowed: null or a number of seconds > 0"),
        ("grade_timeout_s", -5, r"mrt\.grade_timeout_s=-5; allowed"),
        ("markers", [], r"mrt\.markers=\[\]; allowed"),
        ("markers", ["Wait", " "], r"mrt\.markers=\('Wait', ' '\); allowed"),
        ("markers", "Wait", r"mrt\.markers='Wait'; allowed: a list"),
        ("stop_text", " ", r"mrt\.stop_text=' '; allowed"),
        ("stop_text", "\\n</think>\\boxed", r"mrt\.stop_text=.*; allowed: a line break itself .*, not \\n$"),
        ("insert_texts", ["Wait", "So\\nWait"], r"mrt\.insert_texts=.*; allowed: a line break itself"),
        ("stop_text", "\n\\\\boxed", r"one backslash before a command, not \\\\$"),
        ("think_open", None, r"mrt\.think_open=None with mrt\.think_close='</think>'; allowed: two tags, or null"),
        ("val_branches", "no", r"mrt\.val_branches='no'; allowed: true, false"),
        ("traces_per_step", 0, r"mrt\.traces_per_step=0; allowed"),
    ],
)
def test_bad_value_names_key_value_and_what_is_allowed(key, value, message):
    with pytest.raises(ValueError, match=message):
        check_parts(MRTSettings.from_config(default_node(**{key: value})))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prover": "likelihood", "stop_text": "Say it."}, r"mrt\.prover='likelihood' with mrt\.stop_text='Say it\.'"),
        (
            {"prover": "likelihood", "stop_text": "It is \\boxed{", "reference_text": "{{reference}}"},
            r"mrt\.reference_text='{{reference}}' with mrt\.stop_text='It is .*; allowed: null, or .* not read as 7",
        ),
        (
            {"prover": "anchored", "outcome": "compute_score"},
            r"'anchored' with mrt\.outcome='compute_score'; .*=ht",
        ),
        (
            {"prover": "anchored", "branch_temperature": 0.7},
            r"mrt\.branch_temperature=0\.7 with mrt\.prover='anchored'",
        ),
        ({"prover": "ht", "variant": "prefix"}, r"mrt\.prover='ht' with mrt\.variant='prefix'; allowed there: sample"),
    ],
)
def test_settings_that_exclude_each_other(changes, message):
    with pytest.raises(ValueError, match=message):
        check_parts(MRTSettings.from_config(default_node(**changes)))


def test_a_budget_limits_the_boundaries():
    for budget, boundaries in ((None, 6), (32, 1), (100, 3), (10_000, 6)):
        assert max_boundaries(MRTSettings(branch_token_budget=budget)) == boundaries


def test_the_requests_of_a_scored_reference_are_tokens_of_the_budget():
    assert max_boundaries(MRTSettings(prover="anchored", branches=1, branch_token_budget=3 * (32 + 6))) == 3
    assert max_boundaries(MRTSettings(prover="likelihood", branch_token_budget=18)) == 3


def test_unknown_key():
    with pytest.raises(ValueError, match=r"mrt\.alfa is not a setting, did you mean mrt\.alpha\?; allowed: alpha, "):
        MRTSettings.from_config(default_node(alfa=1.0))


def test_defaults_are_those_of_the_shipped_yaml():
    """Hydra needs them as YAML, everybody else as a dataclass: both say the same, for every setting."""
    shipped, own = MRTSettings.from_config(default_node()), MRTSettings()
    assert {one.name: getattr(shipped, one.name) for one in fields(own)} == {
        one.name: getattr(own, one.name) for one in fields(own)
    }
    assert set(default_node()) == {one.name for one in fields(own)}


def test_a_bad_default_cannot_be_built_without_from_config_either():
    with pytest.raises(ValueError, match=r"mrt\.branches=0; allowed: null or a whole number >= 1"):
        MRTSettings(branches=0)


def test_a_text_that_the_models_tokenizer_does_not_keep():
    """As one of a lower-case vocabulary would; what it keeps is no problem."""
    tokenizer = copy.deepcopy(toy_tokenizer())
    settings = default_settings(
        stop_text="time is up.\n</think>\n\nthe answer is \\boxed", markers=["wait", "But wait"]
    )
    assert list(text_problems(settings, tokenizer, "m")) == []
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    assert list(text_problems(settings, tokenizer, "m")) == [
        "mrt.markers: 'But wait' is 'but wait' after this model's tokenizer; allowed: a text that it keeps"
    ]

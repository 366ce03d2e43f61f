"""MRTSettings: every bad value is an error that names the key, the value and what is allowed."""

import pytest

from mrt_verl.settings import MRTSettings
from tests.builders import default_node


def test_shipped_defaults_are_valid_and_complete():
    settings = MRTSettings.from_config(default_node())
    assert settings.credit == "progress"
    assert settings.markers[0] == "Wait"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("alpha", -0.1, r"mrt\.alpha=-0\.1; allowed: a number >= 0"),
        ("alpha", "1", r"mrt\.alpha='1'; allowed"),
        ("alpha", True, r"mrt\.alpha=True; allowed"),
        ("alpha", float("nan"), r"mrt\.alpha=nan; allowed"),
        ("variant", "offline", r"mrt\.variant='offline'; allowed: online"),
        ("credit", "sum", r"mrt\.credit='sum'; allowed: progress, to_go, regret"),
        ("prover", "guess", r"mrt\.prover='guess'; allowed: sample"),
        ("bonus_norm", "std", r"mrt\.bonus_norm='std'; allowed: rms, none"),
        ("outcome", "vote", r"mrt\.outcome='vote'; allowed: math_verify, compute_score"),
        ("branches", 0, r"mrt\.branches=0; allowed: a whole number >= 1"),
        ("branches", 2.0, r"mrt\.branches=2\.0; allowed: a whole number"),
        ("max_episodes", 0, r"mrt\.max_episodes=0; allowed"),
        ("min_episode_tokens", -1, r"mrt\.min_episode_tokens=-1; allowed"),
        ("min_steps", 0, r"mrt\.min_steps=0; allowed"),
        ("gamma", 0, r"mrt\.gamma=0; allowed: a number in \(0, 1\]"),
        ("bonus_floor", 0, r"mrt\.bonus_floor=0; allowed"),
        ("branch_temperature", 0, r"mrt\.branch_temperature=0; allowed: null or a number > 0"),
        ("branch_timeout_s", 0, r"mrt\.branch_timeout_s=0; allowed"),
        ("grade_timeout_s", -5, r"mrt\.grade_timeout_s=-5; allowed"),
        ("markers", [], r"mrt\.markers=\[\]; allowed"),
        ("markers", ["Wait", " "], r"mrt\.markers=\('Wait', ' '\); allowed"),
        ("markers", "Wait", r"mrt\.markers='Wait'; allowed: a list"),
        ("stop_text", " ", r"mrt\.stop_text=' '; allowed"),
        ("think_open", None, r"mrt\.think_open=None with mrt\.think_close='</think>'; allowed: two tags, or null"),
        ("val_branches", "no", r"mrt\.val_branches='no'; allowed: true, false"),
        ("traces_per_step", 0, r"mrt\.traces_per_step=0; allowed"),
    ],
)
def test_bad_value_names_key_value_and_what_is_allowed(key, value, message):
    with pytest.raises(ValueError, match=message):
        MRTSettings.from_config(default_node(**{key: value}))


def test_unknown_key():
    with pytest.raises(ValueError, match=r"mrt\.alfa is not a setting; allowed: alpha, "):
        MRTSettings.from_config(default_node(alfa=1.0))


def test_missing_key():
    with pytest.raises(ValueError, match=r"mrt\.gamma is missing"):
        MRTSettings.from_config({key: value for key, value in default_node().items() if key != "gamma"})

"""The study's arithmetic on hand-made results."""

import json
from pathlib import Path

import pytest

from recipes.study.arms import ARMS
from recipes.study.measures import interval, summarise, token_efficiency
from recipes.study.result import Result, _generated_tokens
from recipes.study.study import STEPS, overrides_of, results_of
from recipes.study.summary import describe, draw


def result(arm, seed, accuracy, tokens, curve, **changes):
    fields = {
        "arm": arm,
        "seed": seed,
        "commit": "abc",
        "place": "here",
        "overrides": [],
        "steps": [0, 10],
        "accuracy": accuracy,
        "tokens": tokens,
        "hours": [0.0, tokens[-1] / 100],
        "seconds_per_step": 5.0,
        "problems": 4,
        "pass_at_1": curve[-1],
        "regret": 0.5,
        "regret_at_twice": 0.3,
        "grid": [0.0, 80.0, 160.0],
        "curve": curve,
    }
    return Result(**{**fields, **changes})


GRPO = [result("grpo", 1, [0.1, 0.3], [0.0, 10.0], [0.0, 0.2, 0.4])]
MRT = [
    result("mrt", 1, [0.1, 0.5], [0.0, 20.0], [0.0, 0.4, 0.6]),
    result("mrt", 2, [0.1, 0.3], [0.0, 20.0], [0.0, 0.1, 0.3]),
]


def test_arms_at_equal_cost():
    arms = summarise([*GRPO, *MRT])["arms"]
    assert arms["mrt"]["accuracy_at_equal_updates"]["seeds"] == [0.5, 0.3]
    # at half of its tokens where GRPO has a run of that seed, at all of them where it has none
    assert arms["mrt"]["accuracy_at_equal_tokens"]["seeds"] == pytest.approx([0.3, 0.3])
    assert arms["mrt"]["accuracy_at_equal_hours"]["mean"] == pytest.approx(0.3)
    assert arms["grpo"]["accuracy_at_equal_tokens"]["mean"] == pytest.approx(0.3)


def test_times_of_another_place_are_left_out():
    elsewhere = result("mrt", 1, [0.1, 0.5], [0.0, 20.0], [0.0, 0.4, 0.6], place="elsewhere")
    summary = summarise([*GRPO, elsewhere])
    assert not {"accuracy_at_equal_hours", "seconds_per_step"} & set(summary["arms"]["mrt"])
    assert not {"accuracy_at_equal_hours", "seconds_per_step"} & set(summary["differences_to_grpo"]["mrt"])
    assert summary["arms"]["mrt"]["accuracy_at_equal_tokens"]["seeds"] == pytest.approx([0.3])
    assert describe(summary)[3].split(" | ")[8] == ""


def test_differences_are_of_the_same_seed():
    second = result("grpo", 2, [0.1, 0.2], [0.0, 10.0], [0.0, 0.1, 0.2], pass_at_1=0.1)
    summary = summarise([second, *GRPO, *MRT])
    row = summary["differences_to_grpo"]["mrt"]
    assert row["accuracy_at_equal_updates"]["seeds"] == pytest.approx([0.5 - 0.3, 0.3 - 0.2])
    assert row["pass@1"]["mean"] == pytest.approx(((0.6 - 0.4) + (0.3 - 0.1)) / 2)
    assert "grpo" not in summary["differences_to_grpo"]


def test_tokens_to_grpos_success():
    """GRPO's J of 0.4 takes it 160 tokens; the first seed of MRT 80; the second never gets there."""
    arms = summarise([*GRPO, *MRT])["arms"]
    assert arms["grpo"]["tokens_to_target_success"] == [160.0]
    assert arms["mrt"]["tokens_to_target_success"] == [80.0, None]
    # of the mean curve 0, .25, .45: 80 + 80 * .15 / .20 to .4
    assert list(arms["mrt"]["tokens_of_the_mean_to"].values()) == pytest.approx([108.0, 124.0, 140.0])
    assert list(arms["grpo"]["tokens_of_the_mean_to"].values()) == pytest.approx([128.0, 144.0, 160.0])


def test_token_efficiency():
    """Half of GRPO's 0.4 is at 80 tokens, MRT's curve is there at 40; of two seeds the mean curves count."""
    assert token_efficiency([(MRT[0], GRPO[0])], 0.5)["value"] == 2.0
    second = result("grpo", 2, [0.1, 0.3], [0.0, 10.0], [0.0, 0.1, 0.2])
    both = token_efficiency([(MRT[0], GRPO[0]), (MRT[1], second)], 1.0)
    # GRPO's mean 0, .15, .3 ends at 160; MRT's 0, .25, .45 is at .3 after 80 + 80 * .05 / .20
    assert both["value"] == pytest.approx(160 / 100)
    # the worst and the best resample: seed 2 alone, 160 / (80 + 80 * .1 / .2), and seed 1 alone, 160 / 80
    assert (both["low"], both["high"]) == pytest.approx((160 / 120, 2.0))


def test_token_efficiency_of_an_arm_that_never_gets_there():
    assert token_efficiency([(MRT[1], GRPO[0])], 1.0)["value"] == 0.0


def test_both_regrets():
    row = summarise(GRPO)["arms"]["grpo"]
    assert (row["regret"]["mean"], row["regret_at_twice_the_budget"]["mean"]) == (0.5, 0.3)


def test_interval_of_one_seed_has_no_width():
    assert interval([0.25]) == {"mean": 0.25, "low": 0.25, "high": 0.25, "seeds": [0.25]}


def test_interval_lies_between_the_seeds():
    some = interval([0.2, 0.3, 0.4])
    assert some["mean"] == pytest.approx(0.3)
    assert 0.2 - 1e-9 <= some["low"] < 0.3 < some["high"] <= 0.4 + 1e-9


@pytest.mark.parametrize("change", [{"steps": [0, 20]}, {"problems": 5}, {"task": 2}])
def test_results_of_different_studies_are_refused(change):
    with pytest.raises(
        ValueError, match=r"results of different (updates: 10, 20|problems: 4, 5|versions of the task: 1, 2)"
    ):
        summarise([*GRPO, result("mrt", 1, [0.1, 0.5], [0.0, 20.0], [0.0, 0.4, 0.6], **change)])


def test_no_results():
    with pytest.raises(ValueError, match="no results"):
        summarise([])


def test_written_and_read(tmp_path):
    GRPO[0].write(tmp_path / "runs" / "grpo-1.json")
    assert Result.read(tmp_path / "runs" / "grpo-1.json") == GRPO[0]


def test_picture(tmp_path):
    draw([*GRPO, *MRT], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_tables():
    lines = describe(json.loads(json.dumps(summarise([*GRPO, *MRT]))))
    assert lines[0].startswith("| arm | seeds | pass@1 | normalised regret |")
    assert lines[2] == "| `grpo` | 1 | 0.400 | 0.500 | 0.300 | 0.300 | 0.300 | 0.300 | 5.0 | 128 | 144 | 160 |"
    assert lines[3].startswith("| `mrt` | 2 | 0.450 [0.300, 0.600] | 0.500 [0.500, 0.500] |")
    assert lines[5].startswith("| minus `grpo` | seeds | pass@1 |")
    assert lines[7] == "| `mrt` | 1 | +0.200 | +0.000 | +0.000 | +0.200 | +0.000 | +0.000 | +0.0 | 2.00 | 2.00 | 2.00 |"
    assert len({line.count("|") for line in lines[:4]}) == len({line.count("|") for line in lines[5:]}) == 1


def test_tables_of_the_readme_are_those_of_the_runs():
    results = Path("recipes/study/results/v1")
    lines = describe(summarise([Result.read(path) for path in sorted(results.glob("runs/*.json"))]))
    assert lines == describe(json.loads((results / "summary.json").read_text()))
    assert "\n".join(lines) in Path("recipes/study/results/v1/README.md").read_text()


def test_generated_tokens_count_branches():
    """8 rollouts of 30 tokens and branches of half as many, from what verl logs."""
    data = {"perf/total_num_tokens": 400, "prompt_length/mean": 20, "response_length/mean": 30}
    assert _generated_tokens(data) == 240
    assert _generated_tokens({**data, "mrt/branch_tokens_ratio": 0.5}) == 360
    assert _generated_tokens({"val-core/x": 1.0}) == 0


def test_generated_tokens_leave_out_what_a_response_only_holds():
    """Four responses of 20 tokens: prefix 10 + stop text 4 + 6 forced, prefix 10 + 10, two of 20; 12 for the prefix."""
    data = {"perf/total_num_tokens": 120, "prompt_length/mean": 10, "response_length/mean": 20}
    prefix = {"mrt/prefix_tokens_mean": 10, "mrt/fallback_share": 0.5, "mrt/inserted_mean": 1}
    assert _generated_tokens({**data, **prefix, "mrt/branch_tokens_ratio": 12 / 56}) == pytest.approx(6 + 10 + 40 + 12)


def test_arms_differ_only_in_what_they_list():
    common = set(overrides_of("mrt", 2, 120)) - set(ARMS["mrt"])
    for arm in ARMS:
        rest = {one for one in overrides_of(arm, 2, 120) if one not in ARMS[arm]}
        expected = {one.replace("mrt-2", f"{arm}-2") for one in common}
        assert expected - rest <= {"mrt.trace_dir=null"}
        assert rest - expected == set()


def test_a_shortened_study_keeps_the_full_ones_results():
    assert results_of(STEPS) != results_of(20)

"""mrt/* metrics on records worked out by hand."""

import json
import logging

import numpy as np
import pytest

from mrt_verl.evaluation.records import Answer, EpisodeRecord
from mrt_verl.evaluation.traces import curve_points
from mrt_verl.grading.grades import GraderStats
from mrt_verl.grading_meter import GradingMeter
from mrt_verl.metric_table import METRICS
from mrt_verl.metrics import compute_metrics, lag1, rollout_regret
from mrt_verl.progress import normalised_regret
from mrt_verl.settings import MRTSettings
from mrt_verl.step_report import GradingFailed, NothingToTrainOn, StepReport, warn_of_timeouts
from tests.builders import graded_record as record
from tests.evaluation_records import record as a_trace


@pytest.mark.parametrize(
    ("of_traces", "expected"),
    [
        ([[0.5, -0.5, 0.25]], -0.375 / 0.5625),
        ([[0.5, 0.25], [0.5]], 0.125 / 0.5625),  # from one episode to the next of the same trace
        ([[0.5], [-0.5]], 0.0),
        ([[], []], 0.0),
        ([[0.0, 0.0]], 0.0),
    ],
)
def test_progress_that_is_undone(of_traces, expected):
    steps = [[(number, number, value) for number, value in enumerate(values)] for values in of_traces]
    found = compute_metrics([record(progress=one) for one in steps], budget=40)["mrt/progress_lag1"]
    assert found == pytest.approx(expected)


def test_noise_alone_is_undone_by_a_half():
    js = np.random.default_rng(0).normal(size=(2000, 100))
    assert lag1(np.diff(js).tolist()) == pytest.approx(-0.5, abs=0.01)


def test_means_and_ratios():
    forced = [[("a", True, None)] * 2, [("a", True, None)] * 2]
    costs = {"branch_tokens": 8, "branch_prompt_tokens": 100, "branch_cached_tokens": 80}
    first = record(forced=forced, answer_tokens=[2.0, 2.0], **costs)
    second = record(
        forced=[[], []],
        answer_tokens=[0.0, 0.0],
        outcome=0.0,
        js=[None, 0.5],
        progress=[(0, 1, 0.5)],
        branch_failures=2,
        no_answers=3,
    )
    metrics = compute_metrics([first, second], budget=40)
    expected = {
        "outcome": 0.5,
        "progress_mean": 0.5,
        "progress_std": 0.0,
        "j_first": 0.5,
        "j_last": 0.75,
        "branch_tokens_ratio": 8 / 40,
        "prefix_cache_hit": 0.8,
        "branch_failures": 2.0,
        "no_answer_share": 3 / 18,
        "inserted_mean": 0.0,
        "fallback_share": 0.0,
        # first: answers cost 2 tokens: (0, 0) (6, .5) (12, 1), flat to 40; second: its own answer's 10: (20, .5), flat
        "regret": ((1 - (6 * 0.25 + 6 * 0.75 + 28) / 40) + (1 - (20 * 0.25 + 20 * 0.5) / 40)) / 2,
    }
    assert {key: metrics[f"mrt/{key}"] for key in expected} == pytest.approx(expected)


def test_an_outcome_that_is_not_known_is_in_no_mean():
    metrics = compute_metrics([record(), record(outcome=0.0), record(outcome=None)], budget=40)
    assert (metrics["mrt/outcome"], metrics["mrt/outcomes_unknown"]) == (0.5, 1.0)


def evaluated(one):
    """The evaluation's record of the same trace."""
    answers = [
        [Answer(text, True, text, "right", 1.0, weight) for text, _, weight in row] for row in one.branches.forced
    ]
    rows = zip(one.response.episodes, answers, one.values.js, one.branches.answer_tokens, strict=True)
    return a_trace(
        js=(),
        ends=(),
        own=one.values.outcome,
        response_tokens=one.response.response_tokens,
        episodes=[EpisodeRecord(*episode, "", forced, j, tokens) for episode, forced, j, tokens in rows],
    )


TWO, ONE = [("7", True, 0.5)] * 2, [("7", True, 0.5)]
CURVES = [
    # answers cost (2 · 10 + 1 · 4) / 3 = 8 tokens, the stop text included: (12, .5) (18, 1), flat to 40
    ({"forced": [TWO, ONE], "answer_tokens": [10.0, 4.0]}, 1 - (12 * 0.25 + 6 * 0.75 + 22) / 40),
    # as they do for a rollout whose equal prefix another one has paid for
    ({"forced": [TWO, ONE], "answer_tokens": [10.0, 4.0], "branch_tokens": 0}, 1 - (12 * 0.25 + 6 * 0.75 + 22) / 40),
    # a boundary that was not branched, or whose answers could not be graded: (15, 1)
    ({"forced": [[], ONE], "answer_tokens": [0.0, 5.0], "js": [None, 1.0]}, 1 - (15 * 0.5 + 25) / 40),
    # a right answer without thinking, of 20 tokens: (20, 1); a wrong one
    ({"episodes": [], "forced": [], "answer_tokens": [], "js": []}, 1 - (20 * 0.5 + 20) / 40),
    ({"episodes": [], "forced": [], "answer_tokens": [], "js": [], "outcome": 0.0}, 1.0),
    # no forced answer at all: the own one's 10 tokens stand for it
    ({"forced": [[], []], "answer_tokens": [0.0, 0.0], "js": [None, 1.0]}, 1 - (20 * 0.5 + 20) / 40),
    # nothing is known
    ({"forced": [[], []], "answer_tokens": [0.0, 0.0], "js": [None, None]}, 1.0),
]


@pytest.mark.parametrize(("changes", "regret"), CURVES)
def test_regret_is_that_of_an_evaluation(changes, regret):
    one = record(**changes)
    assert compute_metrics([one], budget=40)["mrt/regret"] == pytest.approx(regret)
    assert normalised_regret(*curve_points(evaluated(one)), 40) == pytest.approx(regret)


def test_a_continuation_shorter_than_an_answer():
    """The curve must not run back: an answer forced after 10 tokens would have ended at 40, the rollout ends at 12."""
    went_on = {"kind": "continued", "episodes": [(10, 10, 12)], "prefix_tokens": 10, "before_tokens": 30.0}
    one = record(**went_on, forced=[[]], answer_tokens=[0.0], js=[1.0], j_before=0.5, response_tokens=12)
    assert rollout_regret(one, 24) == pytest.approx(1 - (12 * 0.25 + 12) / 24)


def lost():
    none = {"episodes": [], "forced": [], "answer_tokens": []}
    return record(**none, kind="lost", js=[], progress=[], outcome=None, answers=0, think_tokens=0)


def test_a_lost_trace_is_counted_and_in_no_mean():
    metrics = compute_metrics([record(), lost(), lost()], budget=40)
    assert metrics == compute_metrics([record()], budget=40) | {"mrt/trace_timeouts": 2.0}


def test_the_prefix_variant():
    """Forced rollouts have no curve; one that thought on starts with its prefix; shared tokens are paid once."""
    nothing = {"forced": [], "answer_tokens": []}
    forced = record(
        **nothing, kind="forced", episodes=[], js=[], progress=[], prefix_tokens=10, inserted_tokens=4, shared_tokens=12
    )
    went_on = {"kind": "continued", "episodes": [(10, 10, 20)], "prefix_tokens": 10, "before_tokens": 6.0}
    on = record(**went_on, forced=[[]], answer_tokens=[0.0], js=[1.0], j_before=0.5, progress=[(0, 0, 0.5)])
    plain = record(**nothing, kind="fallback", episodes=[], js=[], progress=[], j_before=None)
    metrics = compute_metrics([forced, on, plain], budget=20)
    # an answer forced after the prefix of 10 ends at 16, where J is .5; the rollout ends at 20 with its outcome
    assert metrics["mrt/regret"] == pytest.approx(1 - (16 * 0.25 + 4 * 0.75) / 20)
    assert metrics["mrt/fallback_share"] == pytest.approx(1 / 3)
    assert metrics["mrt/prefix_tokens_mean"] == 10
    assert metrics["mrt/branch_tokens_ratio"] == pytest.approx(12 / (6 + 10 + 20))


def stats(worker, **counts):
    return {"worker": worker, **counts}


def test_gradings_since_the_last_step_over_all_workers():
    meter = GradingMeter()
    first = [record(grader=stats("a", graded=10, seconds=1.0)), record(grader=stats("a", graded=30, seconds=2.0))]
    assert meter.step(first).metrics()["mrt/gradings_per_second"] == 15
    second = [
        record(grader=stats("a", graded=70, cache_hits=30, seconds=4.0, restarts=1)),
        record(grader=stats("b", graded=20, cache_hits=15, seconds=1.0)),
    ]
    assert meter.step(second).metrics() == {
        "mrt/gradings_per_second": 20 + 20,
        "mrt/grade_cache_hits": 45 / 60,
        "mrt/grade_restarts": 1.0,
    }
    assert meter.step([]).metrics() == {}
    assert GraderStats(graded=3) - GraderStats(graded=1) == GraderStats(graded=2)


def test_a_warning_with_an_example_above_one_percent(caplog):
    quiet = [record(answers=100), record(answers=100, grade_timeouts=2, timeout_example="9^9^9")]
    with caplog.at_level(logging.WARNING):
        warn_of_timeouts(quiet, step=3)
        assert caplog.text == ""
        warn_of_timeouts([*quiet, record(answers=0, grade_timeouts=1, timeout_example="7^7^7")], step=4)
    assert "step 4: 3 of 200 gradings timed out (1.5 %)" in caplog.text and "'9^9^9'" in caplog.text


def spelt(probability, outcome=1.0):
    """A rollout whose last boundary has a scored reference, and one sampled answer after it."""
    return record(outcome=outcome, forced=[[("7", True, 0.9)], [("7", True, probability), ("8", True, 0.5)]])


def report(records, step=3, prover="anchored", **settings):
    return StepReport(MRTSettings(prover=prover, **settings), response_tokens=40).step(records, step)


def test_probability_of_the_reference_where_the_answer_is_right(caplog):
    records = [spelt(0.2), spelt(0.6), spelt(0.0, outcome=0.0), record(forced=[], answer_tokens=[])]
    with caplog.at_level(logging.WARNING):
        assert report(records)["mrt/reference_probability"] == pytest.approx(0.4)
        assert report([spelt(0.001)] * 7)  # too few to tell
        assert "mrt/reference_probability" not in report([spelt(0.001)] * 8, prover="sample")
        assert "mrt/reference_probability" not in report([spelt(0.001, outcome=0.0)] * 8)
    assert caplog.text == ""


def test_a_reference_the_policy_does_not_write_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        report([spelt(0.001)] * 8, step=4)
    assert "step 4: 8 rollouts end in a right answer" in caplog.text
    assert "mrt.reference_text=None has a mean probability of 0.0010" in caplog.text


def test_every_metric_is_in_the_table_and_every_one_of_the_table_is_reported():
    graded = record(grader=stats("a", graded=10, seconds=1.0), forced=[[("7", True, 0.5)]] * 2)
    assert set(report([graded])) == set(METRICS)


def test_a_steps_rollouts_are_written_to_the_trace_directory(tmp_path):
    report([record(markers=n) for n in range(3)], step=7, trace_dir=str(tmp_path / "traces"), traces_per_step=2)
    rows = [json.loads(line) for line in (tmp_path / "traces/7.jsonl").read_text().splitlines()]
    assert [(row["step"], row["markers"]) for row in rows] == [(7, 0), (7, 1)]


def test_a_step_in_which_grading_fails_ends_the_run():
    failed = record(answers=10, grade_errors=10, error_example="KeyError: 'no such unit'")
    report([failed, record(answers=10)])  # half of them, which is allowed
    with pytest.raises(GradingFailed, match=r"step 3: grading failed for 20 of 30 answers, .*=0\.5: KeyError: .no s"):
        report([failed, failed, record(answers=10)])
    report([failed, failed, record(answers=10)], max_error_share=1.0)


def test_a_step_without_outcomes_ends_the_run():
    report([record(), record(), lost(), record(outcome=None)])  # half of them, which is allowed
    expected = (
        r"step 3: 3 of 4 rollouts have no outcome, .*=0\.5: 2 traces were lost .*trace_timeout_s=9,.*grading 1 ans"
    )
    with pytest.raises(NothingToTrainOn, match=expected):
        report([record(), lost(), lost(), record(outcome=None)], trace_timeout_s=9)


def test_no_rollouts():
    assert compute_metrics([], budget=10) == {}


def test_rollouts_that_failed_have_no_record_and_count_all_the_same(caplog):
    report = StepReport(MRTSettings(), response_tokens=40)
    with caplog.at_level(logging.WARNING):
        metrics = report.step([record(), record(), lost()], 3, asked=4)
    assert (metrics["mrt/rollouts"], metrics["mrt/trace_timeouts"]) == (2, 1)
    assert "step 3: 1 of 4 rollouts failed and are not trained on" in caplog.text
    with pytest.raises(NothingToTrainOn, match=r"step 4: 13 of 16 rollouts have no outcome, .*: 13 rollouts failed"):
        report.step([record()] * 3, 4, asked=16)

"""Measures of traces and runs against numbers worked out by hand."""

import numpy as np
import pytest

from mrt_verl.evaluation import traces
from mrt_verl.evaluation.bootstrap import resample_weights
from mrt_verl.evaluation.measures import Measures, doubling
from mrt_verl.evaluation.summary import compare, summarise, summarise_run, token_efficiency
from tests.evaluation_records import answer, episode, record, run_of


def test_points_are_ends_and_the_mean_answer():
    one = record(js=(0.25, 0.75), ends=(40, 90))
    one.episodes[0].answer_tokens, one.episodes[1].answer_tokens = 5.0, 15.0
    assert traces.curve_points(one) == ([50.0, 100.0], [0.25, 0.75])


def test_a_boundary_without_known_j_is_left_out():
    assert traces.curve_points(record(js=(None, 0.75), ends=(40, 90))) == ([100.0], [0.75])


def test_a_trace_without_episodes_is_its_own_answer():
    assert traces.curve_points(record(js=(), ends=(), own=1.0, response_tokens=30)) == ([30.0], [1.0])


def test_a_trace_that_never_closed_its_thinking_keeps_its_curve():
    one = record(js=(0.5,), ends=(90,), own=0.0, closed=False)
    assert traces.curve_points(one) == ([100.0], [0.5])
    assert traces.own_score_within(one, 200) == 0.0


def test_extension_goes_on_behind_the_thinking():
    one = record(js=(0.5,), ends=(90,), extension=[episode(90, 140, 0.75)])
    assert traces.curve_points(one) == ([100.0], [0.5])
    assert traces.curve_points(one, extended=True) == ([100.0, 150.0], [0.5, 0.75])


def test_votes_count_all_their_tokens():
    one = record(js=(0.5,), ends=(90,))
    one.episodes[0].forced = [answer(1), answer(1), answer(0)]
    assert traces.majority_points(one) == ([90.0 + 3 * 10.0], [1.0])


def test_the_last_boundary_may_have_fewer_votes():
    """Three answers at 40 tokens end at 70; two at 45, where the trace's own is the third, do not end before them."""
    one = record(js=(0.5, 1.0), ends=(40, 45))
    one.episodes[0].forced = [answer(1), answer(1), answer(0)]
    one.episodes[1].forced = [answer(1), answer(1)]
    assert traces.majority_points(one) == ([70.0, 70.0], [1.0, 1.0])


def test_votes_at_each_prefix():
    one = record(js=(0.5, 1.0), ends=(40, 90))
    one.episodes[0].forced = [answer(1), answer(0), answer(1)]
    one.episodes[1].forced = []
    assert traces.prefix_votes(one, 3) == [(0, 1.0)]
    assert traces.prefix_votes(one, 8) == [(0, 1.0)]
    # pairs of right, wrong, right: 1, 1/2, 1/2
    assert traces.prefix_votes(one, 2) == [(0, pytest.approx(2 / 3))]


def test_overthinking_starts_at_the_first_j_of_nine_tenths():
    one = record(js=(0.5, 0.9, 0.25, 1.0), ends=(10, 20, 50, 80))
    assert traces.overthinking_tokens(one) == 60
    assert traces.overthinking_tokens(record(js=(0.5,), ends=(10,))) == 0


def test_own_answer_counts_within_the_budget():
    one = record(own=1.0, response_tokens=120)
    assert [traces.own_score_within(one, budget) for budget in (119, 120)] == [0.0, 1.0]


@pytest.fixture
def measures():
    """Two problems of two traces. Progress: .5 | .25, -.25 | 0 | 1."""
    first = [record(js=(0.5,), ends=(90,)), record(js=(0.25, 0.0), ends=(40, 90), own=0.0, trace=1)]
    second = [
        record(problem=1, js=(0.0,), ends=(90,), own=0.0),
        record(problem=1, js=(1.0,), ends=(30,), own=1.0, trace=1, response_tokens=50),
    ]
    return Measures(run_of([first, second]))


def test_a_runs_arrays(measures):
    np.testing.assert_allclose(measures.outcomes, [[1, 0], [0, 1]])
    # at 100 tokens: J .5 and 0; 0 and 1
    np.testing.assert_allclose(measures.success_within(100), [0.25, 0.5])
    # at 50: .25 and .25; 0 and 1
    np.testing.assert_allclose(measures.success_within(50), [0.25, 0.5])
    np.testing.assert_allclose(measures.own_within(50), [0.0, 0.5])
    # areas to 100: .5·100/2 = 25 and 50·.25/2 + 50·.125 = 12.5; 0 and 40/2 + 60 = 80
    np.testing.assert_allclose(measures.regrets(100), [1 - (25 + 12.5) / 200, 1 - 80 / 200])
    np.testing.assert_allclose(measures.pass_at(2), [1.0, 1.0])
    np.testing.assert_allclose(measures.majority_at(2), [0.5, 0.5])


def test_shares(measures):
    parts, wholes = measures.ratio_parts("losing")
    np.testing.assert_allclose([parts, wholes], [[1, 0], [3, 2]])
    parts, wholes = measures.ratio_parts("overthinking")
    np.testing.assert_allclose([parts, wholes], [[0, 0], [180, 120]])
    with pytest.raises(ValueError, match="part='winning'; allowed: losing, overthinking"):
        measures.ratio_parts("winning")


def test_progress_by_index(measures):
    (first, sums, counts), (second, sums_2, counts_2) = measures.by_index(traces.progress)
    assert (first, second) == (0, 1)
    np.testing.assert_allclose([sums, counts], [[0.75, 1.0], [2, 2]])
    np.testing.assert_allclose([sums_2, counts_2], [[-0.25, 0.0], [1, 0]])


def test_summary_of_a_run(measures):
    summary = summarise_run(measures, resample_weights(2))
    assert summary["pass@1"]["value"] == 0.5
    assert summary["losing_episodes"]["value"] == pytest.approx(1 / 5)
    assert summary["budgets"]["100"]["accuracy"]["value"] == pytest.approx(0.375)
    assert summary["accuracy_at_half_budget"] == summary["budgets"]["100"]["accuracy"]  # of 200
    assert summary["budgets"]["100"]["direct"]["k"] == 2  # 8 of 12 tokens would fit, 2 were sampled
    assert measures.direct_within(23) == 1
    assert measures.direct_within(11) == 0
    assert summary["episodes_per_trace"] == {"1": 0.75, "2": 0.25}
    assert summary["direct_maj@k"]["2"] == {"value": 0.5, "low": 0.5, "high": 0.5, "tokens": 24.0}
    # J held at its last: indices 0: .5 .25 0 1, 1: .5 0 0 1
    assert summary["cumulative_regret"] == pytest.approx([1 - 1.75 / 4, 2 - 1.75 / 4 - 1.5 / 4])
    assert summary["extrapolated"] is None


def test_extrapolation_is_summarised():
    extended = record(js=(0.5,), ends=(90,), extension=[episode(90, 140, 0.75)])
    plain = record(problem=1, js=(0.25,), ends=(90,))
    measures = Measures(run_of([[extended], [plain]]))
    assert measures.is_extended
    summary = summarise_run(measures, resample_weights(2))
    assert summary["extrapolated"]["accuracy"]["value"] == pytest.approx(0.5)
    assert summary["extrapolated"]["tokens"] == pytest.approx(125.0)


def test_token_efficiency_of_a_model_twice_as_fast():
    def run(end):
        return Measures(run_of([[record(problem=p, js=(0.8,), ends=(end - 10,))] for p in range(3)]))

    slow, fast = run(160), run(80)
    weights = resample_weights(3)
    half = token_efficiency(fast, slow, 0.5, weights)
    assert half["accuracy"] == pytest.approx(0.4)
    assert (half["method_tokens"], half["baseline_tokens"]) == pytest.approx((40.0, 80.0))
    assert half["ratio"] == pytest.approx({"value": 2.0, "low": 2.0, "high": 2.0})
    reverse = token_efficiency(slow, fast, 0.5, weights)
    assert reverse["ratio"]["value"] == pytest.approx(0.5)


def test_an_accuracy_that_is_not_reached():
    weak = Measures(run_of([[record(js=(0.25,), ends=(90,))]]))
    strong = Measures(run_of([[record(js=(1.0,), ends=(90,))]]))
    one = token_efficiency(weak, strong, 1.0, resample_weights(1))
    assert one["method_tokens"] is None
    assert one["ratio"]["value"] == 0.0
    assert one["resamples_not_reached"] == 1000
    assert compare(strong, weak, resample_weights(1))["pass@1_difference"]["value"] == 0.0


def test_summary_compares_with_the_first_run():
    runs = [Measures(run_of([[record()], [record(problem=1)]])) for _ in range(3)]
    summary = summarise(runs)
    assert len(summary["runs"]) == 3
    assert [one["pass@1_difference"]["value"] for one in summary["comparisons"]] == [0.0, 0.0]


@pytest.mark.parametrize(("most", "expected"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_doubling(most, expected):
    assert doubling(most) == expected

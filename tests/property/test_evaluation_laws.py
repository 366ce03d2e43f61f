"""Laws of the evaluation's measures."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mrt_verl.evaluation.bootstrap import resample_weights
from mrt_verl.evaluation.curves import success_at, token_grid, tokens_to_reach
from mrt_verl.evaluation.measures import Measures, regret_of_curves
from mrt_verl.evaluation.page.sentences import describe
from mrt_verl.evaluation.page.tables import make_tables
from mrt_verl.evaluation.summary import compare, summarise
from mrt_verl.evaluation.traces import curve_points
from mrt_verl.evaluation.voting import majority_at_k, pass_at_k
from mrt_verl.progress import normalised_regret
from tests.evaluation_records import record, run_of

J = st.sampled_from([n / 8 for n in range(9)])
BUDGETS = st.integers(1, 400)


@st.composite
def points(draw, least=0):
    """Tokens that do not decrease, and a J for each."""
    tokens = sorted(draw(st.lists(st.integers(0, 300), min_size=least, max_size=6)))
    return [float(t) for t in tokens], [draw(J) for _ in tokens]


@st.composite
def traces(draw, problem, trace):
    ends = sorted(draw(st.sets(st.integers(1, 180), max_size=4)))
    js = [draw(st.one_of(st.none(), J)) for _ in ends]
    own = draw(st.sampled_from([0.0, 1.0]))
    return record(problem=problem, trace=trace, ends=ends, js=js, own=own, j_before=draw(st.one_of(st.none(), J)))


@st.composite
def runs(draw, least=1, per_problem=2):
    """Problems of `per_problem` traces."""
    count = draw(st.integers(least, 4))
    return [[draw(traces(problem, trace)) for trace in range(per_problem)] for problem in range(count)]


@settings(deadline=None)
@given(curve=points(), budget=BUDGETS)
def test_regret_lies_between_0_and_1(curve, budget):
    assert 0 <= normalised_regret(*curve, budget) <= 1


@settings(deadline=None)
@given(curve=points(least=1), budget=BUDGETS, place=st.integers(0, 5))
def test_an_episode_without_progress_and_tokens_changes_nothing(curve, budget, place):
    tokens, js = curve
    place = min(place, len(tokens) - 1)
    longer = tokens[: place + 1] + tokens[place:], js[: place + 1] + js[place:]
    assert normalised_regret(*longer, budget) == pytest.approx(normalised_regret(*curve, budget))
    grid = token_grid(budget, 33)
    np.testing.assert_allclose(success_at(*longer, grid), success_at(*curve, grid))


@settings(deadline=None)
@given(curve=points(), higher=st.integers(0, 5), budget=BUDGETS)
def test_more_success_never_means_more_regret(curve, higher, budget):
    tokens, js = curve
    assume(tokens)
    better = list(js)
    better[min(higher, len(js) - 1)] = 1.0
    assert normalised_regret(tokens, better, budget) <= normalised_regret(tokens, js, budget) + 1e-12


@settings(deadline=None)
@given(curve=points(), budget=st.integers(10, 400))
def test_regret_of_a_grid_agrees_with_the_exact_one(curve, budget):
    grid = token_grid(budget, 2001)
    on_grid = regret_of_curves(grid, success_at(*curve, grid)[None])[0, -1]
    assert on_grid == pytest.approx(normalised_regret(*curve, budget), abs=2e-3)


@settings(deadline=None)
@given(curve=points(least=1), target=J)
def test_success_at_the_tokens_to_reach_it(curve, target):
    grid = token_grid(400, 401)
    curves = success_at(*curve, grid)[None]
    tokens = tokens_to_reach(grid, curves, target)[0]
    if np.isinf(tokens):
        assert curves.max() < target
    else:
        assert np.interp(tokens, grid, curves[0]) == pytest.approx(max(target, curves[0, 0]))
        assert (curves[0, grid < tokens - 1e-9] < target).all()


@settings(deadline=None, max_examples=30)
@given(problems=runs(least=2), seed=st.integers(0, 99))
def test_the_order_of_problems_changes_no_measure(problems, seed):
    order = np.random.default_rng(seed).permutation(len(problems))
    here, there = (summarise([Measures(run_of(p))], 20)["runs"][0] for p in (problems, [problems[i] for i in order]))
    for key in ("pass@1", "accuracy_at_half_budget", "losing_episodes", "overthinking"):
        assert here[key]["value"] == pytest.approx(there[key]["value"])
    for budget, values in here["budgets"].items():
        for key, one in values.items():
            assert one["value"] == pytest.approx(there["budgets"][budget][key]["value"])
    assert here["cumulative_regret"] == pytest.approx(there["cumulative_regret"])


@settings(deadline=None, max_examples=30)
@given(problems=runs())
def test_a_model_compared_with_itself(problems):
    measures = Measures(run_of(problems))
    one = compare(measures, measures, resample_weights(len(problems), 50))
    for row in one["token_efficiency"]:
        assert row["ratio"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert one["pass@1_difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert all(value == {"value": 0.0, "low": 0.0, "high": 0.0} for value in one["regret_difference"].values())


@settings(deadline=None, max_examples=20)
@given(first=runs(per_problem=1), second=runs(per_problem=1))
def test_efficiency_turned_round_is_its_inverse_at_a_common_accuracy(first, second):
    """At the accuracy both reach, the two directions of tokens needed are each other's inverse."""
    grid = token_grid(200, 201)
    a, b = (Measures(run_of(p)).curves(grid).mean(axis=0)[None] for p in (first, second))
    target = min(a.max(), b.max())
    forth, back = (tokens_to_reach(grid, curve, target)[0] for curve in (a, b))
    assume(forth > 0 and back > 0)
    assert (forth / back) * (back / forth) == pytest.approx(1.0)
    assert np.isfinite([forth, back]).all()


@settings(deadline=None, max_examples=30)
@given(problems=runs())
def test_every_summary_can_be_described(problems):
    others = [[record(problem=index, ends=(50,), js=(0.5,))] * 2 for index in range(len(problems))]
    summary = summarise([Measures(run_of(problems)), Measures(run_of(others))], 10)
    texts = describe(summary)
    thinks = any(one.episodes for traces in problems for one in traces)
    assert len(texts) == (1 if thinks else 2)
    for table in make_tables(summary):
        assert all(len(row) == len(table.header) for row in table.rows)
        texts += [cell for row in table.rows for cell in row]
    assert not any(word in text for text in texts for word in ("None", "nan"))


@settings(deadline=None)
@given(answers=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=6), k=st.integers(1, 6))
def test_votes_lie_between_0_and_1_and_one_vote_is_the_mean(answers, k):
    assume(k <= len(answers))
    scores = [float(answer == "a") for answer in answers]
    assert 0 <= majority_at_k(answers, scores, k) <= 1
    assert majority_at_k(answers, scores, 1) == pytest.approx(np.mean(scores))


@settings(deadline=None)
@given(count=st.integers(1, 12), right=st.integers(0, 12), k=st.integers(1, 12))
def test_pass_at_k_grows_with_k_and_starts_at_the_mean(count, right, k):
    assume(right <= count and k < count)
    assert pass_at_k(count, right, 1) == pytest.approx(right / count)
    assert pass_at_k(count, right, k) <= pass_at_k(count, right, k + 1) + 1e-12


@settings(deadline=None)
@given(one=traces(0, 0))
def test_a_traces_points_never_go_back(one):
    tokens, js = curve_points(one)
    assert (np.diff([0, *tokens]) >= 0).all()
    assert all(0 <= j <= 1 for j in js)

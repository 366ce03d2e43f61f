"""Curves, regret and tokens to reach an accuracy, against numbers worked out by hand."""

import numpy as np
import pytest

from mrt_verl.evaluation.curves import cumulative_regrets, hold_last, success_at, token_grid, tokens_to_reach
from mrt_verl.evaluation.measures import regret_of_curves
from mrt_verl.progress import normalised_regret

FLAT = ([100.0, 200.0], [0.5, 0.5])
STEP = ([100.0, 100.0], [0.0, 1.0])
RISING = ([40.0, 80.0], [0.5, 0.25])


@pytest.mark.parametrize(
    ("points", "at", "expected"),
    [
        # a line from (0, 0) to the first point, then flat
        (FLAT, [0, 50, 100, 150, 500], [0.0, 0.25, 0.5, 0.5, 0.5]),
        # two points at the same tokens: the curve jumps there
        (STEP, [50, 99, 101, 200], [0.0, 0.0, 1.0, 1.0]),
        (RISING, [20, 40, 60, 80, 90], [0.25, 0.5, 0.375, 0.25, 0.25]),
        # a single point
        (([10.0], [1.0]), [5, 10, 20], [0.5, 1.0, 1.0]),
        # an answer that cost nothing
        (([0.0], [0.5]), [1, 10], [0.5, 0.5]),
        # no point at all
        (([], []), [1, 10], [0.0, 0.0]),
    ],
)
def test_success_at(points, at, expected):
    np.testing.assert_allclose(success_at(*points, at), expected)


def test_regret_of_a_grid_is_the_integral():
    grid = token_grid(100, points=101)
    curves = np.array([success_at(*RISING, grid), success_at(*FLAT, grid)])
    regrets = regret_of_curves(grid, curves)
    assert regrets.shape == (2, 100)
    # budget below the first point: (0,0)-(20,.25) has area 2.5 of 20
    assert regrets[0, 19] == pytest.approx(1 - 2.5 / 20)
    # crossing the budget between two points: 10 + 20 * .4375 = 18.75 of 60
    assert regrets[0, 59] == pytest.approx(1 - 18.75 / 60)
    assert regrets[0, 99] == pytest.approx(normalised_regret(*RISING, 100))
    assert regrets[1, 99] == pytest.approx(normalised_regret(*FLAT, 100))


def test_tokens_to_reach():
    grid = np.array([0.0, 10.0, 20.0, 30.0])
    curves = np.array(
        [
            [0.0, 0.2, 0.4, 0.4],
            [0.0, 0.0, 0.5, 1.0],
            [0.3, 0.3, 0.3, 0.3],
            [0.0, 0.1, 0.1, 0.1],
            [0.0, 0.6, 0.0, 0.9],  # the first time counts
        ]
    )
    np.testing.assert_allclose(tokens_to_reach(grid, curves, 0.3), [15.0, 16.0, 0.0, np.inf, 5.0])
    np.testing.assert_allclose(tokens_to_reach(grid, curves[:2], [0.4, 1.0]), [20.0, 30.0])
    np.testing.assert_allclose(tokens_to_reach(grid, curves[:1], 0.0), [0.0])


def test_cumulative_regret_holds_the_last_j():
    # J of two traces: .5, 1 and 0; per index the mean of (.5, 0) (1, 0) (1, 0): regrets .75, .5, .5
    np.testing.assert_allclose(cumulative_regrets([[0.5, 1.0], [0.0]], 3), [0.75, 1.25, 1.75])
    # a trace without any J counts as 0
    np.testing.assert_allclose(cumulative_regrets([[], [1.0]], 1), [0.5])
    np.testing.assert_allclose(cumulative_regrets([[0.5]], 2, best=0.5), [0.0, 0.0])


def test_hold_last_cuts_and_fills():
    np.testing.assert_allclose(hold_last([[1, 2, 3], [4]], 2), [[1, 2], [4, 4]])


def test_a_jump_at_the_budget_itself_has_no_area():
    # J is 0 up to 10 tokens and jumps there: what lies before the budget is all regret
    assert normalised_regret([10, 10], [0.0, 0.5], 10) == 1.0
    assert normalised_regret([10, 10], [0.0, 0.5], 20) == pytest.approx(1 - 5 / 20)

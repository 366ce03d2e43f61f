"""The bootstrap over problems."""

import numpy as np
import pytest

from mrt_verl.evaluation.bootstrap import estimate, mean_estimate, ratio_estimate, resample_weights


def test_weights_are_shares_of_whole_problems():
    weights = resample_weights(5, resamples=40)
    assert weights.shape == (40, 5)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(weights * 5, np.round(weights * 5))
    np.testing.assert_array_equal(weights, resample_weights(5, resamples=40))


def test_percentile_interval():
    one = estimate(7.0, np.arange(1000))
    assert (one.value, one.low, one.high) == (7.0, 24.0, 975.0)  # 2.5 % of the 999 steps below and above


def test_infinite_resamples_are_the_largest():
    few = estimate(1.0, [1.0] * 990 + [np.inf] * 10)
    assert few.high == 1.0
    many = estimate(1.0, [1.0] * 900 + [np.inf] * 100)
    assert many.high == np.inf
    assert many.to_dict() == {"value": 1.0, "low": 1.0, "high": None}


def test_interval_of_a_mean_has_the_width_of_its_standard_error():
    values = np.tile([0.0, 1.0], 200)  # standard error of the mean of 400: 0.5 / 20 = 0.025
    one = mean_estimate(values, resample_weights(400, resamples=4000))
    assert one.value == 0.5
    assert one.high - one.low == pytest.approx(2 * 1.96 * 0.025, rel=0.1)


def test_ratio_is_of_sums():
    weights = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    one = ratio_estimate([1.0, 3.0], [2.0, 2.0], weights)
    assert (one.value, one.low, one.high) == (1.0, 0.5, 1.5)
    nothing = ratio_estimate([0.0, 0.0], [0.0, 0.0], weights)
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)


def test_no_problem_is_an_error():
    with pytest.raises(ValueError, match="0 problems; allowed: 1 or more"):
        resample_weights(0)

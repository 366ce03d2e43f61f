"""The soak's arithmetic, on samples whose growth is known."""

import numpy as np
import pytest

from tests.faults.soak import report, slope


def samples(growth, pieces=2, noise=1.0):
    random = np.random.default_rng(0)
    return [
        {
            "piece": piece,
            "step": step,
            "kinds": {"trainer": [1000 + 50 * piece + growth * step + random.normal(0, noise), 9, 4, 500]},
        }
        for piece in range(pieces)
        for step in range(100 * piece, 100 * piece + 100)
    ]


def test_a_slope_by_hand():
    assert slope([0] * 5, [0, 1, 2, 3, 4], [1, 3, 5, 7, 9]) == pytest.approx((2, 0), abs=1e-9)
    assert slope([0] * 3, [0, 1, 2], [1, 3, 5]) is None


def test_a_resume_is_no_growth():
    """Each piece starts higher than the last one, and stays there."""
    lines, is_flat = report(samples(0.0))
    assert is_flat and not any("grows" in line for line in lines)


def test_growth_is_found():
    lines, is_flat = report(samples(0.1))
    assert not is_flat
    (line,) = [line for line in lines if "grows" in line]
    assert line.startswith("| trainer | resident MB |")
    per_1000 = float(line.split("|")[5].split("[")[0])
    assert per_1000 == pytest.approx(100, rel=0.1)

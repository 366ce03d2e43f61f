"""Progress, credit and regret against numbers worked out by hand."""

import sys
import types

import numpy as np
import pytest

from mrt_verl.progress import (
    CREDITS,
    ProgressStep,
    compute_credit,
    compute_progress,
    cumulative_regret,
    normalised_regret,
    paper_regret,
)


def test_progress_is_the_change_of_j():
    assert compute_progress(0.25, [0.5, 0.5, 0.25, 1.0]) == [
        ProgressStep(0, 0, 0.25),
        ProgressStep(1, 1, 0.0),
        ProgressStep(2, 2, -0.25),
        ProgressStep(3, 3, 0.75),
    ]


@pytest.mark.parametrize(
    ("j_before", "js", "expected"),
    [
        # the episode that ends at an unknown J is paid together with the next one
        (0.0, [0.25, None, 0.75], [ProgressStep(0, 0, 0.25), ProgressStep(1, 2, 0.5)]),
        (0.0, [None, None, 0.5], [ProgressStep(0, 2, 0.5)]),
        # after the last known J nothing is paid
        (0.5, [1.0, None], [ProgressStep(0, 0, 0.5)]),
        # without J_{-1} counting starts at the first known J
        (None, [0.25, 0.75], [ProgressStep(1, 1, 0.5)]),
        (None, [None, 0.5, None, 0.25], [ProgressStep(2, 3, -0.25)]),
        (None, [0.5], []),
        (None, [], []),
        (0.5, [], []),
        (0.5, [None], []),
    ],
)
def test_unknown_j_merges_episodes(j_before, js, expected):
    assert compute_progress(j_before, js) == expected


# the second row has two episodes; 9 is padding
PROGRESS = np.array([[0.5, -0.25, 0.75], [0.5, 0.25, 9.0]], dtype=np.float32)
MASK = np.array([[1, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize("mask", [MASK, MASK.astype(bool), MASK.astype(float)])
@pytest.mark.parametrize(
    ("credit", "gamma", "expected"),
    [
        ("progress", 0.5, [[0.5, -0.25, 0.75], [0.5, 0.25, 0.0]]),
        ("to_go", 1.0, [[1.0, 0.5, 0.75], [0.75, 0.25, 0.0]]),
        # 0.5 - 0.25/2 + 0.75/4 = 0.5625; -0.25 + 0.75/2 = 0.125; 0.5 + 0.25/2 = 0.625
        ("to_go", 0.5, [[0.5625, 0.125, 0.75], [0.625, 0.25, 0.0]]),
        # weights (k - m)/k: 1, 2/3, 1/3: 0.5 - 0.5/3 + 0.25 = 7/12; -0.5/3 + 0.25 = 1/12; 0.25
        # weights 1, 1/2: 0.5 + 0.125 = 0.625; 0.125
        ("regret", 0.5, [[7 / 12, 1 / 12, 0.25], [0.625, 0.125, 0.0]]),
        # J less J_{-1}: 0, 0.5, 0.25, 1 with medians 0, 0.25, 0.5, 1; and 0, 0.5, 0.75, its own medians
        ("median", 0.5, [[0.25, 0.25, 0.5], [0.5, 0.25, 0.0]]),
    ],
)
def test_credit(mask, credit, gamma, expected):
    found = compute_credit(PROGRESS, mask, credit, gamma)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("credit", CREDITS)
def test_credit_of_rows_without_episodes(credit):
    assert not compute_credit(np.ones((2, 3)), np.zeros((2, 3)), credit, 1.0).any()
    assert compute_credit(np.zeros((2, 0)), np.zeros((2, 0)), credit, 1.0).shape == (2, 0)


@pytest.mark.parametrize(
    ("js", "expected"),
    [
        ([0.1, 0.1, 0.7, 0.1, 0.1], [0.0, 0.0, 0.0, 0.0]),  # a spike pays nobody, and costs nobody
        ([0.1, 0.1, 0.9, 0.9], [0.0, 0.8, 0.0]),  # a step is paid where it is
        ([0.9, 0.1, 0.9], [0.0, 0.0]),  # a dip neither
        ([0.1, 0.1, 0.9], [0.0, 0.8]),  # the last J is what the trace ends with, and stays
        ([0.1, 0.9], [0.8]),
    ],
)
def test_a_j_that_does_not_last_pays_nobody(js, expected):
    progress = np.diff([js])
    found = compute_credit(progress, np.ones_like(progress), "median")
    np.testing.assert_allclose(found, [expected], atol=1e-12)
    np.testing.assert_allclose(found.sum(), js[-1] - js[0])


def test_an_unknown_credit_is_an_error():
    with pytest.raises(
        ValueError, match=r"mrt\.credit='centred'; allowed: progress, to_go, regret, median, or package"
    ):
        compute_credit(PROGRESS, MASK, "centred", 1.0)


def double(progress, mask, gamma):
    return 2 * progress + 1  # what is not an episode is masked by the caller


def test_a_credit_of_ones_own(monkeypatch):
    monkeypatch.setitem(sys.modules, "own_credits", types.SimpleNamespace(double=double))
    np.testing.assert_allclose(compute_credit(PROGRESS, MASK, "own_credits:double"), [[2.0, 0.5, 2.5], [2.0, 1.5, 0.0]])
    with pytest.raises(ValueError, match=r"mrt\.credit='own_credits:triple': .*triple.*; allowed: progress"):
        compute_credit(PROGRESS, MASK, "own_credits:triple")


def test_cumulative_regret():
    assert cumulative_regret([0.25, 0.5, 1.0]) == 0.75 + 0.5
    assert cumulative_regret([0.25, 0.5], best=0.5) == 0.25
    assert cumulative_regret([]) == 0.0


@pytest.mark.parametrize(
    ("tokens", "js", "budget", "expected"),
    [
        # triangle to (100, 1), then flat: area 50 + 100 of 200
        ([100], [1.0], 200, 1 - 150 / 200),
        # cut inside the triangle, J(50) = 0.5: area 12.5 of 50
        ([100], [1.0], 50, 1 - 12.5 / 50),
        # (0,0) (40,.5) (80,.25), cut at 60 where J = .375: 10 + 20·.4375 = 18.75
        ([40, 80], [0.5, 0.25], 60, 1 - 18.75 / 60),
        # cut exactly at a point
        ([40, 80], [0.5, 0.25], 40, 1 - 10 / 40),
        # flat after the last: 10 + 40·.375 + 20·.25 = 30
        ([40, 80], [0.5, 0.25], 100, 1 - 30 / 100),
        # an answer without any token spent: J jumps at 0
        ([0], [0.5], 10, 0.5),
        ([], [], 100, 1.0),
    ],
)
def test_normalised_regret(tokens, js, budget, expected):
    assert normalised_regret(tokens, js, budget) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("tokens", "js", "budget", "message"),
    [
        ([10], [0.5], 0, "budget=0"),
        ([10], [0.5], -1, "budget=-1"),
        ([10, 5], [0.5, 0.5], 20, "do not decrease"),
        ([-1], [0.5], 20, "do not decrease"),
        ([10], [], 20, "as many of each"),
    ],
)
def test_regret_of_nonsense_is_an_error(tokens, js, budget, message):
    with pytest.raises(ValueError, match=message):
        normalised_regret(tokens, js, budget)


def test_the_papers_regret_starts_at_the_answer_without_thinking():
    """From token 10 + 20 to 110: 40 tokens from .1 to .5, 40 from .5 to 1; an area of 12 + 30 of 80."""
    points = ([60.0, 100.0], [0.5, 1.0])
    assert paper_regret(points, (20.0, 0.1), 10, 110) == pytest.approx(1 - 42 / 80)
    # without any point after it J stays what it was
    assert paper_regret(([], []), (20.0, 0.1), 10, 110) == pytest.approx(0.9)
    assert paper_regret(points, (20.0, 0.1), 100, 110) == pytest.approx(0.9)  # the budget is spent by then
    # a point that costs less than the answer without thinking stands beside it
    assert paper_regret(([5.0], [0.7]), (20.0, 0.1), 10, 110) == pytest.approx(0.3)

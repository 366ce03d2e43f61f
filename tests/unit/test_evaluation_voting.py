"""pass@k and maj@k against numbers worked out by hand."""

import pytest

from mrt_verl.evaluation.voting import majority_at_k, majority_score, pass_at_k


@pytest.mark.parametrize(
    ("answers", "right", "k", "expected"),
    [
        (4, 1, 1, 1 / 4),
        # one of C(4, 2) = 6 pairs has none of the three right ones … C(3, 2) = 3 pairs miss the one right
        (4, 1, 2, 1 - 3 / 6),
        (4, 2, 2, 1 - 1 / 6),
        (4, 0, 4, 0.0),
        (4, 1, 4, 1.0),
        (4, 3, 2, 1.0),
    ],
)
def test_pass_at_k(answers, right, k, expected):
    assert pass_at_k(answers, right, k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answers", "scores", "expected"),
    [
        (["a", "a", "b"], [1.0, 1.0, 0.0], 1.0),
        (["a", "b", "b"], [1.0, 0.0, 0.0], 0.0),
        # a tie is shared
        (["a", "b"], [1.0, 0.0], 0.5),
        (["a", "b", "c"], [1.0, 0.0, 0.0], 1 / 3),
        # answers that are not there do not vote
        ([None, None, "a"], [0.0, 0.0, 1.0], 1.0),
        ([None], [0.0], 0.0),
        # a timeout's grade of an answer that was graded elsewhere
        (["a", "a"], [1.0, 0.0], 0.5),
    ],
)
def test_majority_score(answers, scores, expected):
    assert majority_score(answers, scores) == pytest.approx(expected)


def test_majority_of_subsets():
    answers, scores = ["a", "a", "b"], [1.0, 1.0, 0.0]
    # pairs: aa → 1, ab → 1/2, ab → 1/2
    assert majority_at_k(answers, scores, 2) == pytest.approx(2 / 3)
    assert majority_at_k(answers, scores, 1) == pytest.approx(2 / 3)
    assert majority_at_k(answers, scores, 3) == 1.0


def test_many_subsets_are_drawn_with_a_seed():
    answers, scores = ["a"] * 6 + ["b"] * 6, [1.0] * 6 + [0.0] * 6
    value = majority_at_k(answers, scores, 6)  # 924 subsets; by symmetry the exact value is 1/2
    assert value == majority_at_k(answers, scores, 6)
    assert value == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("k", [0, 4])
def test_k_out_of_range(k):
    with pytest.raises(ValueError, match=rf"k={k} of 3 answers; allowed: 1 … 3"):
        pass_at_k(3, 1, k)
    with pytest.raises(ValueError, match=rf"k={k} of 3 answers; allowed: 1 … 3"):
        majority_at_k(["a", "b", "c"], [1.0, 0.0, 0.0], k)

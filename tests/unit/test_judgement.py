"""J from graded answers: plain means, Horvitz-Thompson sums and likelihoods."""

import itertools
import math

import pytest

from mrt_verl.grading.grades import NO_ANSWER, RIGHT, WRONG, Grade, Verdict
from mrt_verl.judgement import estimate_j, horvitz_thompson_weights, judge
from mrt_verl.rollout_record import RolloutRecord

TIMEOUT = Grade(Verdict.TIMEOUT, 0.0)


def record(**changes):
    values = {
        "episodes": [(0, 0, 4), (4, 5, 9)],
        "answer_start": 10,
        "finished": True,
        "think_tokens": 9,
        "response_tokens": 14,
        "markers": 1,
    }
    return RolloutRecord(**{**values, **changes})


@pytest.mark.parametrize(
    ("grades", "weights", "expected"),
    [
        ([RIGHT, WRONG, NO_ANSWER, RIGHT], None, 0.5),
        ([RIGHT, TIMEOUT], None, 1.0),
        ([TIMEOUT], None, None),
        ([], None, None),
        ([RIGHT, WRONG, RIGHT], [0.5, 0.3, 0.0], 0.5),
        ([RIGHT], [0.0], 0.0),  # a reference answer of next to no probability
        ([RIGHT, TIMEOUT, WRONG], [0.4, 0.2, 0.2], 0.4 / 0.6 * 0.8),
        ([TIMEOUT, RIGHT], [0.5, 0.0], None),
        ([], [], None),
    ],
)
def test_estimate_j(grades, weights, expected):
    assert estimate_j(grades, weights) == (None if expected is None else pytest.approx(expected))


def test_horvitz_thompson_weights_by_hand():
    weights = horvitz_thompson_weights(
        [[1, 2], [3], [1, 2], [4]], [math.log(0.5), math.log(0.25), math.log(0.5), -80.0]
    )
    assert weights[:3] == pytest.approx([0.5 / (1 - 0.5**4), 0.25 / (1 - 0.75**4), 0.0])
    assert weights[3] == pytest.approx(1 / 4)  # its limit for a rare answer
    assert horvitz_thompson_weights([[7], [7]], [0.0, 1e-7]) == [1.0, 0.0]  # certain, and rounded above 1


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_horvitz_thompson_is_unbiased(count):
    """The expectation over all draws of `count` answers, each of its own probability, is J exactly."""
    probabilities, right = [0.5, 0.3, 0.15, 0.05], [False, True, False, True]
    expectation = 0.0
    for draw in itertools.product(range(4), repeat=count):
        chance = math.prod(probabilities[answer] for answer in draw)
        weights = horvitz_thompson_weights([[answer] for answer in draw], [math.log(probabilities[a]) for a in draw])
        expectation += chance * estimate_j([RIGHT if right[answer] else WRONG for answer in draw], weights)
    assert expectation == pytest.approx(0.35)


def test_the_own_answer_is_a_sample_of_the_last_boundary():
    forced = [[("a", True, None), ("b", True, None)], [("a", True, None)]]
    judged = record(forced=forced, forced_before=[("c", True, None)], own_is_sample=True)
    judge(judged, RIGHT, [[RIGHT, WRONG], [WRONG]], [WRONG], alpha=0.5)
    assert (judged.j_before, judged.js) == (0.0, [0.5, 0.5])
    assert judged.progress == [(0, 0, 0.5), (1, 1, 0.0)]
    assert (judged.outcome, judged.alpha, judged.answers) == (1.0, 0.5, 5)


def test_weighted_answers_leave_the_own_answer_out():
    forced = [[("a", True, 0.6), ("b", True, 0.4)], [("a", True, 1.0)]]
    judged = record(forced=forced, forced_before=[("a", True, 0.1), ("a", True, 0.0)])
    judge(judged, WRONG, [[RIGHT, WRONG], [RIGHT]], [RIGHT, RIGHT], alpha=1.0)
    assert judged.js == pytest.approx([0.6, 1.0])
    assert [value for *_, value in judged.progress] == pytest.approx([0.5, 0.4])


def test_a_rollout_that_thought_on_is_paid_outcome_minus_j():
    """Also one that never closed its thinking: it has no answer, so its outcome of 0 is known."""
    for own, expected in ((RIGHT, 0.75), (WRONG, -0.25), (NO_ANSWER, -0.25)):
        judged = record(kind="continued", episodes=[(4, 4, 14)], forced=[[]], own_is_sample=True)
        judged.forced_before = [("x", True, None)] * 4
        judge(judged, own, [[]], [WRONG, RIGHT, WRONG, WRONG], alpha=1.0)
        assert judged.progress == [(0, 0, expected)]

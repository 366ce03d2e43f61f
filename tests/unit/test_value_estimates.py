"""J from graded answers: plain means, Horvitz-Thompson sums and likelihoods."""

import itertools
import math

import pytest

from mrt_verl.grading.grades import NO_ANSWER, RIGHT, WRONG, Grade, Verdict
from mrt_verl.provers import ForcedAnswer
from mrt_verl.provers.ht import horvitz_thompson_weights
from mrt_verl.rollout_record import BranchPart
from mrt_verl.value_estimates import estimate_j, estimate_values

TIMEOUT = Grade(Verdict.TIMEOUT, 0.0)


def answers(*pairs):
    """(text, weight) -> forced answers that ended by themselves."""
    return [ForcedAnswer(text, True, weight) for text, weight in pairs]


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
    forced = [answers(("a", None), ("b", None)), answers(("a", None))]
    branches = BranchPart(forced=forced, forced_before=answers(("c", None)), own_is_sample=True)
    values = estimate_values(branches, RIGHT, [[RIGHT, WRONG], [WRONG]], [WRONG], alpha=0.5)
    assert (values.j_before, values.js) == (0.0, [0.5, 0.5])
    assert values.progress == [(0, 0, 0.5), (1, 1, 0.0)]
    assert (values.outcome, values.alpha) == (1.0, 0.5)


def test_weighted_answers_leave_the_own_answer_out():
    forced = [answers(("a", 0.6), ("b", 0.4)), answers(("a", 1.0))]
    branches = BranchPart(forced=forced, forced_before=answers(("a", 0.1), ("a", 0.0)))
    values = estimate_values(branches, WRONG, [[RIGHT, WRONG], [RIGHT]], [RIGHT, RIGHT], alpha=1.0)
    assert values.js == pytest.approx([0.6, 1.0])
    assert [value for *_, value in values.progress] == pytest.approx([0.5, 0.4])


def test_a_rollout_that_thought_on_is_paid_outcome_minus_j():
    """Also one that never closed its thinking: it has no answer, so its outcome of 0 is known."""
    for own, expected in ((RIGHT, 0.75), (WRONG, -0.25), (NO_ANSWER, -0.25)):
        branches = BranchPart(forced=[[]], forced_before=answers(*[("x", None)] * 4), own_is_sample=True)
        values = estimate_values(branches, own, [[]], [WRONG, RIGHT, WRONG, WRONG], alpha=1.0)
        assert values.progress == [(0, 0, expected)]

"""J from graded answers: plain means, Horvitz-Thompson sums and likelihoods."""

import itertools
import math

import pytest

from mrt_verl.grading.grades import NO_ANSWER, RIGHT, WRONG, Grade, Verdict
from mrt_verl.provers import ForcedAnswer
from mrt_verl.provers.base import Sample
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


def sample(ids, probabilities, stem_tokens=None):
    """A sample of tokens with their probabilities; its answer ends with its last token unless told otherwise."""
    log_probs = tuple(-80.0 if p == 0.0 else math.log(p) for p in probabilities)
    return Sample(tuple(ids), log_probs, {}, len(ids) - 1 if stem_tokens is None else stem_tokens)


def test_horvitz_thompson_weights_by_hand():
    drawn = [sample([1, 9], [0.5, 1]), sample([3, 9], [0.25, 1]), sample([1, 8], [0.5, 0.1]), sample([4, 9], [0.0, 1])]
    weights = horvitz_thompson_weights(drawn)
    # 9 and 8 both end the answer 1: one stem, whose weight the two share
    half = 0.5 / (1 - 0.5**4) / 2
    assert weights[:3] == pytest.approx([half, 0.25 / (1 - 0.75**4), half])
    assert weights[3] == pytest.approx(1 / 4)  # its limit for a rare answer
    certain = [sample([7, 9], [1.0, 1.0]), sample([7, 9], [1.0000001, 1.0])]  # rounded above 1
    assert horvitz_thompson_weights(certain) == pytest.approx([0.5, 0.5])


def test_a_sample_that_goes_on_after_the_stem_takes_its_share():
    """7 is drawn by both, and one of them goes on to 72: as likely as not an answer 7 ends there."""
    drawn = [sample([7, 9], [0.6, 0.3]), sample([7, 2, 9], [0.6, 0.5, 1.0])]
    weights = horvitz_thompson_weights(drawn)
    assert weights == pytest.approx([0.6 / (1 - 0.4**2) / 2, 0.3 / (1 - 0.7**2)])


def test_an_answer_that_does_not_end_is_all_stem():
    (weight,) = horvitz_thompson_weights([sample([7, 2], [0.6, 0.5], stem_tokens=2)])
    assert weight == pytest.approx(1.0)  # 0.3 / 0.3: of one draw the plain mean


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_horvitz_thompson_is_unbiased(count):
    """The expectation over all draws of `count` answers is J exactly, however they close or go on."""
    answers_of = [
        ("1}", sample([1, 9], [0.5, 0.4])),
        ("1}", sample([1, 8], [0.5, 0.2])),
        ("12}", sample([1, 2, 9], [0.5, 0.4, 0.75])),
        ("12}", sample([1, 2, 7, 9], [0.5, 0.4, 0.25, 1.0], stem_tokens=2)),
        ("3}", sample([3, 9], [0.3, 1.0])),
        ("4…", sample([4, 4], [0.2, 1.0], stem_tokens=2)),
    ]
    chances = [math.exp(sum(one.log_probs)) for _, one in answers_of]
    assert sum(chances) == pytest.approx(1.0)
    expectation = {"1}": 0.0, "12}": 0.0, "3}": 0.0}
    for draw in itertools.product(answers_of, repeat=count):
        chance = math.prod(math.exp(sum(one.log_probs)) for _, one in draw)
        weights = horvitz_thompson_weights([one for _, one in draw])
        for right in expectation:
            grades = [RIGHT if text == right else WRONG for text, _ in draw]
            expectation[right] += chance * estimate_j(grades, weights)
    assert expectation == pytest.approx({"1}": 0.3, "12}": 0.2, "3}": 0.3})


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

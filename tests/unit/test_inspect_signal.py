"""The noise of progress where a trace's own answer is one of its last boundary's samples."""

import random
from dataclasses import replace

import pytest

from mrt_verl.inspect.advice import verdict
from mrt_verl.inspect.describe import describe_findings
from mrt_verl.inspect.signal import Signal, answers_at, measure_signal, noise_variance
from mrt_verl.settings import MRTSettings
from tests.evaluation_records import answer, episode, record
from tests.inspections import finding


def answers(*scores):
    return [answer(score) for score in scores]


def test_noise_of_a_mean_of_grades():
    """Of four answers, two right: 0.5 * 0.5 / 3."""
    four = answers(1, 1, 0, 0)
    assert noise_variance(four) == pytest.approx(1 / 12)
    assert noise_variance(four[:1]) is None
    assert noise_variance([replace(answer(1), weight=0.5)] * 2) is None


def test_few_episodes_tell_nothing():
    """Four equal steps of spread 0.2: their variance is known to 163 % of itself."""
    few = Signal(0.5, 0.2, 0.6, 0.5, 4, 0.2, 0.1, 0.5, 0.5, 0.0)
    assert few.true_std == pytest.approx(0.03**0.5)
    assert few.true_range == (0.0, pytest.approx((0.04 * (1 + 2 * (2 / 3) ** 0.5) - 0.01) ** 0.5))
    many = replace(few, steps=801)  # to 10 %
    assert many.true_range == (pytest.approx(0.026**0.5), pytest.approx(0.034**0.5))
    assert replace(few, steps=1).true_range[0] == 0.0 and replace(few, progress_std=0.0).true_range == (0.0, 0.0)


def one_episode(forced, own, before, **changes):
    """A trace of one episode, whose J is the mean of its forced answers and its own."""
    samples = [*forced, own] if changes.get("closed", True) else forced
    j = sum(samples) / len(samples)
    direct = sum(before) / len(before)
    found = record(js=(j,), ends=(90,), own=own, before=answers(*before), j_before=direct, **changes)
    found.episodes = [episode(0, 90, j, answers=answers(*forced))]
    return found


def test_two_answers_by_hand():
    """G = 2: one forced and the trace's own, J = 1/2 with variance 1/4; before it 1/4 of four, 3/16 / 3 = 1/16."""
    closed = one_episode([1], 0.0, [1, 0, 0, 0])
    assert [one.score for one in answers_at(closed, 0)] == [1.0, 0.0]
    assert measure_signal([[closed]], 200).noise_std == pytest.approx((1 / 4 + 1 / 16) ** 0.5)
    cut = one_episode([1, 0], 0.0, [1, 0, 0, 0], closed=False)  # its own answer is no sample
    assert len(answers_at(cut, 0)) == 2
    assert measure_signal([[cut]], 200).noise_std == pytest.approx((1 / 4 + 1 / 16) ** 0.5)
    two = record(js=(0.5, 1.0), ends=(50, 90), own=1.0)
    assert [len(answers_at(two, number)) for number in (0, 1)] == [1, 2]


def test_weighted_and_ungraded_answers():
    weighted = one_episode([1], 1.0, [1, 0])
    weighted.episodes[0].forced = [replace(answer(1), weight=0.5)]
    assert len(answers_at(weighted, 0)) == 1 and noise_variance(answers_at(weighted, 0)) is None
    lost = [*answers(1, 0), replace(answer(0), verdict="timeout"), replace(answer(0), verdict="error")]
    assert noise_variance(lost) == pytest.approx(1 / 4)


@pytest.mark.parametrize("count", [2, 4])
def test_chance_alone_is_not_taken_for_signal(count):
    """J is 1/2 wherever it is asked: beyond chance there is nothing."""
    draw = random.Random(4)

    def flips(number):
        return [float(draw.random() < 0.5) for _ in range(number)]

    problems = [[one_episode(flips(count - 1), flips(1)[0], flips(4), problem=p)] for p in range(2000)]
    signal = measure_signal(problems, 200)
    assert signal.noise_std == pytest.approx((0.25 / 4 + 0.25 / count) ** 0.5, rel=0.02)
    assert signal.true_std < 0.1 and signal.true_range[0] == 0.0
    told = verdict(finding(MRTSettings(), signal=signal))
    assert "hides whether episodes differ" in told or "little to offer" in told


def test_noise_that_is_not_known_gives_no_verdict():
    """One answer a boundary."""
    lonely = [one_episode([draw], 0.0, [0], closed=False, problem=draw) for draw in (0, 1, 1, 0)]
    signal = measure_signal([[one] for one in lonely], 200)
    assert signal.noise_std is None and signal.true_range[0] == 0.0 and signal.true_range[1] > 0.5
    found = finding(MRTSettings(), signal=signal)
    assert verdict(found).startswith("What chance does to progress is not known")
    assert "does not tell" in dict(describe_findings(found))["progress"]

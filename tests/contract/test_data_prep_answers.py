"""Which answers pass without math-verify must be ones that it reads, and what it cannot read must not pass."""

import pytest

from data_prep.answer_worker import count_objects
from data_prep.answers import AnswerChecker, is_certain, refused

CERTAIN = [
    *("0", "-7", "007", "123456789012", "1,234", "-12,345,678", "0.5", "-3.14159", "100.000000001"),
    *("\\frac{1}{2}", "-\\dfrac{22}{7}", "\\tfrac{-3}{4}", "3/4", "-10/3", "0/5"),
    *("\\sqrt{2}", "-\\sqrt{10}", "3\\sqrt{5}", "-12\\sqrt{123456789}"),
    *("x", "A", "E", "i", "I", "S", "O", "(B)", "(J)"),
]


@pytest.mark.parametrize("answer", CERTAIN)
def test_certain_forms_are_read(answer):
    assert is_certain(answer)
    assert count_objects(answer) > 0


@pytest.mark.parametrize("answer", ["", "1/0", "\\frac{1}{0}", "\\sqrt{0}", "1,23", "\\frac{1", "3\\%", "ab", "(Z)"])
def test_other_forms_are_not_certain(answer):
    assert not is_certain(answer)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("x^2 + 1", None),
        ("\\text{Ann}", None),
        ("12\\%", None),
        ("3 \\text{ square units}", None),
        ("\\sin x + \\cos y + \\log z", None),
        ("(x+y+z)(x^2+y^2-xy-yz-xz)", None),
        ("[1, \\infty)", None),
        ("\\frac{1", "math-verify finds nothing in it"),
        ("proof", "a placeholder"),
        ("notfound", "a placeholder"),
        ("There are no such numbers", "prose"),
        ("It is not possible", "prose"),
    ],
)
def test_checked_by_math_verify(answer, reason):
    with AnswerChecker(workers=1) as checker:
        assert checker.check([answer, "4", answer]) == [reason, None, reason]
        assert checker.check([answer]) == [reason]


def test_an_answer_that_takes_for_ever_is_dropped():
    with AnswerChecker(workers=1, deadline_s=2.0) as checker:
        assert checker.check(["\\gcd(10^{1000000},7)", "x^2"]) == ["math-verify does not finish", None]


def test_prose_is_told_from_mathematics_by_words_alone():
    assert refused("Yes") is None
    assert refused("no solution") is None
    assert refused("no integer solution") == "prose"

"""Which answers pass without the grader must be ones that it reads, and what it cannot grade must not pass."""

import pytest

from data_prep.answers import OTHER_ANSWERS, AnswerChecker, is_certain, refused
from mrt_verl.grading import Grade, Grader
from mrt_verl.grading.grades import Verdict

CERTAIN = [
    *("0", "-7", "007", "123456789012", "1,234", "-12,345,678", "0.5", "-3.14159", "100.000000001"),
    *("\\frac{1}{2}", "-\\dfrac{22}{7}", "\\tfrac{-3}{4}", "3/4", "-10/3", "0/5"),
    *("\\sqrt{2}", "-\\sqrt{10}", "3\\sqrt{5}", "-12\\sqrt{123456789}"),
    *("x", "A", "E", "i", "I", "S", "O", "(B)", "(J)"),
]


def test_certain_forms_are_right_against_themselves_alone():
    assert all(map(is_certain, CERTAIN))
    with Grader() as grader:
        for answer in CERTAIN:
            texts = [f"\\boxed{{{text}}}" for text in (answer, *OTHER_ANSWERS)]
            assert [grade.verdict for grade in grader.grade_sync(texts, answer)] == ["right", "wrong", "wrong"], answer


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
        ("\\emptyset", None),
        ("∅", None),
        (("9", "10"), None),
        ('["9", "10"]', None),
        ("\\textbf{(B)}\\ 12", None),
        ("\\frac{1", "braces that do not close"),
        ("1}{2", "braces that do not close"),
        ("---", "no letter or digit in it"),
        ("proof", "a placeholder"),
        ("notfound", "a placeholder"),
        ("There are no such numbers", "prose"),
        ("It is not possible", "prose"),
        ("2 or -2 or 1/2 or -1/2", None),
        ("June 20", None),
        ("\\sum_{k=1}^{n} \\frac{1}{k}", None),
        ("#### 5", None),
        ("See the explanation", "a placeholder"),
        ("证明略", "a placeholder"),
        ("\\boxed{}", "the grader finds nothing in it"),
        ("(a) 3 (b) 4", "not read as mathematics: only the same text meets it"),
        ("[1, 2", "not read as mathematics: only the same text meets it"),
        ("\\frac{1}", "not read as mathematics: only the same text meets it"),
        ("![](picture.png)", "not read as mathematics: only the same text meets it"),
        (("9", "It is not possible"), "prose"),
    ],
)
def test_checked_by_the_grader(answer, reason):
    with AnswerChecker(workers=1) as checker:
        assert checker.check([answer, "4", answer]) == [reason, None, reason]
        assert checker.check([answer]) == [reason]


def test_an_answer_that_takes_for_ever_is_dropped():
    """Against itself it may be right at once, being the same text; any other answer would never be graded."""
    with AnswerChecker(workers=1, deadline_s=2.0) as checker:
        assert checker.check(["\\sum_{k=1}^{10^{10}} \\frac{1}{k}", "x^2"]) == ["the grader does not finish", None]


def test_what_any_answer_meets_is_no_reference():
    with AnswerChecker(workers=1) as checker:
        assert checker.check([f"{OTHER_ANSWERS[0]}+0"]) == ["any answer is right against it"]


def test_prose_is_told_from_mathematics_by_words_alone():
    assert refused("Yes") is None
    assert refused("no solution") is None
    assert refused("no integer solution") == "prose"


LATE, DEAD = Grade(Verdict.TIMEOUT, 0.0, "late"), Grade(Verdict.ERROR, 0.0, "two worker processes died on this answer")


@pytest.mark.parametrize("part", ["+0", OTHER_ANSWERS[0], "\\sum"])
@pytest.mark.parametrize(("lost", "reason"), [(LATE, "the grader does not finish"), (DEAD, "the grader fails on it")])
def test_what_has_no_verdict_is_asked_again_and_named(monkeypatch, part, lost, reason):
    """Seen under load: a deadline missed while a sum was read was taken for one that nothing reads."""
    with AnswerChecker() as checker:
        grade, answers = checker._grader.grade, []

        async def loses(texts, *arguments, **options):
            is_lost = bool(answers) and part in texts[0]
            return [answers.pop()] * len(texts) if is_lost else await grade(texts, *arguments, **options)

        monkeypatch.setattr(checker._grader, "grade", loses)
        sums = [rf"\sum_{{k=1}}^{{{end}}} k" for end in (4, 5)]
        answers[:] = [lost]
        assert checker.check(sums[:1]) == [None]
        answers[:] = [lost] * 2
        assert checker.check(sums[1:]) == [reason]
        assert not answers

"""What Math-Verify's maintainers intend otherwise: off unless asked for, and no more than the switch says."""

from dataclasses import fields, replace

import pytest

from mrt_verl.grading import Grader, Rules, Verdict, grade
from mrt_verl.grading.__main__ import main
from mrt_verl.grading.presets import PRESETS

MATH_VERIFY = PRESETS["math_verify"]
# by switch: (reference, answer in a box or a whole response), right with it and not without it
OPENED = {
    "decimal_comma": [("3.75", "3,75"), ("0,25", r"\frac14"), ("12.5", r"12,5 \text{ cm}")],
    "near_decimals": [
        (r"\frac{1}{7}", "0.142857142857"),
        (r"\sqrt{5}", "2.2360680"),
        ("(1/3, 2)", "(0.33333333, 2)"),
        (r"\{\frac16, 4\}", r"\{4, 0.1666667\}"),
        ("0.5", "0.50000004"),
    ],
    "last_side": [
        ("9", "4+4 = 9"),
        ("y = 4", "y = 2+3 = 4"),
        ("y = 1 + 1 = 6", "6"),
        (r"\frac25", r"t = 7 = \frac25 \approx 0.3"),
    ],
    "bare_tuples": [("(2,5)", "2, 5"), ("(2,5)", "{2,5}"), ("1, 7", "(1, 7)")],
    "fallbacks": [
        ("17", "RAW:We count 3 red ones, which leaves 17 of them."),
        (r"\frac{2}{9}", r"RAW:Hence we get \(\frac{2}{9}\) in the end."),
        ("30%", "RAW:It grows by 30% every year."),
    ],
    "reads_prose": [(r"All sides are equal, so that $a = 4$ must hold.", "4")],
}
CLOSED = [("(3, 8)", "3 < x < 8"), (r"x \in [0, \infty)", r"x \ge 0")]
# wrong by either set of rules
NEVER = [
    ("3.75", "375"),
    ("3.75", "3,57"),
    ("1,250", "1.25"),
    (r"\frac{1}{7}", "0.142858"),
    (r"\frac{1}{7}", r"\frac{142857}{1000000}"),
    ("9", "9 = 4+4"),
    ("y = 4", "x = 2+3 = 4"),
    ("2x + y = 9", "9"),
    ("y = 3x", "y^2 = 3x"),
    ("(2,5)", "5, 2"),
    ("(2,5)", r"\{2,5\}"),
    ("(2,5)", "[2,5]"),
    ("17", "RAW:We count 17 of them, of which 3 are red."),
    ("(3, 8)", "3 < x < 9"),
    ("7", r"\text{seventeen}"),
]


def verdict(reference: str, answer: str, rules: Rules | str) -> Verdict:
    response = answer.removeprefix("RAW:") if answer.startswith("RAW:") else rf"\boxed{{{answer}}}"
    return grade(response, reference, rules=rules).verdict


@pytest.mark.parametrize("switch", OPENED)
def test_a_switch_opens_what_it_says(switch: str) -> None:
    without = replace(MATH_VERIFY, **{switch: getattr(Rules(), switch)})
    for reference, answer in OPENED[switch]:
        assert verdict(reference, answer, "math_verify") is Verdict.RIGHT, (reference, answer)
        assert verdict(reference, answer, without) is not Verdict.RIGHT, (reference, answer)
        assert verdict(reference, answer, "default") is not Verdict.RIGHT, (reference, answer)


@pytest.mark.parametrize(("reference", "answer"), CLOSED)
def test_an_inequality_for_a_set_is_right_by_default_alone(reference: str, answer: str) -> None:
    assert verdict(reference, answer, "default") is Verdict.RIGHT
    assert verdict(reference, answer, "math_verify") is Verdict.WRONG
    assert verdict(reference, answer, replace(MATH_VERIFY, inequality_for_set=True)) is Verdict.RIGHT
    assert verdict(answer, reference, "math_verify") is Verdict.RIGHT


@pytest.mark.parametrize(("reference", "answer"), NEVER)
def test_what_is_wrong_by_either(reference: str, answer: str) -> None:
    assert verdict(reference, answer, "default") is not Verdict.RIGHT
    assert verdict(reference, answer, "math_verify") is not Verdict.RIGHT


def test_every_switch_is_tested() -> None:
    assert {*OPENED, "inequality_for_set"} == {field.name for field in fields(Rules)}
    assert all(getattr(Rules(), field.name) != getattr(MATH_VERIFY, field.name) for field in fields(Rules))


def test_what_only_a_worker_decides_is_decided_by_these_rules_too() -> None:
    with Grader(rules="math_verify", deadline_s=60.0) as grader:
        answers = [r"\boxed{S = 1 = \sum_{k=1}^{4} k}", r"\boxed{S = 1 = \sum_{k=1}^{5} k}"]
        grades = grader.grade_sync(answers, r"S = \sum_{k=1}^{4} (5-k)")
    assert [one.verdict for one in grades] == [Verdict.RIGHT, Verdict.WRONG]


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: default, math_verify"):
        Grader(rules="lenient")


def test_the_command_line_takes_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["3,75", "3.75", "--rules", "math_verify"]) == 0
    assert main(["3,75", "3.75"]) == 1
    assert main(["We count 3 red ones, which leaves 17 of them.", "17", "--rules", "math_verify"]) == 0
    assert main(["(2,5)", "(2,5)", "--rules", "math_verify"]) == 0
    capsys.readouterr()

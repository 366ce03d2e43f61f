"""Verdicts, accounts and sharing of the grader, on answers whose verdict is known by hand."""

import asyncio
import logging
import math
import threading
from collections.abc import Iterator

import numpy
import pytest

from mrt_verl.grading import Grader, GraderStats, Verdict
from mrt_verl.grading.accounts import Accounts
from mrt_verl.grading.comparison import as_references, exact_verdict
from mrt_verl.grading.grades import NO_ANSWER, RIGHT, WRONG, Grade, grade_of_result

TOWER = r"\boxed{9^{9^{9^{9}}}}"


def hard(n: int) -> str:
    """An answer equal to n + 1 that only a worker can tell."""
    return rf"\boxed{{\sin^2 {n}+\cos^2 {n}+{n}}}"


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(deadline_s=60.0) as grader:  # what is tested here are verdicts, on however busy a machine
        yield grader


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        ("42", ["42", "42.0", r"\frac{84}{2}"], ["41", "4 2", "x"]),
        ("1,000", ["1000"], ["1", "100"]),
        (r"\frac{1}{2}", ["0.5", r"\dfrac12", "1/2"], ["2", "0.05"]),
        ("B", ["(B)", r"\text{B}", r"\textbf{(B) } 42", "B. Paris", "B"], ["A", "(C) B", "42"]),
        (r"\{1,2\}", ["2, 1", r"\left\{1,2\right\}"], ["1", "1,3"]),
        ("[1,2)", [r"\left[1, 2\right)"], ["[1,2]", "(1,2)"]),
        ("x<3", [r"(-\infty,3)", "x < 3"], ["x>3", r"x\le 3"]),
        (r"50\%", ["50%", r"50 \%", "50", "0.5"], ["5", r"60\%", "5%"]),
        ("0.125", ["1/8", "12.5%"], [r"0.125\%"]),
        ("5 cm", ["5", r"5\text{ cm}", r"5\,\text{cm}"], ["6 cm"]),
        ("Tuesday", ["tuesday", r"\text{Tuesday}"], ["Monday"]),
    ],
)
def test_kinds_of_answers(grader: Grader, reference: str, right: list[str], wrong: list[str]) -> None:
    boxed = [rf"\boxed{{{answer}}}" for answer in right + wrong]
    verdicts = [grade.verdict for grade in grader.grade_sync(boxed, reference)]
    assert verdicts == [Verdict.RIGHT] * len(right) + [Verdict.WRONG] * len(wrong)


def test_any_of_several_references_counts(grader: Grader) -> None:
    answers = [r"\boxed{252}", r"\boxed{\binom{10}{5}}", r"\boxed{251}"]
    grades = grader.grade_sync(answers, [r"\binom{10}{5}", "252"])
    assert grades == [RIGHT, RIGHT, WRONG]


def test_references_may_be_numbers_boxed_or_solutions() -> None:
    assert as_references(7) == ("7",)
    assert as_references([7, "$8$", r"so \boxed{9}", "6+4 = 10\n#### 10"]) == ("7", "8", "9", "10")
    assert as_references(numpy.array(10)) == ("10",)
    assert as_references(numpy.array(["9", "10"])) == as_references('["9", "10"]') == ("9", "10")
    assert as_references([b"9", b"\xe2\x88\x9a2"]) == ("9", "√2") and as_references(b"10") == ("10",)
    assert as_references(r"$x=\boxed{3}$ and $y=\boxed{4}$") == ("x = 3, y = 4",)


@pytest.mark.parametrize(
    "reference", [None, {"target": 10, "numbers": [3, 7]}, "", b"", [], [None], math.nan, [math.nan]]
)
def test_what_holds_no_answer_is_no_reference_and_an_error(grader: Grader, reference: object) -> None:
    assert as_references(reference) == ()
    assert grader.grade_sync([r"\boxed{10}"], reference)[0].verdict is Verdict.ERROR


def test_a_reference_without_content_is_an_error_and_no_wrong_answer(grader: Grader) -> None:
    (grade,) = grader.grade_sync([r"\boxed{42}"], "")
    assert grade.verdict is Verdict.ERROR
    assert not grade.is_known


@pytest.mark.parametrize(
    ("reference", "answer", "verdict"),
    [
        ("1,000", "1000", True),
        ("0.50", "0.5", True),
        ("7", "8", False),
        ("3, 5", "5,3", True),
        ("1,200", "200, 1", False),
        ("3", "3, 3", False),
        ("0.1234567", "0.1234568", False),
        (r"\frac{1}{2}", r"\frac{2}{4}", True),
        (r"\sqrt{12}", r"2\sqrt{3}", True),
        ("1}{", "1}{", True),
        (r"\sin^2 1 + \cos^2 1", "1", None),
        (r"\sqrt{3+2\sqrt2}", r"1+\sqrt2", None),
        (r"\int_0^1 x dx", r"\frac12", None),
        ("9^{9^{9^{9}}}", "42", None),
    ],
)
def test_what_is_decided_without_a_worker(reference: str, answer: str, verdict: bool | None) -> None:
    assert exact_verdict(reference, answer) is verdict


def test_counters_of_one_batch() -> None:
    with Grader(deadline_s=3.0) as grader:
        answers = [r"\boxed{42}", hard(41), hard(41), r"\boxed{41}", "none", TOWER]
        grades = grader.grade_sync(answers, "42")
        stats = grader.stats()
    assert [grade.verdict.value for grade in grades] == ["right", "right", "right", "wrong", "no_answer", "timeout"]
    assert [grade.score for grade in grades] == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert (stats.graded, stats.right, stats.no_answer, stats.timeouts, stats.errors) == (6, 3, 1, 1, 0)
    assert (stats.exact, stats.cache_hits, stats.restarts) == (2, 1, 1)
    assert stats.seconds >= 3.0


def test_a_timeout_is_remembered_and_counted_again() -> None:
    with Grader(deadline_s=3.0) as grader:
        grader.grade_sync([TOWER], "42")
        grader.grade_sync([TOWER], "42")
        stats = grader.stats()
    assert (stats.timeouts, stats.cache_hits, stats.restarts) == (2, 1, 1)


def test_concurrent_callers_share_equal_gradings(grader: Grader) -> None:
    before = grader.stats()

    async def many() -> list[list[Grade]]:
        calls = (grader.grade([hard(n % 3 + 50)], "52") for n in range(60))
        return await asyncio.gather(*calls)

    grades = [grade for (grade,) in asyncio.run(many())]
    spent = grader.stats() - before
    # the other two thirds differ visibly and need no worker
    assert [grade is RIGHT for grade in grades] == [n % 3 == 1 for n in range(60)]
    assert (spent.graded, spent.cache_hits) == (60, 19)


def test_the_event_loop_goes_on_while_an_answer_hangs() -> None:
    async def ticks() -> int:
        with Grader(deadline_s=1.0) as grader:
            await grader.grade([hard(41)], "42")
            hanging = asyncio.create_task(grader.grade([TOWER], "42"))
            count = 0
            while not hanging.done():
                await asyncio.sleep(0.01)
                count += 1
            return count

    assert asyncio.run(ticks()) > 20


def test_a_cancelled_caller_does_not_cancel_the_others() -> None:
    async def run(grader: Grader) -> list[Grade]:
        first = asyncio.create_task(grader.grade([hard(127)], "128"))
        second = asyncio.create_task(grader.grade([hard(127)], "128"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    with Grader() as grader:
        assert asyncio.run(run(grader)) == [RIGHT]


def test_threads_may_share_a_grader(grader: Grader) -> None:
    grades: dict[int, Grade] = {}

    def work(n: int) -> None:
        grades[n] = grader.grade_sync([hard(n)], str(n + 1))[0]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert grades == {n: RIGHT for n in range(20)}


def test_the_memory_of_verdicts_is_bounded() -> None:
    with Grader(cache_size=2) as grader:
        for n in (1, 2, 3, 1):
            grader.grade_sync([hard(n)], str(n + 1))
        assert grader.stats().cache_hits == 0
        grader.grade_sync([hard(3)], "4")
        assert grader.stats().cache_hits == 1


def test_one_bool_per_answer_says_what_finished(grader: Grader) -> None:
    grades = grader.grade_sync(["42", "42"], "42", stop_text=r"\boxed{", finished=[True, False])
    assert grades == [RIGHT, NO_ANSWER]


def test_bad_settings_name_themselves() -> None:
    with pytest.raises(ValueError, match="deadline_s=0"):
        Grader(deadline_s=0)


def test_stats_of_a_stretch() -> None:
    later, earlier = GraderStats(graded=12, no_answer=3, cache_hits=6, seconds=4.0), GraderStats(graded=2, seconds=2)
    assert later - earlier == GraderStats(graded=10, no_answer=3, cache_hits=6, seconds=2.0)


def test_a_step_with_many_timeouts_warns_with_an_example(caplog: pytest.LogCaptureFixture) -> None:
    accounts = Accounts()
    for n in range(100):
        accounts.record(f"answer {n}", Grade(Verdict.TIMEOUT, 0.0) if n in (3, 7) else RIGHT)
    with caplog.at_level(logging.WARNING):
        step = accounts.finish_window()
    assert (step.graded, step.timeouts) == (100, 2)
    assert "2 of 100 gradings timed out" in caplog.text
    assert "answer 7" in caplog.text


def test_one_percent_of_timeouts_does_not_warn(caplog: pytest.LogCaptureFixture) -> None:
    accounts = Accounts()
    for n in range(100):
        accounts.record("x", Grade(Verdict.TIMEOUT, 0.0) if n == 0 else RIGHT)
    with caplog.at_level(logging.WARNING):
        accounts.finish_window()
        assert accounts.finish_window().graded == 0
    assert not caplog.text


def test_grades_of_results() -> None:
    assert grade_of_result("done", True) is RIGHT
    assert grade_of_result("error", "why") == Grade(Verdict.ERROR, 0.0, "why")
    assert grade_of_result("done", (0.25, None)) == Grade(Verdict.RIGHT, 0.25)
    assert grade_of_result("done", (-1.0, None)).verdict is Verdict.WRONG
    assert grade_of_result("done", (0.2, {"score": 0.2, "acc": False})).verdict is Verdict.WRONG


@pytest.mark.parametrize("acc", [math.nan, "False", [False], None])
def test_an_acc_that_is_no_number_is_no_verdict(acc):
    """Each but the last would be true to Python."""
    grade = grade_of_result("done", (0.0, {"score": 0.0, "acc": acc}))
    assert grade.verdict is Verdict.ERROR and "acc is" in grade.detail


@pytest.mark.parametrize("deadline_s", [1e10, 1e300, math.inf])
def test_a_deadline_of_centuries_is_one(deadline_s):
    """No socket takes it: each answer was an error."""
    with Grader(deadline_s=deadline_s) as grader:
        assert grader.grade_sync([hard(1)], "2") == [RIGHT]
    with pytest.raises(ValueError, match="deadline_s=nan"):
        Grader(deadline_s=math.nan)

"""A user's outcome function that misbehaves: bounded, told, and remembered."""

import asyncio
import logging
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from mrt_verl.grading import Grader, Verdict
from mrt_verl.grading.outcomes import FileFunction
from mrt_verl.grading.printed import BURST_BYTES, Printed
from mrt_verl.grading.worker import _limit_memory
from mrt_verl.settings import MRTSettings
from mrt_verl.step_report import StepReport
from tests.builders import worker_pids
from tests.faults.records import rollout

pytestmark = pytest.mark.long

FUNCTION = """
import asyncio, os, subprocess, sys, time

class Wordless(Exception):
    def __str__(self):
        raise ValueError

def score(data_source, solution_str, ground_truth, extra_info=None):
    with open(os.environ["ASKED"], "a") as file:
        file.write(solution_str + "\\n")
    if solution_str.startswith("hang"):
        time.sleep(1000)
    if solution_str.startswith("exit"):
        os._exit(3)
    if solution_str == "print":
        for _ in range(1000):
            print("y" * 9999)
    if solution_str == "print as C does":
        os.write(1, b"\\x1b]0;a new title\\x07" + b"z" * 10_000_000)
    if solution_str == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
        with open(os.environ["ASKED"] + ".child", "w") as file:
            file.write(str(child.pid))
        time.sleep(1000)
    if solution_str == "cancelled":
        raise asyncio.CancelledError
    if solution_str == "wordless":
        raise Wordless
    if solution_str.startswith("fork and"):
        if os.fork() == 0:
            if solution_str.endswith("raise"):
                raise ValueError("in the child")
            return 7.0
    return float(solution_str != "wrong")
"""


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """ask(solutions, **how) -> (grades, stats), all asked for at once"""
    (tmp_path / "score.py").write_text(FUNCTION)
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))

    def run(solutions, **how):
        function = FileFunction(str(tmp_path / "score.py"), "score")

        async def all_of(grader):
            calls = (
                grader.grade_outcome(function, data_source="x", solution_str=one, ground_truth="1") for one in solutions
            )
            return await asyncio.gather(*calls)

        with Grader(thinking=None, **how) as grader:
            return asyncio.run(all_of(grader)), grader.stats()

    return run


def asked(tmp_path):
    return (tmp_path / "asked").read_text().split()


def test_equal_answers_that_hang_cost_one_deadline(ask, tmp_path):
    """Also those that were waiting when the first of them was given up."""
    grades, stats = ask(["hang"] * 20 + ["fine"], deadline_s=1.0)
    assert [grade.verdict for grade in grades] == [Verdict.TIMEOUT] * 20 + [Verdict.RIGHT]
    assert asked(tmp_path).count("hang") == 1
    assert (stats.timeouts, stats.restarts, stats.crashes) == (20, 1, 0)
    assert 1.0 <= stats.worker_seconds < 5.0


def test_equal_answers_on_which_the_function_exits_cost_two_workers(ask, tmp_path):
    grades, stats = ask(["exit"] * 20 + ["fine"], deadline_s=60.0)
    assert [grade.verdict for grade in grades] == [Verdict.ERROR] * 20 + [Verdict.RIGHT]
    assert asked(tmp_path).count("exit") == 2
    assert (stats.errors, stats.restarts, stats.crashes) == (20, 2, 2)


@pytest.mark.parametrize("how", ["fork and return", "fork and raise"])
def test_a_forked_child_answers_for_nobody(ask, how):
    """It has the worker's memory and its socket: its reply would be the next answer's, and so on."""
    grades, stats = ask([how, "wrong", "fine", "wrong", "fine"], deadline_s=60.0)
    assert [grade.score for grade in grades] == [1.0, 0.0, 1.0, 0.0, 1.0]
    assert (stats.restarts, stats.crashes) == (0, 0)


@pytest.mark.parametrize(("solution", "told"), [("cancelled", "CancelledError"), ("wordless", "Wordless")])
def test_whatever_is_raised_costs_no_worker(ask, solution, told):
    grades, stats = ask([solution, "fine"], deadline_s=60.0)
    assert [grade.verdict for grade in grades] == [Verdict.ERROR, Verdict.RIGHT]
    assert grades[0].detail.startswith(told) and stats.crashes == 0


@pytest.mark.parametrize("solution", ["print", "print as C does"])
def test_ten_megabytes_are_no_log(ask, capfd, caplog, solution):
    with caplog.at_level(logging.WARNING):
        grades, _ = ask([solution, "fine"], deadline_s=60.0)
    printed = "".join(capfd.readouterr())
    assert [grade.verdict for grade in grades] == [Verdict.RIGHT, Verdict.RIGHT]
    assert 1000 < len(printed) < 2 * BURST_BYTES
    assert "\x1b" not in printed and "\x07" not in printed
    assert [record.getMessage() for record in caplog.records if "prints more than" in record.getMessage()]


def test_what_is_printed_now_and_then_is_shown(capfd, caplog):
    printed = Printed()
    printed.take("a line\twith é\n".encode() + b"\xff\n")
    assert capfd.readouterr().err == "a line\twith é\n\ufffd\n"
    assert caplog.text == ""


def test_a_child_in_a_session_of_its_own_does_not_outlive_the_answer(ask, tmp_path):
    grades, _ = ask(["child"], deadline_s=3.0)
    assert grades[0].verdict is Verdict.TIMEOUT
    pid = int((tmp_path / "asked.child").read_text())
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < until:
        if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(("allowed", "expected"), [(resource.RLIM_INFINITY, None), (2**20, 2**20)])
def test_a_limit_that_is_set_already_is_kept(monkeypatch, allowed, expected):
    """Raising `ulimit -v` is an error, of which each worker would die on its first answer."""
    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (allowed, allowed))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, pair: limits.append(pair))
    _limit_memory(64)
    ((soft, hard),) = limits
    assert soft == hard and (hard == expected if expected else hard > 64 * 2**20)


def test_a_child_that_is_stopped_costs_one_answer_and_is_replaced():
    """SIGSTOP, as by an operator or a debugger; a stopped process is killed all the same."""

    def grade(grader, number):
        return grader.grade_sync([rf"\boxed{{\sin^2 {number}+\cos^2 {number}+{number}}}"], str(number + 1))[0].verdict

    with Grader(thinking=None, deadline_s=3.0) as grader:
        assert grade(grader, 1) is Verdict.RIGHT
        (stopped,) = worker_pids(grader)
        os.kill(stopped, signal.SIGSTOP)
        assert [grade(grader, 2), grade(grader, 3)] == [Verdict.TIMEOUT, Verdict.RIGHT]
        assert stopped not in worker_pids(grader) and not Path(f"/proc/{stopped}").exists()
        assert grader.stats().restarts == 1


def record(**grader):
    return rollout(answers=100, grader={"worker": f"host:{os.getpid()}", "graded": 100, **grader})


def told(caplog, **grader):
    report = StepReport(MRTSettings(), response_tokens=40)
    report._since -= 200
    with caplog.at_level(logging.WARNING):
        report.step([record(**grader)], 3)
    return [entry.getMessage() for entry in caplog.records]


def test_a_slow_function_is_told_with_its_cost(caplog):
    (line,) = told(caplog, asked=50, worker_seconds=150.0, timeouts=1)
    assert line.startswith(
        "step 3: a grading process computed for 150 of the step's 200 s, 3.00 s an answer that it was asked, of which "
        "1 were given up after mrt.grade_timeout_s=5;"
    )


def test_a_function_that_exits_is_told_with_a_count(caplog):
    (line,) = told(caplog, crashes=82)
    assert line.startswith("step 3: grading processes died 82 times on an answer")


def test_ordinary_grading_is_not_told(caplog):
    assert told(caplog, asked=50, worker_seconds=50.0) == []

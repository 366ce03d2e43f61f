"""What goes wrong around a grading costs that grading and no other."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mrt_verl.grading import Grader, Verdict, child, grade, grade_many, pool
from mrt_verl.grading.__main__ import main

HARD = r"\boxed{\sin^2 3+\cos^2 3}"
HANGING = "def score(data_source, solution_str, ground_truth, extra_info=None):\n    while True:\n        pass\n"


def test_a_pool_survives_a_second_without_file_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    with Grader(deadline_s=60.0) as grader:
        with monkeypatch.context() as patch:
            patch.setattr(child.socket, "socketpair", lambda: (_ for _ in ()).throw(OSError(24, "Too many open files")))
            (failed,) = grader.grade_sync([HARD], "1")
        assert failed.verdict is Verdict.ERROR
        assert "Too many open files" in failed.detail
        assert grader.grade_sync([HARD], "1")[0].verdict is Verdict.RIGHT


def test_a_pool_survives_whatever_its_thread_runs_into(monkeypatch: pytest.MonkeyPatch) -> None:
    with Grader(deadline_s=60.0) as grader:
        with monkeypatch.context() as patch:
            patch.setattr(pool.Pool, "_ask", lambda *_: (_ for _ in ()).throw(RuntimeError("nobody thought of this")))
            (failed,) = grader.grade_sync([HARD], "1")
        assert failed.verdict is Verdict.ERROR
        assert failed.detail == "RuntimeError: nobody thought of this"
        assert grader.grade_sync([HARD], "1")[0].verdict is Verdict.RIGHT


def test_no_descriptor_is_lost_when_a_worker_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Grader(deadline_s=60.0) as grader:
        monkeypatch.setattr(
            child.subprocess, "Popen", lambda *_, **__: (_ for _ in ()).throw(OSError(11, "no process"))
        )
        for number in range(5):
            grader.grade_sync([rf"\boxed{{\sin^2 {number}+\cos^2 {number}}}"], "1")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_function_that_hung_on_an_answer_is_not_asked_about_it_again(tmp_path: Path) -> None:
    path = tmp_path / "hanging_reward.py"
    path.write_text(HANGING)
    sys.path.insert(0, str(tmp_path))
    arguments: dict[str, Any] = {"data_source": "any", "solution_str": "x", "ground_truth": "y"}
    try:
        with Grader(deadline_s=1.0) as grader:
            first, second = (asyncio.run(grader.grade_outcome("hanging_reward:score", **arguments)) for _ in range(2))
            stats = grader.stats()
    finally:
        sys.path.remove(str(tmp_path))
    assert first == second
    assert first.verdict is Verdict.TIMEOUT
    assert (stats.timeouts, stats.restarts, stats.cache_hits) == (2, 1, 1)


def test_grade_says_what_it_compared() -> None:
    graded = grade(r"I think so: \boxed{0.33}", r"\frac{1}{3}")
    assert graded.verdict is Verdict.WRONG
    assert graded.answer == "0.33"
    assert graded.answer_form == "number 33/100, written with 2 decimals"
    assert graded.reference_forms == ("number 1/3",)
    assert grade("I do not know", "42").verdict is Verdict.NO_ANSWER
    assert grade(r"\boxed{42", "42").verdict is Verdict.RIGHT
    assert grade(r"\boxed{42", "42", finished=False).verdict is Verdict.NO_ANSWER
    assert grade("42", "42", bare=True).verdict is Verdict.RIGHT
    assert grade(r"\boxed{42}", {"target": 42}).verdict is Verdict.ERROR
    assert grade(r"\boxed{9}", ["10", "9"]).verdict is Verdict.RIGHT


def test_grade_many_keeps_the_order() -> None:
    grades = grade_many([r"\boxed{1}", HARD, "nothing"], ["1", "1", "1"])
    assert [one.verdict.value for one in grades] == ["right", "right", "no_answer"]
    with pytest.raises(ValueError, match="1 responses, 2 references"):
        grade_many(["1"], ["1", "2"])


def test_the_command_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["5 km", "5 m"]) == 1
    assert "unit km" in capsys.readouterr().out
    assert main([r"so \boxed{1/2}", "0.5", "--json"]) == 0
    assert '"verdict": "right"' in capsys.readouterr().out
    assert main(["B", "A", "B"]) == 0

"""Outcomes of verl and of users under the grader's deadline, with verl's own loading of custom functions."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.utils.reward_score import default_compute_score

from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.grading.outcomes import FileFunction

CUSTOM = """
import asyncio, os, sys, time
import numpy as np

def score(data_source, solution_str, ground_truth, extra_info=None, bonus=0.0, **kwargs):
    if solution_str == "hang":
        while True:
            pass
    if solution_str == "exit":
        sys.exit(3)
    if solution_str == "die":
        os._exit(1)
    if solution_str == "raise":
        raise RuntimeError("no such answer")
    if solution_str == "hog":
        return len(bytearray(8 * 2**30))
    if solution_str == "dict":
        return {"score": np.float32(0.5), "acc": False, "parts": np.arange(2), "note": "half"}
    print("a user's print must not disturb anything")
    return float(solution_str == ground_truth) + bonus

async def score_async(data_source, solution_str, ground_truth, extra_info=None, bonus=0.0, **kwargs):
    await asyncio.sleep(60 if solution_str == "hang" else 0.01)
    return {"score": float(solution_str == ground_truth) + bonus}
"""


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(deadline_s=1.5, memory_mb=1024) as grader:
        yield grader


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("custom") / "my_reward.py"
    path.write_text(CUSTOM)
    return path


def custom(file: Path, name: str) -> Any:
    settings = {"path": str(file), "name": name, "reward_kwargs": {"bonus": 0.25}}
    return get_custom_reward_fn(OmegaConf.create({"reward": {"custom_reward_function": settings}}))


def outcomes(grader: Grader, compute_score: Any, solutions: list[str]) -> list[Grade]:
    async def run() -> list[Grade]:
        calls = (
            grader.grade_outcome(
                compute_score, data_source="mine", solution_str=solution, ground_truth="42", extra_info={"index": 1}
            )
            for solution in solutions
        )
        return await asyncio.gather(*calls)

    return asyncio.run(run())


@pytest.mark.parametrize("compute_score", [default_compute_score, None], ids=["function", "verl's choice"])
def test_verls_default_by_data_source(grader: Grader, compute_score: Any) -> None:
    async def grade(source: str, solution: str) -> Grade:
        return await grader.grade_outcome(
            compute_score, data_source=source, solution_str=solution, ground_truth="42", extra_info={}
        )

    assert asyncio.run(grade("openai/gsm8k", "#### 42")) == Grade(Verdict.RIGHT, 1.0)
    assert asyncio.run(grade("openai/gsm8k", "#### 41")).verdict is Verdict.WRONG
    assert asyncio.run(grade("math_dapo", "Answer: 42")).info == {"score": 1.0, "acc": True, "pred": "42"}
    assert "NotImplementedError" in asyncio.run(grade("nobody's", "42")).detail


def test_a_custom_function_that_misbehaves_harms_no_other_answer(grader: Grader, file: Path) -> None:
    before = grader.stats()
    solutions = ["42", "hang", "41", "raise", "exit", "42", "die", "hog", "dict", "42"]
    grades = outcomes(grader, custom(file, "score"), solutions)
    verdicts = {solution: grade.verdict.value for solution, grade in zip(solutions, grades, strict=True)}
    assert verdicts == {
        "42": "right",
        "41": "right",  # wrong, but verl's reward_kwargs added a bonus
        "hang": "timeout",
        "raise": "error",
        "exit": "error",
        "die": "error",
        "hog": "error",
        "dict": "wrong",
    }
    by_solution = dict(zip(solutions, grades, strict=True))
    assert (by_solution["42"].score, by_solution["41"].score) == (1.25, 0.25)
    assert by_solution["raise"].detail == "RuntimeError: no such answer"
    assert "MemoryError" in by_solution["hog"].detail
    assert by_solution["dict"].info == {"score": 0.5, "acc": False, "parts": [0, 1], "note": "half"}
    spent = grader.stats() - before
    assert (spent.graded, spent.timeouts, spent.errors) == (10, 1, 4)
    assert spent.restarts == 1 + 2 + 2  # hang; exit and die each had a second worker


def test_async_custom_functions_keep_to_the_deadline_too(grader: Grader, file: Path) -> None:
    grades = outcomes(grader, custom(file, "score_async"), ["42", "hang", "41"])
    assert [grade.verdict for grade in grades] == [Verdict.RIGHT, Verdict.TIMEOUT, Verdict.RIGHT]
    assert grades[0].info == {"score": 1.25}


WRITTEN = """
import functools, math

def guard(function):
    @functools.wraps(function)
    def guarded(*args, **kwargs):
        return function(*args, **kwargs)
    return guarded

def plain(data_source, solution_str, ground_truth, extra_info=None):
    return float(solution_str == ground_truth)

class Scorer:
    def __call__(self, data_source, solution_str, ground_truth, extra_info=None):
        return plain(data_source, solution_str, ground_truth)
    def method(self, data_source, solution_str, ground_truth, extra_info=None):
        return {"score": plain(data_source, solution_str, ground_truth)}
    async def later(self, data_source, solution_str, ground_truth, extra_info=None):
        return solution_str == ground_truth

decorated = guard(plain)
instance = Scorer()
method = Scorer().method
later = Scorer().later
partial = functools.partial(plain, extra_info=None)
anonymous = lambda data_source, solution_str, ground_truth, extra_info=None: float(solution_str == ground_truth)
flag = lambda solution_str, ground_truth, **_: solution_str == ground_truth

def not_finite(solution_str, **_):
    return float(solution_str)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "ways.py"
    path.write_text(WRITTEN)
    return path


@pytest.mark.parametrize("name", ["plain", "decorated", "instance", "method", "later", "partial", "anonymous", "flag"])
def test_a_function_is_scored_however_it_is_written(grader: Grader, written: Path, name: str) -> None:
    function = FileFunction.from_node({"path": str(written), "name": name})
    grades = outcomes(grader, function, ["42", "41"])
    assert [(grade.verdict, grade.score) for grade in grades] == [(Verdict.RIGHT, 1.0), (Verdict.WRONG, 0.0)], grades


def test_reward_kwargs_win_over_the_calls_arguments_as_in_verl(grader: Grader, file: Path) -> None:
    node = {"path": str(file), "name": "score", "reward_kwargs": {"bonus": 0.25}}
    (grade,) = outcomes(grader, FileFunction.from_node(node), ["42"])
    assert grade.score == 1.25
    assert FileFunction.from_node({"path": None, "name": "compute_score"}) is None
    package = FileFunction.from_node({"path": "pkg://verl.utils.reward_score.gsm8k", "name": "compute_score"})
    assert package is not None and package.name == "compute_score"


@pytest.mark.parametrize("score", ["nan", "inf", "-inf"])
def test_a_score_that_is_not_finite_is_a_counted_error(grader: Grader, written: Path, score: str) -> None:
    function = FileFunction.from_node({"path": str(written), "name": "not_finite"})
    (grade,) = outcomes(grader, function, [score])
    assert (grade.verdict, grade.score) == (Verdict.ERROR, 0.0)
    assert grade.detail == f"the score is {score}; allowed: a finite number"


def test_what_no_worker_can_import_is_refused_with_a_reason(grader: Grader) -> None:
    with pytest.raises(TypeError, match="top level of a file"):
        outcomes(grader, lambda **_: 1.0, ["42"])


def test_a_module_that_cannot_be_imported_is_an_error_that_says_why(grader: Grader) -> None:
    (grade,) = outcomes(grader, "no_such_module:score", ["42"])
    assert grade.verdict is Verdict.ERROR
    assert "no_such_module" in grade.detail

"""The quickstart's problems and demonstrations."""

import re

import numpy as np
import pytest

from data_prep.search_task import (
    ANSWER_TEXT,
    ENDS,
    MARKERS,
    REMARKED,
    STOP_TEXT,
    Problem,
    TraceStyle,
    demonstrate,
    format_pair,
    make_problems,
    write_attempt,
)
from mrt_verl.grading import Grader, Verdict

PROBLEM = Problem((3, 8, 7, 11, 2), 15)
ANSWER = "\\{8, 7\\}"
NEVER = TraceStyle(hit=0, repeat=0, stop_early=0, go_on=1, wrong_verdict=0, cut=0, trust_find=1)


def test_exactly_one_pair_is_right():
    for problem in make_problems(0):
        assert len(set(problem.numbers)) == 5
        assert sum(sum(pair) == problem.target for pair in problem.pairs) == 1
        assert sum(problem.solution) == problem.target


def test_no_problem_comes_twice_and_a_seed_is_a_seed():
    made = make_problems(0)
    assert len({(frozenset(problem.numbers), problem.target) for problem in made}) == len(made) == 4002
    assert made == make_problems(0)
    assert made != make_problems(1)


def test_an_attempt():
    assert (PROBLEM.solution, PROBLEM.answer) == ((8, 7), ANSWER)
    assert write_attempt(15, (8, 7), True, "Wait, try") == "Wait, try 8 and 7: 8 + 7 = 15, off 15 by 0, yes.\n\n"
    assert write_attempt(15, (3, 2), False, "Try") == "Try 3 and 2: 3 + 2 = 5, off 15 by 10, no.\n\n"
    assert write_attempt(15, (8, 11), False, "Try") == "Try 8 and 11: 8 + 11 = 19, off 15 by 4, no.\n\n"


def attempts(shown):
    return [tuple(map(int, pair)) for pair in re.findall(r"try (\d+) and (\d+)", shown.thinking, re.IGNORECASE)]


def test_a_trace_without_faults():
    rng = np.random.default_rng(0)
    shown = demonstrate(PROBLEM, NEVER, rng)
    tried = attempts(shown)
    assert len(tried) == len(set(tried)) == 6
    assert shown.forced == ""
    steps = shown.thinking.split("\n\n")[:-1]
    assert steps[0].startswith("Try ")
    assert all(step.startswith(tuple(f"{marker}, try" for marker in MARKERS)) for step in steps[1:])


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({"repeat": 1.0}, lambda shown: len(set(attempts(shown))) == 1),
        ({"stop_early": 1.0}, lambda shown: len(attempts(shown)) == 1),
        ({"hit": 1.0, "go_on": 0.0}, lambda shown: attempts(shown) == [(8, 7)] and shown.answer == ANSWER),
        (
            {"hit": 1.0, "wrong_verdict": 1.0},
            lambda shown: "yes" not in shown.thinking and shown.answer != ANSWER,
        ),
        ({"cut": 1.0, "hit": 1.0, "max_attempts": 1}, lambda shown: shown.forced in ("", STOP_TEXT)),
    ],
    ids=["repeat", "stop early", "hit and stop", "wrong verdicts", "cut"],
)
def test_each_fault_shows(change, holds):
    from dataclasses import replace

    shown = demonstrate(PROBLEM, replace(NEVER, **change), np.random.default_rng(1))
    assert holds(shown), shown


def test_forty_percent_are_cut():
    rng = np.random.default_rng(2)
    shown = [demonstrate(problem, TraceStyle(), rng) for problem in make_problems(0)[:2000]]
    # a cut after a random 0..6 of 6 attempts leaves 6/7 of them cut; some stop by themselves before
    share = np.mean([bool(one.forced) for one in shown])
    assert 0.22 < share < 0.36
    assert any(one.forced and not one.thinking for one in shown)


def test_texts_of_a_boundary_agree():
    assert STOP_TEXT.endswith(ANSWER_TEXT)


def tails(count):
    rng = np.random.default_rng(3)
    return [demonstrate(PROBLEM, TraceStyle(hit=0.3), rng) for _ in range(count)]


def test_a_box_closes_in_several_ways_and_the_text_goes_on_in_many():
    """Even cut at its end, a whole forced answer is far less probable than the answer: by sum(p²) of the tails."""
    shown = tails(4000)
    ends = [max((end for end in ENDS if one.tail.startswith(end)), key=len) for one in shown]
    assert all(abs(ends.count(end) / len(ends) - 1 / len(ENDS)) < 0.03 for end in ENDS)
    assert abs(np.mean([one.tail in ENDS for one in shown]) - (1 - REMARKED)) < 0.03
    _, counts = np.unique([one.tail for one in shown if one.answer == ANSWER], return_counts=True)
    assert ((counts / counts.sum()) ** 2).sum() < 1 / 30


def test_the_grader_reads_every_answer_whatever_follows():
    """A forced answer and a whole response; the other order is right, every other pair is wrong."""
    shown = {(one.answer, one.tail): one for one in tails(300)}.values()
    right = {format_pair((8, 7)), format_pair((7, 8))}
    texts = [f"{{{one.answer}}}{one.tail}" for one in shown]
    texts += [f"{{{format_pair(one)}}}." for pair in PROBLEM.pairs for one in (pair, pair[::-1])]
    expected = [any(text.startswith(f"{{{answer}}}") for answer in right) for text in texts]
    assert 20 < sum(expected) < len(texts) - 20
    with Grader() as grader:
        forced = grader.grade_sync(texts, ANSWER, stop_text=STOP_TEXT)
        whole = grader.grade_sync([f"Try.\n\n{ANSWER_TEXT}{text}" for text in texts], ANSWER)
    for grades in (forced, whole):
        assert [grade.verdict is Verdict.RIGHT for grade in grades] == expected
        assert {grade.verdict for grade in grades} == {Verdict.RIGHT, Verdict.WRONG}

"""The study's task whose payoff comes late: problems, demonstrations, and what the grader makes of its answers."""

import re

import numpy as np

from data_prep.search_task import TraceStyle
from data_prep.two_targets_task import TwoTargets, demonstrate, format_finds, make_problems
from mrt_verl.grading import Grader, Verdict

PROBLEM = TwoTargets((4, 8, 9, 6, 3, 1), (15, 14))
CLEAN = TraceStyle(max_attempts=40, repeat=0, stop_early=0, go_on=0, wrong_verdict=0, cut=0, trust_find=1)


def attempts(shown):
    """(first number, second number, target, verdict) of each attempt."""
    found = re.findall(r"try (\d+) and (\d+): .*?, off (\d+) by \d+, (yes|no)", shown.thinking, re.IGNORECASE)
    return [(int(a), int(b), int(target), verdict) for a, b, target, verdict in found]


def test_one_pair_for_each_of_two_targets():
    for problem in make_problems(0)[:500]:
        assert len(set(problem.numbers)) == 6 and problem.targets[0] != problem.targets[1]
        for target, pair in zip(problem.targets, problem.solution, strict=True):
            assert [one for one in problem.pairs if sum(one) == target] == [pair]


def test_no_problem_comes_twice_and_a_seed_is_a_seed():
    made = make_problems(0)
    assert len({(frozenset(one.numbers), one.targets) for one in made}) == len(made)
    assert made == make_problems(0) != make_problems(1)


def test_a_problem():
    assert PROBLEM.solution == ((9, 6), (8, 6))
    assert PROBLEM.answer == "(9, 8)"
    assert PROBLEM.question == "Which two add up to 15, and which to 14? Numbers: 4, 8, 9, 6, 3, 1."


def test_the_second_target_is_searched_after_the_first_is_found():
    rng = np.random.default_rng(0)
    for problem in make_problems(0)[:200]:
        shown = demonstrate(problem, CLEAN, rng)
        targets = [target for _, _, target, _ in attempts(shown)]
        verdicts = [verdict for *_, verdict in attempts(shown)]
        first = verdicts.index("yes")
        assert set(targets[: first + 1]) == {problem.targets[0]} and set(targets[first + 1 :]) == {problem.targets[1]}
        assert verdicts.count("yes") == 2 and verdicts[-1] == "yes"
        assert (shown.answer, shown.forced) == (problem.answer, "")


def test_one_find_alone_seldom_answers():
    """A trace cut off after it guesses the other number: the payoff comes with the second find."""
    rng = np.random.default_rng(1)
    style = TraceStyle(max_attempts=3, hit=0.3, cut=1.0, stop_early=0, wrong_verdict=0, trust_find=1)
    shown = [(one, demonstrate(one, style, rng)) for one in make_problems(0)[:4000]]
    right: dict[int, list[bool]] = {0: [], 1: [], 2: []}
    for problem, one in shown:
        # a pair may be found again after both were
        found = len({target for _, _, target, verdict in attempts(one) if verdict == "yes"})
        right[found].append(one.answer == problem.answer)
    assert np.mean(right[0]) < 0.15 and 0.1 < np.mean(right[1]) < 0.4 and np.mean(right[2]) == 1.0


def test_the_grader_takes_the_numbers_in_the_order_of_the_targets():
    texts = [f"{{{answer}}}." for answer in (PROBLEM.answer, "(8, 9)", "(9, 6)", "(9,8)")]
    with Grader() as grader:
        grades = grader.grade_sync(texts, format_finds(PROBLEM.solution), stop_text="The answer is \\boxed")
    assert [grade.verdict for grade in grades] == [Verdict.RIGHT, Verdict.WRONG, Verdict.WRONG, Verdict.RIGHT]

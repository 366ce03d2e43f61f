"""The quickstart's search task (data_prep/search_task.py), made by code."""

import argparse
from collections.abc import Iterator, Sequence

from data_prep.problems import Problem, Source, Split
from data_prep.search_task import Problem as SearchProblem
from data_prep.search_task import make_problems


def read(_: str, options: argparse.Namespace) -> Split:
    """All problems of the task, in the order of the seed."""
    problems = make_problems(options.seed)
    return Split(_problems(problems), {"generator": "data_prep.search_task", "revision": None}, len(problems))


def _problems(problems: Sequence[SearchProblem]) -> Iterator[Problem]:
    for row, problem in enumerate(problems):
        yield Problem(problem.question, problem.answer, row)


SOURCE = Source(
    name="search_task",
    summary="the quickstart's task: find the pair of numbers that adds up to a target, offline",
    data_source="search_task",
    ability="search",
    splits=("train",),
    read=read,
    instruction="",
)

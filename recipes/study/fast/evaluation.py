"""What the fast study measures of a model, by the package's own evaluation on the engine of `engine`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from data_prep.search_task import MARKERS
from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.measures import Measures
from mrt_verl.evaluation.plan import SamplingPlan
from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.grading import Grader
from mrt_verl.settings import MRTSettings
from recipes.study.fast.engine import TorchEngine
from recipes.study.fast.tasks import StudyTask

TRACES = 2
INSERTIONS = 2
"""Forced extrapolation beyond a trace's end: up to its budget in further tokens."""
AT_ONCE = 128
"""Problems that are sampled together."""
BOUNDARIES = "tokens:16"
"""Where J is asked, of every arm alike. At markers a policy decides how often: the curve between them is a line, and
one that no longer writes them has a lower regret for that alone (README)."""


def evaluate(
    model: Any, tokenizer: Any, settings: MRTSettings, task: StudyTask, tasks: Sequence[Any], *, extend: bool
) -> dict[str, Any]:
    """Measures over problems of a task; J is the exact probability of all right spellings, whoever trained.

    Args:
        extend: whether traces are extrapolated to twice the budget.
    """
    engine = TorchEngine(model, tokenizer, seed=7)
    budget = task.response_tokens
    insertions = {"insertions": INSERTIONS * extend, "insertion_tokens": budget // INSERTIONS}
    plan = SamplingPlan(budget, direct_answers=1, **insertions)
    exact = replace(settings, prover="likelihood", episodes=BOUNDARIES)
    sampler = RecordSampler(engine, tokenizer, exact, plan, Grader(deadline_s=5.0, thinking=None))

    async def sample(problems: Sequence[Problem]) -> list[Any]:
        return list(await asyncio.gather(*(sampler.sample(one, trace) for one in problems for trace in range(TRACES))))

    problems = [_problem(index, task, one) for index, one in enumerate(tasks)]
    records = []
    for begin in range(0, len(problems), AT_ONCE):
        records += asyncio.run(sample(problems[begin : begin + AT_ONCE]))
        engine.forget()
    groups = [records[begin : begin + TRACES] for begin in range(0, len(records), TRACES)]
    measures = Measures(Run("fast", {"budgets": [budget]}, groups))
    return {
        "problems": len(problems),
        "pass_at_1": float(measures.outcomes.mean()),
        "pass_at_2": float(measures.pass_at(2).mean()),
        "regret": float(measures.regrets(budget).mean()),
        "regret_of_the_paper": float(measures.paper_regrets(budget).mean()),
        "regret_at_twice": float(measures.regrets(2 * budget, extended=True).mean()) if extend else None,
        "j_before": float(np.mean([one.j_before for one in records])),
        "response_tokens": float(np.mean([one.response_tokens for one in records])),
        "think_tokens": float(np.mean([one.think_tokens for one in records])),
        "attempts": float(np.mean([len(_paragraphs(one.response)) for one in records])),
        "markers": float(np.mean([sum(map(_is_marked, _paragraphs(one.response))) for one in records])),
        "closed": float(np.mean([one.closed for one in records])),
        "grid": measures.grid.tolist(),
        "curve": np.round(measures.plain_curves.mean(axis=0), 5).tolist(),
    }


def _paragraphs(response: str) -> list[str]:
    return response.split("</think>")[0].strip().split("\n\n")


def _is_marked(paragraph: str) -> bool:
    return paragraph.lstrip().startswith(tuple(MARKERS))


def _problem(index: int, task: StudyTask, one: Any) -> Problem:
    return Problem(index, f"{index}", "search_task", [{"role": "user", "content": one.question}], task.spellings(one))

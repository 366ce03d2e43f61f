"""Samples all traces of a run with bounded concurrency; what is there already is kept."""

import asyncio
import sys
from collections.abc import Sequence

from tqdm import tqdm

from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.sampling import DirectAnswers, RecordSampler
from mrt_verl.evaluation.store import Store


async def sample_missing(
    problems: Sequence[Problem], traces: int, sampler: RecordSampler, store: Store, *, concurrency: int, label: str
) -> int:
    """Sample every (problem, trace) the store lacks; returns how many those were.

    The answers without thinking are sampled once per problem and taken from a stored trace of it where there is one.

    Args:
        concurrency: traces under way at once, >= 1; each has its forced answers on top.

    Raises:
        RuntimeError: a trace could not be sampled or written; names it. What was finished is in the store.
    """
    slots = asyncio.Semaphore(concurrency)
    todo = [(p, t) for p in problems for t in range(traces) if (p.index, t) not in store.records]
    stored = _direct_answers({problem.index for problem, _ in todo}, store)
    direct: dict[int, asyncio.Task[DirectAnswers]] = {}

    async def answer_directly(problem: Problem) -> DirectAnswers:
        if problem.index in stored:
            return stored[problem.index]
        if problem.index not in direct:
            direct[problem.index] = asyncio.create_task(sampler.answer_directly(problem))
        return await direct[problem.index]

    async def sample(problem: Problem, trace: int) -> None:
        async with slots:
            try:
                store.append(await sampler.sample(problem, trace, await answer_directly(problem)))
            except Exception as error:  # of the engine, or of a disk that is full
                raise RuntimeError(f"{label}: problem {problem.index}, trace {trace}: {error}") from error
            bar.update()

    total = len(problems) * traces
    with tqdm(total=total, initial=total - len(todo), desc=label, unit="trace", smoothing=0.05) as bar:
        if not sys.stderr.isatty():
            bar.mininterval = 10  # seconds: a log file keeps all that a terminal writes over
        try:
            async with asyncio.TaskGroup() as group:
                for problem, trace in todo:
                    group.create_task(sample(problem, trace))
        except* RuntimeError as errors:
            raise errors.exceptions[0] from errors
    return len(todo)


def _direct_answers(problems: set[int], store: Store) -> dict[int, DirectAnswers]:
    """Of problems that lack a trace the answers without thinking, from a stored trace where there is one."""
    keys = {index: (index, trace) for index, trace in store.records if index in problems}
    found = {index: store.records[key] for index, key in keys.items()}
    return {index: DirectAnswers(one.before, one.before_tokens, one.j_before) for index, one in found.items()}

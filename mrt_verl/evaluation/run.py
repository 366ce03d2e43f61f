"""Samples all traces of a run with bounded concurrency; what is there already is kept."""

import asyncio
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
    stored = {index: DirectAnswers(r.before, r.before_tokens, r.j_before) for (index, _), r in store.records.items()}
    todo = [(p, t) for p in problems for t in range(traces) if (p.index, t) not in store.records]
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
        try:
            async with asyncio.TaskGroup() as group:
                for problem, trace in todo:
                    group.create_task(sample(problem, trace))
        except* RuntimeError as errors:
            raise errors.exceptions[0] from errors
    return len(todo)

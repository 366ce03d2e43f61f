"""Samples how failed attempts could have gone on from their likeliest step; the evaluation's sampler does the work.

A run that was killed goes on where it stopped.
"""

import argparse
import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from data_prep.problems import DataError
from data_prep.traces import TraceRun
from mrt_verl.evaluation import EvaluationConfig
from mrt_verl.evaluation.evaluate_models import of_this_run, open_engine, request_settings
from mrt_verl.evaluation.options import sampling_fields
from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.run import sample_missing
from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.evaluation.settings import settings_of
from mrt_verl.evaluation.store import Store
from mrt_verl.grading import Grader

NAME = "continuations"
"""The run's directory in `--out`."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a continuation starts: after the prompt of a trace and some text of it."""

    record: TraceRecord
    text: str

    @property
    def key(self) -> str:
        """Stands for problem, trace and place."""
        place = f"{self.record.uid}:{self.record.trace}:{self.text}"
        return hashlib.blake2b(place.encode("utf-8", "replace"), digest_size=8).hexdigest()


def sample_continuations(
    starts: Sequence[Start], traces: TraceRun, options: argparse.Namespace
) -> dict[str, list[TraceRecord]]:
    """`--continuations` records per start, by its key; what is in `--out` already is not sampled again.

    Raises:
        DataError: the run was graded by another outcome, for which a trace's record does not hold all it takes.
        ValueError: `--out` holds continuations that were sampled in another way.
    """
    if traces.outcome != "math_verify":
        raise DataError(
            f"--continuations with traces of mrt.outcome={traces.outcome!r}; allowed: math_verify. Without "
            "--continuations, paths come from other attempts"
        )
    config = EvaluationConfig(
        models={NAME: options.model or traces.model},
        data=options.traces,
        budgets=[options.response_tokens],
        out=options.out,
        traces=options.continuations,
        direct_answers=1,
        seed=options.seed,
        # only whether the end is right counts: no boundaries, one answer without further thinking
        **{**sampling_fields(options), "settings": replace(settings_of(traces.mrt), max_episodes=1, branches=1)},
    )
    about = {
        "model": config.models[NAME],
        "starts": [start.key for start in starts],
        "traces": options.continuations,
        "seed": options.seed,
        "response_tokens": options.response_tokens,
        "sampling_params": config.plan.sampling_params,
        "mrt": dict(traces.mrt),
    }
    with Store(options.out / NAME, about) as store:
        asyncio.run(_sample(starts, config, store))
        found: dict[str, list[TraceRecord]] = {}
        for record in store.records.values():
            found.setdefault(record.uid, []).append(record)
    return found


async def _sample(starts: Sequence[Start], config: EvaluationConfig, store: Store) -> None:
    if len(store.records) == len(starts) * config.traces:
        return
    problems = [
        Problem(number, start.key, start.record.data_source, start.record.messages, start.record.reference)
        for number, start in enumerate(starts)
    ]
    engine, tokenizer = open_engine(NAME, of_this_run(config, len(store.records)))
    texts = {start.key: start.text for start in starts}
    with Grader(deadline_s=config.settings.grade_timeout_s, thinking=None) as grader:
        try:
            sampler = RecordSampler(
                *(engine, tokenizer, request_settings(config), config.plan, grader),
                continued_from=lambda problem: texts[problem.uid],
            )
            await sample_missing(problems, config.traces, sampler, store, concurrency=config.concurrency, label=NAME)
        finally:
            await engine.close()

"""Samples how failed attempts could have gone on from their likeliest step; the evaluation's sampler does the work.

A run that was killed goes on where it stopped.
"""

import argparse
import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data_prep.problems import DataError
from data_prep.traces import TraceRun
from mrt_verl.evaluation.command import build_parser, open_engine
from mrt_verl.evaluation.engines import Engine
from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.run import sample_missing
from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.evaluation.settings import settings_of
from mrt_verl.evaluation.store import Store
from mrt_verl.evaluation.thinking import SamplingPlan, Thinker
from mrt_verl.grading import Grader
from mrt_verl.settings import MRTSettings

NAME = "continuations"
"""The run's directory in `--out`."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a continuation starts: behind the prompt of a trace and some text of it."""

    record: TraceRecord
    text: str

    @property
    def key(self) -> str:
        """Stands for problem, trace and place."""
        place = f"{self.record.uid}:{self.record.trace}:{self.text}"
        return hashlib.blake2b(place.encode("utf-8", "replace"), digest_size=8).hexdigest()


class ContinuingThinker(Thinker):
    """Goes on behind the text of a start instead of beginning anew."""

    def __init__(
        self, engine: Engine, tokenizer: Any, settings: MRTSettings, plan: SamplingPlan, texts: Mapping[str, str]
    ) -> None:
        """Keep the parts; `texts` by the key of their start."""
        super().__init__(engine, tokenizer, settings, plan)
        self._texts = texts

    def encode(self, problem: Problem) -> list[int]:
        """The prompt and the start's text."""
        text = self.tokenizer.encode(self._texts[problem.uid], add_special_tokens=False)
        return [*super().encode(problem), *text]


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
    model, tokens = options.model or traces.model, str(options.response_tokens)
    needed = ["run", "--model", model, "--data", NAME, "--out", str(options.out), "--budgets", tokens]
    further = build_parser().parse_args([*needed, "--seed", str(options.seed), *options.further])
    # only whether the end is right counts: no boundaries, one answer without further thinking
    settings = replace(settings_of(traces.mrt), max_episodes=1, branches=1)
    plan = SamplingPlan(
        response_tokens=options.response_tokens,
        sampling_params={"temperature": further.temperature, "top_p": further.top_p, "top_k": further.top_k},
        direct_answers=1,
    )
    about = {
        "model": model,
        "starts": [start.key for start in starts],
        "traces": options.continuations,
        "seed": options.seed,
        "response_tokens": options.response_tokens,
        "sampling_params": plan.sampling_params,
        "mrt": dict(traces.mrt),
    }
    with Store(options.out / NAME, about) as store:
        asyncio.run(_sample(model, starts, settings, plan, store, options, further))
        found: dict[str, list[TraceRecord]] = {}
        for record in store.records.values():
            found.setdefault(record.uid, []).append(record)
    return found


async def _sample(
    model: str,
    starts: Sequence[Start],
    settings: MRTSettings,
    plan: SamplingPlan,
    store: Store,
    options: argparse.Namespace,
    further: argparse.Namespace,
) -> None:
    if len(store.records) == len(starts) * options.continuations:
        return
    problems = [
        Problem(number, start.key, start.record.data_source, start.record.messages, start.record.reference)
        for number, start in enumerate(starts)
    ]
    engine, tokenizer = open_engine(NAME, model, settings, further)
    texts = {start.key: start.text for start in starts}
    with Grader(deadline_s=settings.grade_timeout_s, thinking=None) as grader:
        try:
            sampler = RecordSampler(ContinuingThinker(engine, tokenizer, settings, plan, texts), grader)
            count, most = options.continuations, further.concurrency
            await sample_missing(problems, count, sampler, store, concurrency=most, label=NAME)
        finally:
            await engine.close()

"""Traces that are there already, cut into other episodes or answered after another stop text: no trace is sampled."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.sampling import DirectAnswers, RecordSampler
from mrt_verl.rollout import Response, Rollout
from mrt_verl.trace import Trace

Traces = Mapping[tuple[int, int], TraceRecord]
"""Records by problem and trace."""


class RecutSampler(RecordSampler):
    """Samples forced answers at the boundaries that its settings find in given traces."""

    def __init__(self, *parts: Any, traces: Traces, keep_before: bool) -> None:
        """Keep the parts of RecordSampler and the traces.

        Args:
            keep_before: whether the answers without thinking are taken over too, as for the same stop text.
        """
        super().__init__(*parts)
        self._traces, self._keep_before = traces, keep_before

    async def respond(self, problem: Problem, prompt_ids: list[int], request_id: str, trace: int) -> Response:
        return read_again(self.rollout, prompt_ids, self._traces[problem.index, trace])

    async def answer_directly(self, problem: Problem) -> DirectAnswers:
        if not self._keep_before:
            return await super().answer_directly(problem)
        record = self._traces[problem.index, 0]
        return DirectAnswers(record.before, record.before_tokens, record.j_before)


def read_again(rollout: Rollout, prompt_ids: list[int], record: TraceRecord) -> Response:
    """A record's response from its text, whose tokens may be cut otherwise than they were sampled."""
    ids = rollout.tokenizer.encode(record.response, add_special_tokens=False)
    eos = rollout.tokenizer.eos_token_id
    if record.finished and eos is not None:
        ids.append(eos)
    trace = Trace()
    trace.add_sampled(ids, None)
    return dataclasses.replace(rollout.read(prompt_ids, trace), finished=record.finished)

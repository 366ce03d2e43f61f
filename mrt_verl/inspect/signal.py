"""What MRT would learn from: progress against the noise of its estimate, and which groups have any signal (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from mrt_verl.evaluation import traces as of_trace
from mrt_verl.evaluation.records import Answer, TraceRecord
from mrt_verl.grading.grades import UNKNOWN
from mrt_verl.metrics import lag1
from mrt_verl.progress import normalised_regret


@dataclass(frozen=True, slots=True)
class Signal:
    """Of the traces of some problems."""

    accuracy: float
    """Mean score of the traces' own answers."""
    j_before: float
    """Mean J without thinking."""
    j_last: float
    """Mean J at the end of the thinking."""
    regret: float
    """Mean normalised regret at the budget."""
    steps: int
    """Episodes with a known progress."""
    progress_std: float
    """Standard deviation of an episode's estimated progress."""
    noise_std: float | None
    """What of it the prover's sampling explains; None where no boundary has two answers to tell it from."""
    outcome_groups: float
    """Share of the problems whose traces differ in their outcome: what GRPO learns from."""
    progress_groups: float
    """Share of those without, where some episode's progress is not 0: what MRT adds."""
    known_share: float
    """Share of the thinking that comes after J first reached 0.9."""
    pairs: int = 0
    """Successive steps; 0 where J never changes."""
    lag1: float = 0.0
    """Autocorrelation of progress from one step to the next (mrt/progress_lag1): what of a change is undone at once."""
    noise_lag1: float = 0.0
    """What of it the prover's sampling explains."""

    @property
    def true_std(self) -> float:
        """Standard deviation of progress without the prover's noise, as far as that is known."""
        return self._without_noise(0.0)

    @property
    def true_range(self) -> tuple[float, float]:
        """About 95 % of what `true_std` may be by chance, two standard errors of the variance to either side.

        Where the noise is not known, all of progress may be noise.
        """
        error = 2 * float(np.sqrt(2 / (self.steps - 1))) if self.steps > 1 else float("inf")
        return 0.0 if self.noise_std is None else self._without_noise(-error), self._without_noise(error)

    def _without_noise(self, error: float) -> float:
        variance = self.progress_std**2
        return float(np.sqrt(max((variance * (1 + error) if variance else 0.0) - (self.noise_std or 0.0) ** 2, 0.0)))


def measure_signal(problems: Sequence[Sequence[TraceRecord]], budget: int) -> Signal:
    """The signal in the traces of each problem."""
    records = [record for traces in problems for record in traces]
    of_traces = [[value for _, value in of_trace.progress(record)] for record in records]
    steps = list(chain.from_iterable(of_traces))
    noise = [variance for record in records for variance in _noise_of_steps(record)]
    mixed = [len({record.own.score for record in traces}) > 1 for traces in problems]
    moving = [any(value != 0 for record in traces for _, value in of_trace.progress(record)) for traces in problems]
    thinking = sum(record.think_tokens for record in records)
    return Signal(
        accuracy=float(np.mean([record.own.score for record in records])),
        j_before=_mean([record.j_before for record in records]),
        j_last=_mean([js[-1] for record in records if (js := of_trace.known_js(record))]),
        regret=float(np.mean([normalised_regret(*of_trace.curve_points(record), budget) for record in records])),
        steps=len(steps),
        progress_std=float(np.std(steps)) if steps else 0.0,
        noise_std=float(np.sqrt(np.mean(noise))) if noise else None,
        outcome_groups=float(np.mean(mixed)),
        progress_groups=float(np.mean([move and not mix for move, mix in zip(moving, mixed, strict=True)])),
        known_share=sum(map(of_trace.overthinking_tokens, records)) / max(thinking, 1),
        pairs=sum(max(len(values) - 1, 0) for values in of_traces) if any(steps) else 0,
        lag1=lag1(of_traces),
        noise_lag1=_noise_lag1(records, steps),
    )


def noise_variance(answers: Sequence[Answer]) -> float | None:
    """Variance of the mean grade of G answers, J(1 - J) / (G - 1); None of one answer or of weighted ones.

    Answers whose grade is not known are left out, as they are of J.
    """
    known = [answer for answer in answers if answer.verdict not in UNKNOWN]
    if len(known) < 2 or any(answer.weight is not None for answer in known):
        return None
    j = float(np.mean([answer.score for answer in known]))
    return j * (1 - j) / (len(known) - 1)


def answers_at(record: TraceRecord, number: int) -> list[Answer]:
    """The answers whose mean is J of a boundary: where the trace closes its thinking, its own is one of them.

    That holds for plain samples, which an inspection draws (Rollout.own_is_sample).
    """
    forced = record.episodes[number].forced
    is_sample = record.closed and number == len(record.episodes) - 1 and all(one.weight is None for one in forced)
    return [*forced, record.own] if is_sample else forced


def _noise_of_steps(record: TraceRecord) -> list[float]:
    """The noise in the progress of each episode: that of its two ends."""
    ends = [
        noise_variance(record.before),
        *(noise_variance(answers_at(record, number)) for number in range(len(record.episodes))),
    ]
    return [one + other for one, other in zip(ends[1:], ends, strict=False) if one is not None and other is not None]


def _noise_lag1(records: Sequence[TraceRecord], steps: Sequence[float]) -> float:
    """The noise that two successive steps share is that of the J between them, with opposite signs."""
    squares = sum(value * value for value in steps)
    shared = [
        noise_variance(answers_at(record, boundary)) or 0.0
        for record in records
        for boundary, _ in of_trace.progress(record)[:-1]
    ]
    return -sum(shared) / squares if squares else 0.0


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else 0.0

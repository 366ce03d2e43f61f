"""Everything that is found in one run of traces (pure)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.records import Answer, TraceRecord
from mrt_verl.inspect.forced import ForcedAnswers, read_forms
from mrt_verl.inspect.openings import Openings, find_openings
from mrt_verl.inspect.price import extra_tokens
from mrt_verl.inspect.signal import Signal, measure_signal
from mrt_verl.inspect.stop_texts import Tried
from mrt_verl.provers import prover_class
from mrt_verl.settings import MRTSettings


@dataclass(frozen=True, slots=True)
class Findings:
    """Of one run."""

    settings: MRTSettings
    """As training would have them, but for the prover, which samples plainly here."""
    traces: int
    group: int
    """Traces of one problem."""
    response_tokens: float
    """Mean of a trace."""
    think_tokens: float
    closed_share: float
    """Of the traces that think, those that closed their thinking."""
    without_thinking: float
    """Share of traces without any."""
    episodes_mean: float
    single_share: float
    """Share of the thinking traces that are one episode."""
    capped_share: float
    """Share of traces with more episodes than `mrt.max_episodes`."""
    openings: Openings
    forced: ForcedAnswers
    signal: Signal
    price: dict[str, float]
    branch_time: tuple[float, float] | None = None
    """Mean seconds of a trace, and of the forced answers of all its boundaries after it; None if none was timed."""
    tried: tuple[Tried, ...] = ()
    """Stop texts side by side, the one as set first; () where none were tried."""
    scored: dict[str, float] = field(default_factory=dict)
    """Mean probability of the reference answer in each spelling, at the same places, after the stop text to use
    (allowed.chosen)."""
    prover: str | None = None
    """The prover that training was asked for; None if none was named."""


def read_findings(run: Run, settings: MRTSettings, *, group: int = 8) -> Findings:
    """What a run's traces show.

    Args:
        settings: training's; the run itself was sampled at every boundary.
        group: rollouts of a prompt in training.
    """
    records = [record for problem in run.problems for record in problem]
    thinking = [record for record in records if record.episodes]
    counts = [len(record.episodes) for record in thinking]
    return Findings(
        settings=settings,
        traces=len(records),
        group=len(run.problems[0]),
        response_tokens=_mean([record.response_tokens for record in records]),
        think_tokens=_mean([record.think_tokens for record in records]),
        closed_share=_mean([record.closed for record in thinking]),
        without_thinking=1 - len(thinking) / len(records),
        episodes_mean=_mean(counts),
        single_share=_mean([count == 1 for count in counts]),
        capped_share=_mean([count > settings.max_episodes for count in counts]),
        openings=find_openings([thought(record) for record in thinking], settings.markers),
        forced=read_forms(forced_answers(records)),
        signal=measure_signal(run.problems, max(run.budgets)),
        price=extra_tokens(
            records,
            branches=prover_class(settings).answers_drawn(settings) or 1,
            max_episodes=settings.max_episodes,
            group=group,
        ),
    )


def thought(record: TraceRecord) -> str:
    """What a trace thought."""
    return "".join(episode.text for episode in record.episodes)


def forced_answers(records: Sequence[TraceRecord]) -> list[Answer]:
    """All forced answers, those without thinking once a problem."""
    before = {record.problem: record.before for record in records}
    at_boundaries = [answer for record in records for episode in record.episodes for answer in episode.forced]
    return [*at_boundaries, *(answer for answers in before.values() for answer in answers)]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0

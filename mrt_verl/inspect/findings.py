"""Everything that is found in one run of traces, and how it is told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.records import Answer, TraceRecord
from mrt_verl.inspect.forced import ForcedAnswers, read_forms
from mrt_verl.inspect.openings import Openings, find_openings
from mrt_verl.inspect.price import extra_tokens
from mrt_verl.inspect.signal import Signal, measure_signal
from mrt_verl.provers import prover_class
from mrt_verl.settings import MRTSettings


@dataclass(frozen=True, slots=True)
class Findings:
    """Of one run."""

    settings: MRTSettings
    """As training would have them: `max_episodes` and prover of the command line."""
    traces: int
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


def read_findings(run: Run, settings: MRTSettings, *, stop_tokens: int, group: int = 8) -> Findings:
    """What a run's traces show.

    Args:
        settings: training's; the run itself was sampled at every boundary.
        stop_tokens: tokens of the stop text.
        group: rollouts of a prompt in training.
    """
    records = [record for problem in run.problems for record in problem]
    thinking = [record for record in records if record.episodes]
    counts = [len(record.episodes) for record in thinking]
    return Findings(
        settings=settings,
        traces=len(records),
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
            stop_tokens=stop_tokens,
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


def describe_findings(found: Findings) -> list[str]:
    """The findings in plain words, a line each."""
    signal, forced, openings = found.signal, found.forced, found.openings
    form, share = forced.main_form
    opened = ", ".join(f"{word} {count}" for word, count in openings.markers.items()) or "none"
    others = ", ".join(f"{word} {count}" for word, count in openings.others.items()) or "none"
    lines = [
        f"traces      {found.traces}, {found.response_tokens:.0f} tokens each, {found.think_tokens:.0f} of them "
        f"thinking; right {signal.accuracy:.2f}; thinking closed {found.closed_share:.2f}, none at all "
        f"{found.without_thinking:.2f}",
        f"episodes    {found.episodes_mean:.1f} a trace (mrt.episodes={found.settings.episodes}), one in all "
        f"{found.single_share:.2f}, more than mrt.max_episodes {found.capped_share:.2f}",
        f"openings    markers by paragraphs: {opened}; other frequent ones by traces: {others}",
        f"answers     {forced.count} forced, readable {forced.readable_share:.2f}, ended {forced.finished_share:.2f}; "
        f"written as {form!r} {share:.2f}",
        f"J           without thinking {signal.j_before:.2f}, at the end {signal.j_last:.2f}; regret "
        f"{signal.regret:.2f}; {signal.known_share:.0%} of the thinking comes after J reached 0.9",
        f"progress    {signal.progress_std:.3f} (standard deviation), of which noise {signal.noise_std:.3f}: without "
        f"it {signal.true_std:.3f}",
        f"groups      {signal.outcome_groups:.2f} differ in outcome (what GRPO learns from), further "
        f"{signal.progress_groups:.2f} have progress alone",
        "price       " + "; ".join(f"{name} {share:.0%}" for name, share in found.price.items()) + " more tokens",
    ]
    if forced.unreadable:
        lines.insert(4, "            not readable: " + ", ".join(repr(text[:60]) for text in forced.unreadable))
    return lines


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0

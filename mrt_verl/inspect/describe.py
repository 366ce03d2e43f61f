"""Findings in plain words, for the console and the page (pure)."""

from collections.abc import Mapping, Sequence

from mrt_verl.evaluation.page.tables import NONE, Table
from mrt_verl.inspect.allowed import chosen
from mrt_verl.inspect.findings import Findings
from mrt_verl.inspect.signal import Signal
from mrt_verl.inspect.stop_texts import Tried

SHOWN = 60
"""Characters of a model's text that are shown."""


def describe_findings(found: Findings) -> list[tuple[str, str]]:
    """(subject, what was found), in the order in which MRT meets it."""
    signal, settings = found.signal, found.settings
    price = "; ".join(f"{name}: {share:.0%}" for name, share in found.price.items())
    return [
        (
            "traces",
            f"{found.traces}, {found.response_tokens:.0f} tokens each, {found.think_tokens:.0f} of them thinking; "
            f"{signal.accuracy:.0%} right; {1 - found.without_thinking:.0%} think, {found.closed_share:.0%} of "
            "these end their thinking",
        ),
        ("episodes", _episodes(found)),
        ("paragraphs", _paragraphs(found)),
        ("answers", _answers(found)),
        *([("reference", _reference(found))] if found.scored else []),
        (
            "J",
            f"{signal.j_before:.2f} without thinking, {signal.j_last:.2f} at the end of it; normalised regret "
            f"{signal.regret:.2f}; {signal.known_share:.0%} of the thinking comes after J reached 0.9",
        ),
        (
            "progress",
            f"of {signal.steps} episodes: standard deviation {signal.progress_std:.3f}, chance among few forced "
            f"answers alone makes {_beyond_chance(signal)}",
        ),
        *([("undone", _undone(found))] if signal.pairs else []),
        (
            "groups",
            f"{found.group} traces a problem: {signal.outcome_groups:.0%} of the problems have right and wrong ones "
            f"(GRPO learns from these alone), further {signal.progress_groups:.0%} have progress without that, some of "
            "it chance",
        ),
        ("price", f"more generated tokens, branching {settings.max_episodes} boundaries at most: {price}"),
        *([("time", _time(*found.branch_time))] if found.branch_time else []),
    ]


def stop_text_table(tried: Sequence[Tried]) -> Table:
    """The stop texts side by side."""
    rows = [
        [
            one.name,
            f"{one.readable:.0%}",
            f"{one.ended:.0%}",
            f"{one.tokens:.1f}",
            NONE if one.agreement is None else f"{one.agreement:.0%}",
            f"{one.right:.0%}",
            repr(one.text)[1:-1].replace("\\\\", "\\"),
        ]
        for one in tried
    ]
    places = f"{tried[0].answers} answers each, {tried[0].own_answers} of them where a trace answered by itself"
    header = ["", "readable", "end", "tokens", "agree with own answer", "right", "stop text"]
    return Table(f"Stop texts side by side ({places})", header, rows)


def print_table(table: Table) -> list[str]:
    """A table as lines of text."""
    rows = [table.header, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [table.caption, *(f"  {line}" for line in lines)]


def _episodes(found: Findings) -> str:
    limit = found.settings.max_episodes
    capped = f"; {found.capped_share:.0%} have more than mrt.max_episodes={limit}" if found.capped_share else ""
    return (
        f"{found.episodes_mean:.1f} a trace with mrt.episodes={found.settings.episodes}; {found.single_share:.0%} of "
        f"the traces that think are one episode{capped}"
    )


def _paragraphs(found: Findings) -> str:
    openings = found.openings
    numbered = f", {openings.numbered_share:.0%} of them numbered" if openings.numbered_share else ""
    return (
        f"{openings.paragraphs_mean:.1f} a trace{numbered}; opened by a marker: {_counts(openings.markers, 'times')}; "
        f"frequent openers that are no markers: {_counts(openings.others, 'traces')}"
    )


def _answers(found: Findings) -> str:
    forced = found.forced
    form, share = forced.main_form
    written = f", {share:.0%} of those as {form!r}" if form else ""
    unreadable = ", ".join(repr(text[:SHOWN]) for text in forced.unreadable)
    return (
        f"{forced.count} forced: {forced.readable_share:.0%} can be read{written}; {forced.finished_share:.0%} end by "
        "themselves" + (f"; not readable: {unreadable}" if unreadable else "")
    )


def _beyond_chance(signal: Signal) -> str:
    if signal.noise_std is None:
        return "what a single answer a boundary does not tell"
    low, high = signal.true_range
    return f"{signal.noise_std:.3f}; beyond chance {signal.true_std:.3f}, between {low:.2f} and {high:.2f}"


def _undone(found: Findings) -> str:
    signal = found.signal
    return (
        f"{max(0.0, -signal.lag1):.0%} of a change of J, at the next boundary: progress of {signal.pairs} successive "
        f"pairs of episodes has autocorrelation {signal.lag1:+.2f} (mrt/progress_lag1), of which chance among few "
        f"forced answers makes {signal.noise_lag1:+.2f}"
    )


def _time(trace: float, branches: float) -> str:
    more = f" ({branches / trace:+.0%})" if trace else ""
    return (
        f"a trace took {trace:.2f} s, the forced answers of all its boundaries {branches:.2f} s more{more}, their "
        "grading included, at this inspection's load; a prover that draws fewer answers takes less"
    )


def _reference(found: Findings) -> str:
    forms = ", ".join(f"{form!r} {value:.3f}" for form, value in found.scored.items())
    after = chosen(found)
    if after is None:
        return f"its mean probability, written as {forms}"
    changed = "" if after is found.tried[0] else f" after the stop text {after.name!r}"
    right = f"sampled answers at the same places are right with {after.right:.3f}"
    return f"its mean probability{changed}, written as {forms}; {right}"


def _counts(counts: Mapping[str, int], of: str) -> str:
    shown = ", ".join(f"{word} {count}" for word, count in list(counts.items())[:8])
    return f"{shown} ({of})" if shown else "none"

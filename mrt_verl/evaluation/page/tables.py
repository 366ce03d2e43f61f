"""The summary as tables of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrt_verl.evaluation.page.examples import number

NONE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Table:
    """Header and rows; the first cell of a row names it."""

    caption: str
    header: list[str]
    rows: list[list[str]]


def make_tables(summary: Mapping[str, Any]) -> list[Table]:
    """The tables of a report."""
    runs, comparisons = summary["runs"], summary["comparisons"]
    compared = [_differences(comparisons), _efficiency(comparisons)] if comparisons else []
    return [_main(runs), *compared, _votes(runs), _direct(runs), *map(_by_episode, runs), _lengths(runs)]


ALIKE = 1e-9
"""An interval that is narrower is that of equal values, summed in different orders."""


def interval(estimate: Mapping[str, Any] | None, form: str = ".3f") -> str:
    """`0.271 [0.248, 0.296]`; an end that is None is not finite.

    Where the bootstrap tells nothing, for want of problems or because all of them have one value, a dash stands for it.
    """
    if estimate is None:
        return NONE
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None:
        return "not reached"
    if (low is None and high is None) or (None not in (low, high) and high - low < ALIKE):
        return f"{number(value, form)} [{NONE}]"
    low_text = NONE if low is None else number(low, form)
    high_text = "∞" if high is None else number(high, form)
    return f"{number(value, form)} [{low_text},\N{NO-BREAK SPACE}{high_text}]"


def _main(runs: Sequence[Mapping[str, Any]]) -> Table:
    rows: list[list[str]] = [["pass@1", *(interval(run["pass@1"]) for run in runs)]]
    for budget in runs[0]["budgets"]:
        at = [run["budgets"][budget] for run in runs]
        rows.append([f"accuracy when stopped at {budget} tokens", *(interval(one["accuracy"]) for one in at)])
        rows.append([f"own answer right within {budget} tokens", *(interval(one["own_accuracy"]) for one in at)])
        rows.append([f"direct answers' vote within {budget} tokens", *(_direct_within(one["direct"]) for one in at)])
        rows.append([f"normalised regret at {budget} tokens", *(interval(one["regret"]) for one in at)])
        rows.append(
            [f"regret of the paper at {budget} tokens", *(interval(one.get("regret_of_the_paper")) for one in at)]
        )
    rows.append(["accuracy at half the largest budget", *(interval(run["accuracy_at_half_budget"]) for run in runs)])
    for key, label in (
        ("j_before", "J without thinking"),
        ("j_first", "J after the first episode"),
        ("j_last", "J after the last episode"),
    ):
        rows.append([label, *(number(run[key], ".3f") for run in runs)])
    rows.append(["episodes that lose (J falls)", *(interval(run["losing_episodes"]) for run in runs)])
    rows.append(["overthinking: share of tokens after J ≥ 0.9", *(interval(run["overthinking"]) for run in runs)])
    if any(run["extrapolated"] for run in runs):
        texts = [
            f"{interval(e['accuracy'])} at {e['tokens']:.0f} tokens" if (e := run["extrapolated"]) else NONE
            for run in runs
        ]
        rows.append(["accuracy after the last inserted marker", *texts])
    for key, label, form in (
        ("episodes", "episodes per trace", ".2f"),
        ("think_tokens", "thinking tokens per trace", ".1f"),
        ("response_tokens", "response tokens per trace", ".1f"),
        ("without_thinking", "traces without any thinking", ".3f"),
        ("closed", "traces that closed their thinking, of those with any", ".3f"),
        ("closed_own", "closed traces whose own answer is right", ".3f"),
        ("closed_forced", "the same traces, answers forced where they closed", ".3f"),
        ("no_answer", "traces without a final answer", ".3f"),
        ("branch_failures", "forced answers that failed", "d"),
        ("ungraded", "answers that could not be graded", "d"),
    ):
        rows.append([label, *(number(run[key], form) for run in runs)])
    return Table("Measures with 95 % intervals (bootstrap over problems)", ["", *(run["name"] for run in runs)], rows)


def _votes(runs: Sequence[Mapping[str, Any]]) -> Table:
    ks = list(dict.fromkeys(k for run in runs for k in run["pass@k"]))
    rows = []
    for key in ("pass@k", "maj@k"):
        rows += [[key.replace("k", k), *(interval(run[key].get(k)) for run in runs)] for k in ks]
    return Table("Several traces per problem", ["", *(run["name"] for run in runs)], rows)


def _direct(runs: Sequence[Mapping[str, Any]]) -> Table:
    ks = list(dict.fromkeys(k for run in runs for k in run["direct_maj@k"]))

    def cell(run: Mapping[str, Any], k: str) -> str:
        one = run["direct_maj@k"].get(k)
        return f"{interval(one)} at {one['tokens']:.0f} tokens" if one else NONE

    rows = [[f"maj@{k}", *(cell(run, k) for run in runs)] for k in ks]
    return Table("Votes of direct answers, without thinking", ["", *(run["name"] for run in runs)], rows)


def _by_episode(run: Mapping[str, Any]) -> Table:
    k, votes = max(run["prefix_maj@k"].items(), key=lambda item: int(item[0]))
    vote_of = {row["episode"]: interval(row) for row in votes}
    rows = [
        [
            f"episode {row['episode'] + 1}",
            str(row["episodes"]),
            interval(row, "+.3f"),
            vote_of.get(row["episode"], NONE),
            number(run["cumulative_regret"][row["episode"]], ".3f"),
        ]
        for row in run["progress_by_episode"]
    ]
    caption = f"{run['name']} by episode; later ones exist only in traces that go on so far"
    return Table(caption, ["", "traces", "progress", f"maj@{k} of forced answers", "cumulative regret"], rows)


def _lengths(runs: Sequence[Mapping[str, Any]]) -> Table:
    shares = [run["episodes_per_trace"] for run in runs]
    numbers = sorted({int(count) for share in shares for count in share})
    rows = [[str(n), *(number(share.get(str(n), 0.0), ".3f") for share in shares)] for n in numbers]
    return Table("Share of traces by number of episodes", ["episodes", *(run["name"] for run in runs)], rows)


def _direct_within(vote: Mapping[str, Any] | None) -> str:
    return f"{interval(vote)} maj@{vote['k']}" if vote else NONE


def _differences(comparisons: Sequence[Mapping[str, Any]]) -> Table:
    header = ["", *(f"{one['method']} minus {one['baseline']}" for one in comparisons)]
    rows = [["pass@1", *(interval(one["pass@1_difference"], "+.3f") for one in comparisons)]]
    rows += [
        [f"normalised regret at {c}", *(interval(one["regret_difference"][c], "+.3f") for one in comparisons)]
        for c in comparisons[0]["regret_difference"]
    ]
    rows.append(["accuracy at half budget", *(interval(one["half_budget_difference"], "+.3f") for one in comparisons)])
    return Table("Differences (paired: the same problems are drawn for both)", header, rows)


def _efficiency(comparisons: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            f"{one['method']} against {one['baseline']}",
            number(row["accuracy"], ".3f"),
            _tokens(row["baseline_tokens"]),
            _tokens(row["method_tokens"]),
            interval(row["ratio"], ".2f"),
        ]
        for one in comparisons
        for row in one["token_efficiency"]
    ]
    caption = "Token efficiency: tokens the baseline needs for an accuracy ÷ tokens the method needs"
    return Table(caption, ["", "accuracy", "baseline tokens", "method tokens", "ratio"], rows)


def _tokens(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.0f}"

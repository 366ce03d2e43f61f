"""The summary in sentences: what it found, and what to know before it is believed."""

from collections.abc import Mapping, Sequence
from typing import Any

from mrt_verl.evaluation.page.examples import number
from mrt_verl.evaluation.page.tables import interval
from mrt_verl.evaluation.traces import NO_THINKING

MAX_UNGRADED = 0.05
"""Share of a run's answers without a grade above which the page says so first."""


def describe(summary: Mapping[str, Any]) -> list[str]:
    """The main findings in sentences, one per comparison; of a single run, its own numbers."""
    runs = {run["name"]: run for run in summary["runs"]}
    ungraded = [
        f"{run['name']}: {run['ungraded']} of {run['answers']} answers are ungraded, so its numbers say little."
        for run in summary["runs"]
        if run["ungraded"] > MAX_UNGRADED * run["answers"]
    ]
    mute = [f"{run['name']}: {NO_THINKING}." for run in summary["runs"] if run["without_thinking"] == 1.0]
    uneven = [text for one in summary["comparisons"] if (text := _uneven(runs[one["method"]], runs[one["baseline"]]))]
    warnings = [*ungraded, *mute, *uneven]
    if not summary["comparisons"]:
        (run,) = summary["runs"]
        budget = max(run["budgets"], key=int)
        regret = interval(run["budgets"][budget]["regret"])
        numbers = f"{run['name']}: pass@1 {interval(run['pass@1'])}, normalised regret {regret} at {budget} tokens."
        return [*warnings, numbers]
    return [*warnings, *(_describe_comparison(one, runs) for one in summary["comparisons"])]


UNEVEN = 0.01
"""Regret that one of two runs may seem to gain by its boundaries alone, from which the page says so."""


def _uneven(method: Mapping[str, Any], baseline: Mapping[str, Any]) -> str | None:
    """Where J of one run is asked more seldom.

    Between boundaries its curve is a line. Of a J that jumps at the end of an episode the line holds half an episode's
    tokens too much.
    """
    apart = {run["name"]: run["think_tokens"] / run["episodes"] for run in (method, baseline) if run["episodes"]}
    budget = max(map(int, method["budgets"]))
    if len(apart) < 2 or (gain := (max(apart.values()) - min(apart.values())) / 2 / budget) < UNEVEN:
        return None
    seldom, often = sorted(apart, key=lambda name: -apart[name])
    return (
        f"{seldom} is asked for J every {apart[seldom]:.0f} tokens of thinking, {often} every {apart[often]:.0f}. "
        f"Between boundaries J is drawn as a line, which may favour {seldom} by up to {gain:.3f} in regret. For the "
        f"same boundaries evaluate both with --set mrt.episodes=tokens:{max(1, budget // 10)} or paragraphs."
    )


GAP = 0.05
"""Between own and forced answers at the same place, from which the page explains it."""


def explain_points(runs: Sequence[Mapping[str, Any]]) -> str:
    """Why own answers and J at the end of a trace differ, where they do; else nothing."""
    parts = [
        f"{run['name']} {number(run['closed_own'], '.3f')} against {number(run['closed_forced'], '.3f')}"
        for run in runs
        if run["closed_own"] is not None and abs(run["closed_own"] - run["closed_forced"]) >= GAP
    ]
    if not parts:
        return ""
    return (
        "Points apart from their line: where a trace closed its thinking by itself, its own answer and one forced at "
        f"the same place are not as often right ({'; '.join(parts)}). The stop text leads to another answer than the "
        "model's own closing words do, and the line also holds traces that were cut off, which have no own answer."
    )


def _describe_comparison(one: Mapping[str, Any], runs: Mapping[str, Any]) -> str:
    method, baseline = runs[one["method"]], runs[one["baseline"]]
    budget = max(method["budgets"], key=int)
    full = one["token_efficiency"][-1]
    if full["method_tokens"] is not None:
        ratio = interval(full["ratio"], ".2f")
        reach = (
            f"For {baseline['name']}'s accuracy {baseline['name']} takes {ratio} times the tokens that "
            f"{method['name']} takes{', 0 where it is not reached' if full['ratio']['low'] == 0 else ''}."
        )
    else:
        reach = f"It does not reach {baseline['name']}'s accuracy within the budget."
    return (
        f"{method['name']} against {baseline['name']}: pass@1 {number(method['pass@1']['value'], '.3f')} against "
        f"{number(baseline['pass@1']['value'], '.3f')} (difference {interval(one['pass@1_difference'], '+.3f')}); "
        f"normalised regret at {budget} tokens {number(method['budgets'][budget]['regret']['value'], '.3f')} against "
        f"{number(baseline['budgets'][budget]['regret']['value'], '.3f')} "
        f"(difference {interval(one['regret_difference'][budget], '+.3f')}). {reach}"
    )

"""Tables of a report: the measures of each run with their intervals, and the comparison of two runs."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from mrt_verl.evaluation import traces as of_trace
from mrt_verl.evaluation.bootstrap import estimate, mean_estimate, ratio_estimate, resample_weights
from mrt_verl.evaluation.curves import Floats, cumulative_regrets, tokens_to_reach
from mrt_verl.evaluation.measures import Measures, doubling
from mrt_verl.evaluation.records import Answer, TraceRecord

RESAMPLES = 1000
TARGETS = (0.5, 0.75, 0.9, 1.0)
"""Accuracies at which token efficiency is taken: shares of what the baseline reaches at the largest budget."""
MAX_EPISODES = 20
"""Episode indices that tables and plots show."""
FEW_PROBLEMS = 10
"""A bootstrap over fewer says more about the draw than about the model: such a report has no intervals."""


def summarise(measured: Sequence[Measures], resamples: int = RESAMPLES) -> dict[str, Any]:
    """summary.json: `runs`, one entry each, and `comparisons` of the first run with each other one; JSON types."""
    problems = len(measured[0].run.problems)
    weights = resample_weights(problems, resamples)
    tables = {
        "runs": [summarise_run(measures, weights) for measures in measured],
        "comparisons": [compare(measured[0], baseline, weights) for baseline in measured[1:]],
    }
    return {
        "problems": problems,
        "resamples": resamples,
        **(tables if problems >= FEW_PROBLEMS else without_intervals(tables)),
    }


def without_intervals(node: Any) -> Any:
    """The same numbers, `low` and `high` unknown."""
    if isinstance(node, list):
        return [without_intervals(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: None if key in ("low", "high") else without_intervals(value) for key, value in node.items()}


def summarise_run(measures: Measures, weights: Floats) -> dict[str, Any]:
    """The measures of one run; intervals are 95 % of a bootstrap over problems.

    Args:
        weights: (resamples, problems), see bootstrap.resample_weights.
    """
    run, traces = measures.run, measures.traces
    return {
        "name": run.name,
        "model": run.settings["model"],
        "traces_per_problem": len(run.problems[0]),
        **_votes(measures, weights),
        "budgets": {str(budget): _at_budget(measures, budget, weights) for budget in run.budgets},
        "accuracy_at_half_budget": _mean(measures.success_within(measures.budget / 2), weights),
        **_values(traces),
        **_by_episode(measures, weights),
        "episodes_per_trace": _shares([len(record.episodes) for record in traces]),
        "losing_episodes": ratio_estimate(*measures.ratio_parts("losing"), weights).to_dict(),
        "overthinking": ratio_estimate(*measures.ratio_parts("overthinking"), weights).to_dict(),
        "extrapolated": _extrapolated(measures, weights),
        "response_tokens": _average([record.response_tokens for record in traces]),
        "think_tokens": _average([record.think_tokens for record in traces]),
        "episodes": _average([len(record.episodes) for record in traces]),
        "closed": _average([record.closed for record in traces if record.episodes]),
        **_at_the_end(traces),
        "without_thinking": _average([not record.episodes for record in traces]),
        "no_answer": _average([record.own.verdict == "no_answer" for record in traces]),
        "branch_failures": sum(record.branch_failures for record in traces),
        "ungraded": sum(answer.verdict in ("timeout", "error") for r in traces for answer in _answers(r)),
        "answers": sum(1 for r in traces for _ in _answers(r)),
    }


def _at_the_end(traces: Sequence[TraceRecord]) -> dict[str, Any]:
    """Of traces that closed their thinking: their own answers, and those forced where they closed it, by themselves."""
    closed = [record for record in traces if record.closed and record.episodes and record.episodes[-1].forced]
    forced = [_success(record.episodes[-1].forced) for record in closed]
    return {"closed_own": _average([record.own.score for record in closed]), "closed_forced": _average(forced)}


def _success(answers: Sequence[Answer]) -> float:
    """What forced answers alone say of J: the mean score, or the weighted sum."""
    weighted = [answer.score * answer.weight for answer in answers if answer.weight is not None]
    return math.fsum(weighted) if weighted else float(np.mean([answer.score for answer in answers]))


def _votes(measures: Measures, weights: Floats) -> dict[str, Any]:
    """pass@k and maj@k of traces and of answers without thinking."""
    problems = measures.run.problems
    ks = doubling(len(problems[0]))
    direct_ks = doubling(max(1, max(len(problem[0].before) for problem in problems)))
    return {
        "pass@1": _mean(measures.outcomes.mean(axis=1), weights),
        "pass@k": {str(k): _mean(measures.pass_at(k), weights) for k in ks},
        "maj@k": {str(k): _mean(measures.majority_at(k), weights) for k in ks},
        "direct_maj@k": {
            str(k): {**_mean(measures.direct_majority_at(k), weights), "tokens": k * measures.direct_tokens}
            for k in direct_ks
        },
    }


def _values(traces: Sequence[TraceRecord]) -> dict[str, Any]:
    """J without thinking, after the first and the last episode, and cumulative regret by episode."""
    before = [record.j_before for record in traces if record.j_before is not None]
    js = [of_trace.known_js(record) for record in traces]
    longest = max(len(record.episodes) for record in traces)
    return {
        "j_before": float(np.mean(before)) if before else None,
        "j_first": _average([row[0] for row in js if row]),
        "j_last": _average([row[-1] for row in js if row]),
        "cumulative_regret": cumulative_regrets(js, min(MAX_EPISODES, max(1, longest))).tolist(),
    }


def _by_episode(measures: Measures, weights: Floats) -> dict[str, Any]:
    """Progress, and the vote of the forced answers, at each episode index."""
    return {
        "progress_by_episode": [
            {"episode": index, "episodes": int(counts.sum()), **ratio_estimate(sums, counts, weights).to_dict()}
            for index, sums, counts in measures.by_index(of_trace.progress, MAX_EPISODES)
        ],
        "prefix_maj@k": {
            str(k): [
                {"episode": index, **ratio_estimate(sums, counts, weights).to_dict()}
                for index, sums, counts in measures.by_index(partial(of_trace.prefix_votes, k=k), MAX_EPISODES)
            ]
            for k in doubling(measures.run.settings["mrt"]["branches"])
        },
    }


def compare(method: Measures, baseline: Measures, weights: Floats) -> dict[str, Any]:
    """Token efficiency of `method` over `baseline`, and differences; the bootstrap draws the same problems for both."""
    budget = min(method.budget, baseline.budget)
    return {
        "method": method.run.name,
        "baseline": baseline.run.name,
        "pass@1_difference": _mean(method.outcomes.mean(axis=1) - baseline.outcomes.mean(axis=1), weights),
        "regret_difference": {
            str(c): _mean(method.regrets(c) - baseline.regrets(c), weights) for c in method.run.budgets
        },
        "half_budget_difference": _mean(
            method.success_within(budget / 2) - baseline.success_within(budget / 2), weights
        ),
        "token_efficiency": [token_efficiency(method, baseline, share, weights) for share in TARGETS],
    }


def token_efficiency(method: Measures, baseline: Measures, share: float, weights: Floats) -> dict[str, Any]:
    """Tokens the baseline needs for an accuracy ÷ tokens the method needs for it (arXiv 2503.07572).

    Args:
        share: the accuracy is this share of what the baseline reaches at the largest budget, in every resample anew.

    Returns:
        `accuracy`, `method_tokens`, `baseline_tokens`, `ratio` with its interval; None where it is not reached.
    """

    def tokens(curves: tuple[Floats, Floats]) -> tuple[Floats, Floats, Floats]:
        targets = share * curves[1][:, -1]
        return (
            tokens_to_reach(method.grid, curves[0], targets),
            tokens_to_reach(baseline.grid, curves[1], targets),
            targets,
        )

    ours, theirs = method.plain_curves, baseline.plain_curves
    mine, others, accuracy = tokens((ours.mean(axis=0)[None], theirs.mean(axis=0)[None]))
    mine_drawn, others_drawn, _ = tokens((weights @ ours, weights @ theirs))
    ratio = estimate(_divide(others, mine)[0], _divide(others_drawn, mine_drawn))
    return {
        "share": share,
        "accuracy": float(accuracy[0]),
        "method_tokens": _finite(mine[0]),
        "baseline_tokens": _finite(others[0]),
        "ratio": ratio.to_dict(),
        "resamples_not_reached": int(np.isinf(mine_drawn).sum()),
    }


def _divide(theirs: Floats, mine: Floats) -> Floats:
    """Ratios; 1 where both are 0 tokens, 0 where the method never gets there."""
    both = (theirs == 0) & (mine == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(both, 1.0, theirs / mine)


def _at_budget(measures: Measures, budget: int, weights: Floats) -> dict[str, Any]:
    k, by_paper = measures.direct_within(budget), measures.paper_regrets(budget)
    return {
        "accuracy": _mean(measures.success_within(budget), weights),
        "own_accuracy": _mean(measures.own_within(budget), weights),
        "regret": _mean(measures.regrets(budget), weights),
        **({"regret_of_the_paper": _mean(by_paper, weights)} if np.isfinite(by_paper).all() else {}),
        "direct": {**_mean(measures.direct_majority_at(k), weights), "k": k} if k else None,
    }


def _extrapolated(measures: Measures, weights: Floats) -> dict[str, Any] | None:
    """Accuracy after the last inserted marker, with the tokens it took; None without insertions."""
    if not measures.is_extended:
        return None
    last = [[_last_point(record) for record in problem] for problem in measures.run.problems]
    tokens = [token for problem in last for token, _ in problem]
    return {"accuracy": _mean([np.mean([j for _, j in p]) for p in last], weights), "tokens": float(np.mean(tokens))}


def _last_point(record: Any) -> tuple[float, float]:
    tokens, js = of_trace.curve_points(record, extended=True)
    return (tokens[-1], js[-1]) if tokens else (float(record.response_tokens), 0.0)


def _answers(record: Any) -> list[Any]:
    episodes = [*record.episodes, *record.extension]
    return [record.own, *(answer for episode in episodes for answer in episode.forced)]


def _mean(values: Any, weights: Floats) -> dict[str, float | None]:
    return mean_estimate(values, weights).to_dict()


def _shares(numbers: Sequence[int]) -> dict[str, float]:
    return {str(n): count / len(numbers) for n, count in sorted(Counter(numbers).items())}


def _average(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

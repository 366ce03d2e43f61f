"""mrt/* training metrics from the graded records of a step: one function per family (metric_table.py: names)."""

import math
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

import numpy as np

from mrt_verl.progress import Points, mean_answer_tokens, normalised_regret, paper_regret, success_points
from mrt_verl.rollout_record import LOST, RolloutRecord

WENT_ON = ("continued", "one_episode")
"""Kinds of rollouts that thought on from a prefix."""


def compute_metrics(records: Sequence[RolloutRecord], *, budget: int) -> dict[str, float]:
    """Metrics of one step; {} without rollouts. A lost one is counted, and in nothing else.

    Args:
        records: graded rollouts of the step.
        budget: tokens a response may have (C of the normalised regret).
    """
    if not records:
        return {}
    came = [record for record in records if record.response.kind != LOST]
    counts = {"mrt/rollouts": float(len(came)), "mrt/trace_timeouts": float(len(records) - len(came))}
    return counts | of_rollouts(came, budget)


def of_rollouts(records: Sequence[RolloutRecord], budget: int) -> dict[str, float]:
    """Metrics of the rollouts that came."""
    return {
        **value_metrics(records, budget),
        **thinking_metrics(records),
        **branch_metrics(records),
        **grading_metrics(records),
        **prefix_metrics(records),
    }


def value_metrics(records: Sequence[RolloutRecord], budget: int) -> dict[str, float]:
    """Outcome, progress, J and regret."""
    of_traces = [[value for _, _, value in record.values.progress] for record in records]
    progress = list(chain.from_iterable(of_traces))
    known = [[j for j in record.values.js if j is not None] for record in records]
    known_outcomes = [record.values.outcome for record in records if record.values.outcome is not None]
    before = [record.values.j_before for record in records if record.values.j_before is not None]
    thought = [record for record in records if record.response.kind in ("trace", "continued")]
    direct = [one for one in thought if one.response.kind == "trace" and one.values.j_before is not None]
    return {
        "mrt/outcome": _mean(known_outcomes),
        "mrt/outcomes_unknown": float(len(records) - len(known_outcomes)),
        "mrt/progress_mean": _mean(progress),
        "mrt/progress_std": float(np.std(progress)) if progress else 0.0,
        "mrt/progress_lag1": lag1(of_traces),
        "mrt/j_before": _mean(before),
        "mrt/j_first": _mean(js[0] for js in known if js),
        "mrt/j_last": _mean(js[-1] for js in known if js),
        "mrt/regret": _mean(rollout_regret(record, budget) for record in thought),
        "mrt/regret_of_the_paper": _mean(_paper_regret(record, budget) for record in direct),
    }


def lag1(of_traces: Sequence[Sequence[float]]) -> float:
    """Autocorrelation at lag 1 of the progress r_j of traces: sum r_j r_{j+1} / sum r_j^2, not centred; 0 without any.

    What one boundary's J gains or loses by chance, the next episode's progress gives back: noise of variance v in each
    J, and nothing else, makes -1/2.
    """
    squares = math.fsum(value * value for values in of_traces for value in values)
    products = (one * other for values in of_traces for one, other in pairwise(values))
    return math.fsum(products) / squares if squares else 0.0


def thinking_metrics(records: Sequence[RolloutRecord]) -> dict[str, float]:
    """How much was thought, in how many episodes."""
    return {
        "mrt/episodes_mean": _mean(len(record.response.episodes) for record in records),
        "mrt/markers_mean": _mean(record.response.markers for record in records),
        "mrt/think_tokens_mean": _mean(record.response.think_tokens for record in records),
        "mrt/inserted_mean": _mean(record.response.inserted_tokens for record in records),
    }


def branch_metrics(records: Sequence[RolloutRecord]) -> dict[str, float]:
    """What the forced answers cost."""
    branches = [record.branches for record in records]
    responses = [record.response for record in records]
    sampled = sum(one.response_tokens - one.prefix_tokens - one.inserted_tokens for one in responses)
    paid = sum(one.branch_tokens + one.shared_tokens for one in branches)
    prompt_tokens = sum(one.branch_prompt_tokens for one in branches)
    cached = sum(one.branch_cached_tokens for one in branches)
    return {
        "mrt/branch_tokens_ratio": float(paid) / sampled if sampled else 0.0,
        "mrt/prefix_cache_hit": cached / prompt_tokens if prompt_tokens else 0.0,
        "mrt/branch_seconds_mean": _mean(one.branch_seconds for one in branches),
        "mrt/branch_failures": float(sum(one.branch_failures for one in branches)),
    }


def grading_metrics(records: Sequence[RolloutRecord]) -> dict[str, float]:
    """What grading cost, and could not tell."""
    gradings = [record.grading for record in records]
    answers = sum(one.answers for one in gradings)
    return {
        "mrt/grade_seconds_mean": _mean(one.grade_seconds for one in gradings),
        "mrt/grade_timeouts": float(sum(one.grade_timeouts for one in gradings)),
        "mrt/grade_errors": float(sum(one.grade_errors for one in gradings)),
        "mrt/no_answer_share": sum(one.no_answers for one in gradings) / answers if answers else 0.0,
    }


def prefix_metrics(records: Sequence[RolloutRecord]) -> dict[str, float]:
    """Of the prefix variant; 0 in the others."""
    responses = [record.response for record in records]
    return {
        "mrt/fallback_share": _mean(one.kind == "fallback" for one in responses),
        "mrt/prefix_tokens_mean": _mean(
            one.prefix_tokens for one in responses if one.kind in ("continued", "one_episode")
        ),
    }


def reference_metrics(records: Sequence[RolloutRecord]) -> dict[str, float]:
    """Of provers that score the reference answer; {} where no rollout answered right.

    The scored reference stands first among the forced answers of a boundary, its probability is its weight.
    """
    right = right_at_the_end(records)
    if not right:
        return {}
    return {"mrt/reference_probability": _mean(one.branches.forced[-1][0].weight or 0.0 for one in right)}


def right_at_the_end(records: Sequence[RolloutRecord]) -> list[RolloutRecord]:
    """Rollouts that answered right and whose last boundary was branched."""
    return [one for one in records if one.values.outcome == 1.0 and one.branches.forced and one.branches.forced[-1]]


def rollout_regret(record: RolloutRecord, budget: int) -> float:
    """Normalised regret of one rollout at `budget` tokens, as an evaluation's; 1 where no J is known."""
    return normalised_regret(*_points(record), budget)


def _paper_regret(record: RolloutRecord, budget: int) -> float:
    direct = (record.branches.before_tokens, record.values.j_before or 0.0)
    return paper_regret(_points(record), direct, record.response.prompt_tokens, budget)


def _points(record: RolloutRecord) -> Points:
    """The points of a rollout's curve J(c).

    That of a rollout which thought on from a shared prefix has two: the J of that prefix, and its outcome.
    """
    response, branches, values = record.response, record.branches, record.values
    ends = [end for _, _, end in response.episodes]
    counts = map(len, branches.forced)
    own = float(response.response_tokens - ends[-1]) if ends else 0.0
    answer_tokens = mean_answer_tokens(list(zip(branches.answer_tokens, counts, strict=True)), own)
    tokens, js = success_points(
        ends,
        values.js or [None] * len(ends),
        answer_tokens,
        response_tokens=response.response_tokens,
        outcome=values.outcome,
    )
    if response.prefix_tokens and values.j_before is not None:
        # an answer forced there may be longer than what the rollout wrote
        first = min([response.prefix_tokens + branches.before_tokens, *tokens])
        tokens, js = [first, *tokens], [values.j_before, *js]
    return tokens, js


def validation_values(record: RolloutRecord, budget: int) -> dict[str, float]:
    """Numbers of one validated rollout with branches, for verl's `val-aux/DATA_SOURCE/NAME/mean@n`; not those unknown.

    Args:
        budget: tokens a response may have (C of the normalised regret).
    """
    values = record.values
    known = [j for j in values.js if j is not None]
    found = {
        "mrt_j_before": values.j_before,
        "mrt_j_first": known[0] if known else None,
        "mrt_j_last": known[-1] if known else None,
        "mrt_progress": _mean(value for *_, value in values.progress) if values.progress else None,
        "mrt_regret": rollout_regret(record, budget),
        "mrt_episodes": float(len(record.response.episodes)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _mean(values: Iterable[float | None]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else 0.0  # type: ignore[arg-type]

"""The study's arithmetic: its measures, and how arms compare by them.

Measures, fixed before the runs: held-out pass@1; normalised regret at the training budget and at twice it with forced
extrapolation; tokens at which forced answers are as often right as GRPO's at the end of the budget; seconds per step.
Arms are compared with GRPO at equal updates, at equal generated tokens (branches counted) and at equal wall-clock;
these two within each seed, up to what the cheaper run cost, and times only between runs made in one place. Intervals
are 95 % of a bootstrap over seeds, of the differences to GRPO as well: there the seeds of both are paired.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mrt_verl.evaluation.bootstrap import estimate, mean_estimate, resample_weights
from mrt_verl.evaluation.curves import tokens_to_reach
from recipes.study.arms import ARMS
from recipes.study.result import Result

SHARES = (0.8, 0.9, 1.0)
"""Of GRPO's success at the end of its budget: its curve is flat there, so the tokens to the whole of it say little."""
RESAMPLES = 10_000


def interval(values: list[float]) -> dict[str, Any]:
    """Mean over seeds, its 95 % bootstrap interval, and the seeds' values."""
    mean = mean_estimate(values, resample_weights(len(values), RESAMPLES))
    return {"mean": mean.value, "low": mean.low, "high": mean.high, "seeds": values}


def summarise(results: list[Result]) -> dict[str, Any]:
    """The measures of every arm.

    Raises:
        ValueError: there is no result, or they are of different numbers of updates or problems or versions of the task.
    """
    if not results:
        raise ValueError("no results; run recipes.study.study first")
    for what, values in (
        ("updates", {result.steps[-1] for result in results}),
        ("problems", {result.problems for result in results}),
        ("versions of the task", {result.task for result in results}),
    ):
        if len(values) > 1:
            raise ValueError(f"results of different {what}: {', '.join(map(str, sorted(values)))}")
    arms = {arm: [result for result in results if result.arm == arm] for arm in ARMS}
    arms = {arm: some for arm, some in arms.items() if some}
    grpo = {one.seed: one for one in arms.get("grpo", [])}
    target = float(np.mean([result.curve[-1] for result in arms.get("grpo", results)]))
    pairs = {
        arm: [(one, grpo[one.seed]) for one in some if one.seed in grpo] for arm, some in arms.items() if arm != "grpo"
    }
    return {
        "updates": results[0].steps[-1],
        "problems": results[0].problems,
        "task": results[0].task,
        "commits": sorted({result.commit for result in results}),
        "target_success": target,
        "arms": {
            arm: {
                **_intervals([measures_of(one, grpo.get(one.seed)) for one in some]),
                "tokens_to_target_success": [_tokens_to(one.grid, one.curve, target) for one in some],
                "tokens_of_the_mean_to": {
                    f"{share} of target": _tokens_to(
                        some[0].grid, np.mean([one.curve for one in some], axis=0), share * target
                    )
                    for share in SHARES
                },
            }
            for arm, some in arms.items()
        },
        "differences_to_grpo": {
            arm: {
                **_intervals([_difference(*pair) for pair in some]),
                "token_efficiency": {f"{share} of target": token_efficiency(some, share) for share in SHARES},
            }
            for arm, some in pairs.items()
            if some
        },
    }


def measures_of(one: Result, other: Result | None) -> dict[str, float]:
    """A run's measures; those at equal cost up to the cost of the cheaper of it and `other`, the run compared with.

    Times only if that run was made in the same place: elsewhere the machine may be another.
    """
    tokens = min(run.tokens[-1] for run in (one, other) if run)
    measures = {
        "pass@1": one.pass_at_1,
        "regret": one.regret,
        "regret_at_twice_the_budget": one.regret_at_twice,
        "generated_tokens_thousands": one.tokens[-1],
        "accuracy_at_equal_updates": one.accuracy[-1],
        "accuracy_at_equal_tokens": float(np.interp(tokens, one.tokens, one.accuracy)),
    }
    if other and one.place == other.place:
        hours = min(one.hours[-1], other.hours[-1])
        measures["accuracy_at_equal_hours"] = float(np.interp(hours, one.hours, one.accuracy))
        measures["seconds_per_step"] = one.seconds_per_step
    return measures


def _difference(one: Result, grpo: Result) -> dict[str, float]:
    ours, theirs = measures_of(one, grpo), measures_of(grpo, one)
    return {name: ours[name] - theirs[name] for name in ours}


def token_efficiency(pairs: list[tuple[Result, Result]], share: float) -> dict[str, Any]:
    """Tokens that GRPO needs for `share` of its success at the end of its budget ÷ tokens that the arm needs for it.

    Both on the mean curves of the seeds, 0 where the arm's never gets there; of every resample of the seeds its own
    target.

    Args:
        pairs: the arm's run and GRPO's of the same seed.
    """
    grid = np.array(pairs[0][0].grid)
    ours, theirs = (np.array([pair[which].curve for pair in pairs]) for which in (0, 1))

    def ratio(weights: np.ndarray) -> np.ndarray:
        method, baseline = (np.round(weights @ curves, 9) for curves in (ours, theirs))
        targets = np.round(share * baseline[:, -1], 9)
        return tokens_to_reach(grid, baseline, targets) / tokens_to_reach(grid, method, targets)

    (value,) = ratio(np.full((1, len(pairs)), 1 / len(pairs)))
    return {**estimate(value, ratio(resample_weights(len(pairs), RESAMPLES))).to_dict(), "seeds": len(pairs)}


def _intervals(runs: list[dict[str, float]]) -> dict[str, Any]:
    """The interval of each measure over the runs that have it."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: interval([run[name] for run in runs if name in run]) for name in names}


def _tokens_to(grid: list[float], curve: Sequence[float], target: float) -> float | None:
    """Tokens at which forced answers are right as often as `target`; None if they never are."""
    # rounded: GRPO's own mean curve ends at the target
    reached = tokens_to_reach(np.array(grid), np.round([curve], 9), np.array([round(target, 9)]))[0]
    return float(reached) if np.isfinite(reached) else None

"""What the fast study's results say: two tables in Markdown and curves.png; `python -m recipes.study.fast summary`."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrt_verl.evaluation.curves import tokens_to_reach
from recipes.study.fast.arms import WITHOUT_PLAIN_TRACES
from recipes.study.fast.intervals import ratio_interval, t_interval
from recipes.tools.markdown import table

Result = dict[str, Any]
Pair = tuple[Result, Result]
"""An arm's run, and that of another arm, GRPO's unless it is said, of the same warm start and seed."""
MEASURES = {
    "pass_at_1": "pass@1",
    "pass_at_2": "pass@2",
    "regret": "regret",
    "regret_of_the_paper": "regret, paper's",
    "regret_at_twice": "regret at 2x",
    "think_tokens": "thinking tokens",
    "markers": "markers",
    "closed": "closed",
    "updates": "updates",
    "seconds": "seconds",
}
"""Keys of a result, and what they are called in the tables."""
COMPARED = ("pass_at_1", "pass_at_2", "regret", "regret_of_the_paper", "regret_at_twice")
SHARES = (0.8, 0.9)
"""Of GRPO's success at the end of its budget, where token efficiency is read."""
WINDOW = 10
"""Steps over which the outcome in training is averaged."""


def read_results(directory: Path) -> list[Result]:
    """All results of a directory.

    Raises:
        ValueError: there is none, or they are of several versions of the task or measured at several boundaries.
    """
    results = [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]
    if not results:
        raise ValueError(f"{directory}: no results; run `python -m recipes.study.fast run` first")
    if len(versions := {(one["task"], one.get("boundaries", "markers")) for one in results}) > 1:
        raise ValueError(f"{directory}: results of several versions of the task, or boundaries: {sorted(versions)}")
    return results


def complete(results: Sequence[Result], arms: Sequence[str]) -> list[Result]:
    """The results of the warm starts and seeds that every arm has: two warm starts differ more than all arms do."""

    def key(one: Result) -> tuple[str, int]:
        return one["warm_start"], one["seed"]

    shared = set.intersection(*({key(one) for one in results if one["arm"] == arm} for arm in arms))
    return [one for one in results if key(one) in shared and one["arm"] in arms]


def pairs_of(results: Sequence[Result], arm: str, against: str = "grpo") -> list[Pair]:
    """The runs of an arm for which there is the other's."""
    others = {(one["warm_start"], one["seed"]): one for one in results if one["arm"] == against}
    own = [one for one in results if one["arm"] == arm]
    return [(one, others[key]) for one in own if (key := (one["warm_start"], one["seed"])) in others]


def token_efficiency(pair: Pair, share: float) -> float:
    """Tokens of a trace that the other needs for `share` of its own final success ÷ those that the arm needs for it."""
    ours, theirs = (np.array([one["curve"]]) for one in pair)
    grid, target = np.array(pair[1]["grid"]), np.array([share * theirs[0, -1]])
    needed = tokens_to_reach(grid, ours, target)[0]
    return float(tokens_to_reach(grid, theirs, target)[0] / needed) if np.isfinite(needed) else 0.0


def outcome_at(one: Result, key: str, value: float) -> float:
    """The mean outcome of plain traces in training around an update, a number of generated tokens or of seconds."""
    training = one["training"]
    outcome = np.convolve(training["plain_outcome"], np.ones(WINDOW) / WINDOW, "valid")
    spent = {
        "updates": np.arange(1, len(training["tokens"]) + 1, dtype=float),
        "tokens": np.array(training["tokens"]),
        "seconds": np.cumsum(training["seconds"]),
    }[key][WINDOW - 1 :]
    return float(np.interp(value, spent, outcome))


def at_equal(pair: Pair, key: str) -> float:
    """The arm's outcome in training less the other's, where the first of the two ends by updates, tokens or seconds."""
    ends = [
        {"updates": len(t["tokens"]), "tokens": t["tokens"][-1], "seconds": sum(t["seconds"])}[key]
        for t in (one["training"] for one in pair)
    ]
    return outcome_at(pair[0], key, min(ends)) - outcome_at(pair[1], key, min(ends))


def table_of_arms(results: Sequence[Result], arms: Sequence[str]) -> list[str]:
    """Mean and interval of every measure."""
    measures = {key: label for key, label in MEASURES.items() if _is_measured(results, key)}
    rows = []
    for arm in arms:
        own = [one for one in results if one["arm"] == arm]
        cells = [t_interval([one[key] for one in own]).text(digits=_digits(key)) for key in measures] if own else []
        rows += [[f"`{arm}`", f"{own[0]['learning_rate']:g}", str(len(own)), *cells]] if own else []
    return table(["arm", "learning rate", "runs", *measures.values()], rows)


def _is_measured(results: Sequence[Result], key: str) -> bool:
    """False of what a task leaves out, such as extrapolation that its model's context cannot hold."""
    return all(one[key] is not None for one in results)


def table_of_differences(results: Sequence[Result], arms: Sequence[str], against: str = "grpo") -> list[str]:
    """Differences to another arm, paired by warm start and seed, and token efficiencies."""
    readings: dict[str, Callable[[Pair], float]] = {
        f"outcome at equal {key}": lambda pair, key=key: at_equal(pair, key)  # type: ignore[misc]
        for key in ("updates", "tokens", "seconds")
    }
    compared = [key for key in COMPARED if _is_measured(results, key)]
    rows = []
    for arm in arms:
        pairs = pairs_of(results, arm, against)
        if arm == against or not pairs:
            continue
        cells = [t_interval([a[key] - b[key] for a, b in pairs]).text("+") for key in compared]
        has_outcome = not {arm, against} & set(WITHOUT_PLAIN_TRACES)
        for reading in readings.values():
            cells.append(t_interval([reading(pair) for pair in pairs]).text("+") if has_outcome else "none")
        ratios = [ratio_interval([token_efficiency(pair, share) for pair in pairs]) for share in SHARES]
        cells += [one.text(digits=2) for one in ratios]
        rows.append([f"`{arm}`", str(len(pairs)), *cells])
    named = [*(MEASURES[key] for key in compared), *readings, *(f"token efficiency at {one:.0%}" for one in SHARES)]
    return table([f"minus `{against}`", "pairs", *named], rows)


def tuning_table(results: Sequence[Result], arms: Sequence[str]) -> list[str]:
    """Regret and pass@1 of every arm at every learning rate, on development problems."""
    rates = sorted({one["learning_rate"] for one in results})
    rows = []
    for arm in arms:
        cells = []
        for rate in rates:
            some = [one for one in results if one["arm"] == arm and one["learning_rate"] == rate]
            means = [np.mean([one[key] for one in some]) for key in ("regret", "pass_at_1")] if some else []
            cells.append(f"{means[0]:.3f} ({means[1]:.3f})" if some else "not run")
        rows.append([f"`{arm}`", *cells])
    return table(["arm", *(f"{rate:g}" for rate in rates)], rows)


def table_of_tries(results: Sequence[Result]) -> list[str]:
    """Means over the runs of each arm and of its other settings, on development problems."""
    rows = []
    for arm in sorted({one["arm"] for one in results}):
        own = [one for one in results if one["arm"] == arm]
        runs = ", ".join(f"{one['regret']:.3f}" for one in own)
        rows.append(
            [f"`{arm}`", *(f"{np.mean([one[key] for one in own]):.3f}" for key in ("regret", "pass_at_1")), runs]
        )
    return table(["arm", "regret", "pass@1", "regret of each run"], rows)


def best_rates(results: Sequence[Result]) -> dict[str, float]:
    """The learning rate of each arm with the lowest regret on development problems."""
    by_rate: dict[tuple[str, float], list[float]] = {}
    for one in results:
        by_rate.setdefault((one["arm"], one["learning_rate"]), []).append(one["regret"])
    ranked = sorted(by_rate, key=lambda key: -float(np.mean(by_rate[key])))
    return {arm: rate for arm, rate in ranked}  # the last, the best, stays


def draw(results: Sequence[Result], names: Mapping[str, str], path: Path) -> None:
    """Mean outcome in training against generated tokens, and J against the tokens of a trace after it.

    Args:
        names: what each arm that is drawn is called.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for number, (arm, name) in enumerate(names.items()):
        own = [one for one in results if one["arm"] == arm]
        if not own:
            continue
        style = {"color": "black" if arm == "grpo" else f"C{number}", "label": f"{name} ({len(own)})"}
        last = min(one["training"]["tokens"][-1] for one in own)
        tokens = np.linspace(10_000, last, 60)
        curves = [[outcome_at(one, "tokens", value) for value in tokens] for one in own]
        if arm not in WITHOUT_PLAIN_TRACES:
            left.plot(tokens / 1000, np.mean(curves, axis=0), **style)
        right.plot(own[0]["grid"], np.mean([one["curve"] for one in own], axis=0), **style)
    left.set(xlabel="generated tokens in training, thousands", ylabel="outcome of plain traces")
    right.set(xlabel="tokens of a trace, after training", ylabel="success if stopped there (J)")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    right.legend(frameon=False, fontsize=8, title="arm (runs)", loc="lower right")  # below the curves there is room
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _digits(key: str) -> int:
    return 0 if key in ("updates", "seconds") else 1 if key.endswith("tokens") else 3

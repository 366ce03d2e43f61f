"""Plots of runs; every function writes one picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrt_verl.evaluation.curves import Floats, token_grid
from mrt_verl.evaluation.measures import Measures, doubling, regret_of_curves
from mrt_verl.evaluation.page.style import BAND, INK, figure, looks
from mrt_verl.evaluation.summary import FEW_PROBLEMS

POINTS = 201


def draw_accuracy(runs: Sequence[Measures], weights: Floats, path: Path) -> None:
    """Success against tokens: J(c) with its 95 % band, votes at each prefix, direct voting, own final answers."""
    reach = max(run.budget for run in runs)
    drawn_of = weights if _has_bands(weights) else weights[:0]
    grid = token_grid(reach, POINTS)
    with figure(path, height=5.2) as (drawing, axis):
        for run, (colour, marker) in zip(runs, looks(len(runs)), strict=True):
            curves = run.curves(grid)
            _line_with_band(axis, grid, curves.mean(axis=0), drawn_of @ curves, colour, marker, run.run.name)
            votes = run.curves(grid, kind="majority").mean(axis=0)
            shown = grid >= run.first_vote  # before it, the line would only join the origin to it
            axis.plot(grid[shown], votes[shown], color=colour, linestyle="--", linewidth=1.2)
            budgets = run.run.budgets
            own = [run.own_within(budget).mean() for budget in budgets]
            axis.plot(budgets, own, marker, color=colour, markeredgecolor="white", markersize=8)
            most = max(len(problem[0].before) for problem in run.run.problems)
            ks = [k for k in doubling(most) if k * run.direct_tokens <= reach] if most else []
            direct = [run.direct_majority_at(k).mean() for k in ks]
            axis.plot([k * run.direct_tokens for k in ks], direct, marker + ":", color=colour, markersize=4, alpha=0.8)
        _explain(drawing, axis, bands=_has_bands(weights), votes=any(run.first_vote < reach for run in runs))
        axis.set(xlabel="tokens", ylabel="accuracy", xlim=(0, reach * 1.02))
        axis.set_ylim(bottom=0)


def draw_regret(runs: Sequence[Measures], weights: Floats, path: Path) -> None:
    """Normalised regret against the budget; beyond the sampled budget only budget forcing tells, shaded."""
    reach = max(run.reach for run in runs)
    budget = max(run.budget for run in runs)
    drawn_of = weights if _has_bands(weights) else weights[:0]
    with figure(path, height=4.4) as (drawing, axis):
        for run, (colour, marker) in zip(runs, looks(len(runs)), strict=True):
            grid = token_grid(run.budget, POINTS)
            curves = run.curves(grid)
            mean, drawn = (
                regret_of_curves(grid, curves.mean(axis=0)[None])[0],
                regret_of_curves(grid, drawn_of @ curves),
            )
            _line_with_band(axis, grid[1:], mean, drawn, colour, marker, run.run.name)
            axis.plot(run.run.budgets, np.interp(run.run.budgets, grid[1:], mean), marker, color=colour, markersize=6)
            if run.is_extended:
                grid = token_grid(run.reach, POINTS)
                extended = regret_of_curves(grid, run.curves(grid, kind="extended").mean(axis=0)[None])[0]
                axis.plot(grid[1:], extended, color=colour, linestyle="--", linewidth=1.4)
        if reach > budget:
            axis.axvspan(budget, reach, color="#888888", alpha=0.15, linewidth=0)
            axis.annotate("extrapolation", (budget, 0.02), xytext=(4, 0), textcoords="offset points", fontsize=10,
                          xycoords=("data", "axes fraction"))  # fmt: skip
        kinds = [("-", "mean, 95 % band over problems")] if _has_bands(weights) else []
        if any(run.is_extended for run in runs):
            kinds += [("--", "with budget forcing")]
        _legend(drawing, axis, kinds)
        axis.set(xlabel="budget (tokens)", ylabel="normalised regret", xlim=(0, reach * 1.02))


def draw_episodes(runs: Sequence[Measures], path: Path) -> None:
    """How many episodes traces have: share of traces per number."""
    counts = [[len(record.episodes) for record in run.traces] for run in runs]
    most = max(max(row) for row in counts)
    # single numbers as long as they can be told apart
    width = max(1, -(-(most + 1) // 24))
    edges = np.arange(0, most + width + 1, width)
    with figure(path) as (drawing, axis):
        bar = 0.8 * width / len(runs)
        for index, (run, row, (colour, _)) in enumerate(zip(runs, counts, looks(len(runs)), strict=True)):
            shares = np.histogram(row, edges)[0] / len(row)
            axis.bar(edges[:-1] + bar * (index + 0.5) - 0.4 * width, shares, bar, color=colour, label=run.run.name)
        axis.set(xlabel="episodes of a trace", ylabel="share of traces")
        axis.xaxis.get_major_locator().set_params(integer=True)
        _legend(drawing, axis)


def draw_progress(summaries: Sequence[dict[str, Any]], path: Path) -> None:
    """Mean progress by the episode's index, with 95 % intervals; indices that 1 % of the traces reach or more."""
    with figure(path) as (drawing, axis):
        shift = 0.5 / max(1, len(summaries))
        for index, (summary, (colour, marker)) in enumerate(zip(summaries, looks(len(summaries)), strict=True)):
            rows = summary["progress_by_episode"]
            most = max((row["episodes"] for row in rows), default=0)
            rows = [row for row in rows if row["episodes"] >= 0.01 * most]
            x = np.array([row["episode"] + 1 for row in rows]) + shift * (index - (len(summaries) - 1) / 2)
            values = np.array([row["value"] for row in rows])
            ends = np.array([[row["low"], row["high"]] for row in rows], dtype=float).reshape(-1, 2).T
            errors = None if np.isnan(ends).any() else np.abs(ends - values)
            axis.errorbar(x, values, errors, fmt=marker, color=colour, capsize=3, markersize=6, label=summary["name"])
        axis.axhline(0, color=INK, linewidth=0.8)
        axis.set(xlabel="episode", ylabel="progress (change of J)")
        axis.xaxis.get_major_locator().set_params(integer=True)
        _legend(drawing, axis)


def _has_bands(weights: Floats) -> bool:
    """Whether there are problems enough for intervals."""
    return weights.shape[1] >= FEW_PROBLEMS


def _line_with_band(axis: Any, x: Floats, mean: Floats, drawn: Floats, colour: str, marker: str, name: str) -> None:
    """A mean with its 95 % band; `drawn` has a row per resample, none where problems are too few for one."""
    if len(drawn):
        low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
        axis.fill_between(x, low, high, color=colour, alpha=BAND, linewidth=0)
    axis.plot(x, mean, color=colour, marker=marker, markevery=[], linewidth=2, label=name)


def _explain(drawing: Any, axis: Any, *, bands: bool, votes: bool) -> None:
    """A legend below the plot, of the models and, in grey, of what the kinds of lines mean."""
    kinds = [
        ("-", "forced answer (J), 95 % band" if bands else "forced answer (J)"),
        ("o", "own final answer"),
        ("o:", "vote of k direct answers"),
    ]
    if votes:
        kinds.insert(1, ("--", "vote of forced answers"))
    _legend(drawing, axis, kinds)


def _legend(drawing: Any, axis: Any, kinds: Sequence[tuple[str, str]] = ()) -> None:
    """Names and kinds of lines below the plot, where they cover nothing; in one column where they are long."""
    handles = [*axis.get_legend_handles_labels()[0], *_handles(kinds)]
    longest = max(len(handle.get_label()) for handle in handles)
    drawing.legend(
        handles=handles, frameon=False, fontsize=10.5, loc="outside lower center", ncols=2 if longest <= 24 else 1
    )


def _handles(kinds: Sequence[tuple[str, str]]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = []
    for kind, label in kinds:
        marker = "o" if kind.startswith("o") else None
        line: Any = kind.removeprefix("o") or "none"
        size = 7 if kind == "o" else 4
        handles.append(Line2D([], [], color="#808080", linestyle=line, marker=marker, markersize=size, label=label))
    return handles

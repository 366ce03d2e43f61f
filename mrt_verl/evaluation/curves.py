"""Success against tokens: the curve J(c) of a trace, its mean over traces, and what is read off it (pure numpy).

J(c) is piecewise linear through (0, 0) and the points (tokens used up to and including the forced answer, J_j), flat
after the last (arXiv 2503.07572; normalised_regret of progress.py integrates the same curve).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def success_at(tokens: Sequence[float], js: Sequence[float], at: ArrayLike) -> Floats:
    """J(c) at each of `at` tokens; 0 everywhere for a trace without any point.

    Args:
        tokens: per point, >= 0 and not decreasing.
        js: J at each point, in [0, 1].
        at: (n,) tokens.
    """
    return np.interp(np.asarray(at, dtype=float), np.concatenate(([0.0], tokens)), np.concatenate(([0.0], js)))


def token_grid(budget: float, points: int = 513) -> Floats:
    """(points,) tokens from 0 to `budget`, evenly spaced."""
    return np.linspace(0.0, budget, points)


def tokens_to_reach(grid: Floats, curves: Floats, targets: ArrayLike) -> Floats:
    """Tokens at which each curve first reaches its target, interpolated between grid points; inf if it never does.

    Args:
        grid: (n,) tokens, increasing.
        curves: (m, n) success at those.
        targets: (m,) or a number, success to reach.

    Returns:
        (m,) tokens.
    """
    goals = np.broadcast_to(np.asarray(targets, dtype=float), curves.shape[:1])[:, None]
    reached = curves >= goals
    first = reached.argmax(axis=1)
    rows = np.arange(len(curves))
    before = np.maximum(first - 1, 0)
    low, high = curves[rows, before], curves[rows, first]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(high > low, (goals[:, 0] - low) / (high - low), 0.0)
    tokens = grid[before] + share * (grid[first] - grid[before])
    return np.where(reached.any(axis=1), np.where(first == 0, grid[0], tokens), np.inf)


def hold_last(rows: Sequence[Sequence[float]], width: int) -> Floats:
    """(len(rows), width): each row cut to `width` or filled up with its last value; rows are not empty."""
    return np.array([[*row[:width], *[row[-1]] * (width - len(row))] for row in rows], dtype=float).reshape(-1, width)


def cumulative_regrets(js: Sequence[Sequence[float]], width: int, best: float = 1.0) -> Floats:
    """(width,) Delta_k = E[sum_{j<k} (J* - J_j)] for k = 1 … width (arXiv 2503.07572), J* bounded by `best`.

    A trace that ended earlier stays at its last J; traces without any J count as 0.
    """
    known = [row if len(row) else [0.0] for row in js]
    return np.cumsum(best - hold_last(known, width).mean(axis=0))

"""J → progress → credit, and regret: the formulas of arXiv 2503.07572 and of this project's variants."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrt_verl.registry import resolve

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ProgressStep:
    """One rewarded step: the episodes `first` … `boundary`, usually one, and the change of J over them."""

    first: int
    boundary: int
    progress: float


def compute_progress(j_before: float | None, js: Sequence[float | None]) -> list[ProgressStep]:
    """Progress r_prg(z_j) = J_j - J_{j-1} per episode, in [-1, 1] (arXiv 2503.07572); it telescopes.

    Args:
        j_before: J_{-1}, the success probability without thinking; None if unknown.
        js: J_j at the end of each episode; None where no branch of the boundary is left.

    Returns:
        Steps whose progress sums to (last known J) - (first known J, J_{-1} included). An episode that ends at an
        unknown J is merged with the next one. Without J_{-1} the first known J is where counting starts, and the
        episodes up to it carry no bonus. Episodes after the last known J carry none either. [] if fewer than two J
        are known.
    """
    steps: list[ProgressStep] = []
    last, first = j_before, 0
    for boundary, j in enumerate(js):
        if j is None:
            continue
        if last is not None:
            steps.append(ProgressStep(first, boundary, j - last))
        last, first = j, boundary + 1
    return steps


def compute_credit(progress: ArrayLike, mask: ArrayLike, credit: str, gamma: float = 1.0) -> Floats:
    """Credit R_j of each episode from the progress r_m of its trace.

    Args:
        progress: (bs, k_max) float, progress per episode.
        mask: (bs, k_max), 1 in the first k columns of a row with k episodes, 0 after them.
        credit: a name in CREDITS, or `package.module:function` with the signature of `progress_credit`.
        gamma: discount per episode, `to_go` only.

    Returns:
        (bs, k_max) of the dtype of `progress`, 0 where masked.

    Raises:
        ValueError: unknown credit.
    """
    values = np.asarray(progress)
    valid = np.asarray(mask).astype(values.dtype)
    return np.asarray(load_credit(credit)(values * valid, valid, gamma)) * valid


def progress_credit(progress: Floats, mask: Floats, gamma: float) -> Floats:
    """R_j = r_j (arXiv 2503.07572).

    Args:
        progress: (bs, k_max), 0 where masked.
        mask: (bs, k_max), 1.0 in a row's first k columns, 0.0 after them.
        gamma: `mrt.gamma`.
    """
    return progress


def to_go_credit(progress: Floats, mask: Floats, gamma: float) -> Floats:
    """R_j = sum_{m>=j} gamma^{m-j} r_m (ours)."""
    return _sum_to_go(progress, gamma)


def regret_credit(progress: Floats, mask: Floats, gamma: float) -> Floats:
    """R_j = sum_{m>=j} (k-m) r_m / k, the gradient weight of the mean of J over k episodes (ours)."""
    count = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    weight = (count - np.arange(progress.shape[1], dtype=progress.dtype)) / count
    return _sum_to_go(progress * weight, 1.0)


def median_credit(progress: Floats, mask: Floats, gamma: float) -> Floats:
    """R_j = M_j - M_{j-1}, where M_j is the median of J_{j-1}, J_j and J_{j+1}, and J itself at both ends (ours).

    A J that rises at one boundary and is lost at the next, by the prover's noise or because the policy went on to
    another answer, pays nobody; a step that stays is paid where it is. It telescopes as `progress` does.
    """
    js = np.pad(np.cumsum(progress, axis=1), ((0, 0), (1, 0)))  # less J_{-1}; flat after the last episode
    inner = np.median(np.stack((js[:, :-2], js[:, 1:-1], js[:, 2:])), axis=0)
    medians = js.copy()
    medians[:, 1:-1] = np.where(mask[:, 1:] > 0, inner, js[:, 1:-1])  # an episode follows
    return np.diff(medians, axis=1).astype(progress.dtype)


Credit = Callable[[Floats, Floats, float], Floats]
CREDITS: dict[str, Credit] = {
    "progress": progress_credit,
    "to_go": to_go_credit,
    "regret": regret_credit,
    "median": median_credit,
}


def load_credit(name: str) -> Credit:
    """The credit that `mrt.credit` names; raises ValueError where there is none."""
    return resolve("credit", name, CREDITS)


def _sum_to_go(values: Floats, gamma: float) -> Floats:
    result = values.copy()
    for column in range(values.shape[1] - 2, -1, -1):  # episodes are few
        result[:, column] += values.dtype.type(gamma) * result[:, column + 1]
    return result


def cumulative_regret(js: Sequence[float], best: float = 1.0) -> float:
    """Cumulative regret sum_j (J* - J_j) over the episodes of a trace (arXiv 2503.07572), J* bounded by `best`."""
    return math.fsum(best - j for j in js)


Points = tuple[list[float], list[float]]
"""Tokens used up to and including the answer, and J there; tokens do not decrease."""


def mean_answer_tokens(answers: Sequence[tuple[float, int]], own: float) -> float:
    """Mean tokens of a forced answer of a trace.

    Args:
        answers: per boundary the mean tokens of a forced answer, the stop text included, and how many there are.
        own: tokens of the trace's own final answer, which stand for them if none was forced.
    """
    count = sum(number for _, number in answers)
    return math.fsum(tokens * number for tokens, number in answers) / count if count else own


def success_points(
    ends: Sequence[int],
    js: Sequence[float | None],
    answer_tokens: float,
    *,
    response_tokens: int,
    outcome: float | None,
) -> Points:
    """The points of a trace's curve J(c), in training and in an evaluation.

    Args:
        ends: tokens of the response up to the end of each episode.
        js: J there; boundaries where it is None are left out.
        answer_tokens: mean tokens of a forced answer of the trace (mean_answer_tokens), which each point includes.
        response_tokens: of the whole response.
        outcome: score of the trace's own final answer, the only point of a trace without episodes; None if unknown.
    """
    if not ends:
        return ([], []) if outcome is None else ([float(response_tokens)], [outcome])
    known = [(end + answer_tokens, j) for end, j in zip(ends, js, strict=True) if j is not None]
    return [tokens for tokens, _ in known], [j for _, j in known]


def paper_regret(points: Points, direct: tuple[float, float], prompt_tokens: int, budget: float) -> float:
    """Normalised regret as arXiv 2503.07572 draws it: from the answer without thinking on, prompt tokens counted.

    The mean of 1 - J(c) over c from there to the budget, J(c) through that point and those of the trace.

    Args:
        points: success_points of the trace.
        direct: (tokens of an answer without thinking, J_{-1}).
        prompt_tokens: of the problem; all points are moved up by them, the budget is not.
        budget: C in tokens, prompt included.

    Returns:
        In [0, 1] for J in [0, 1]; 1 - J_{-1} where the budget is spent by then.
    """
    begin, j_before = prompt_tokens + direct[0], direct[1]
    if begin >= budget:
        return 1.0 - j_before
    tokens = [0.0, *(max(prompt_tokens + one - begin, 0.0) for one in points[0])]
    # up to its first point normalised_regret's curve rises from (0, 0); this one jumps to J_{-1} there
    return normalised_regret(tokens, [j_before, *points[1]], budget - begin)


def normalised_regret(tokens: Sequence[float], js: Sequence[float], budget: float) -> float:
    """Normalised regret 1 - (1/C) ∫_0^C J(c) dc at budget C, in [0, 1] for J in [0, 1].

    J(c) is piecewise linear through (0, 0) and the given points, flat after the last, interpolated at C.

    Args:
        tokens: tokens spent up to and including the forced answer, per point, >= 0 and not decreasing.
        js: J at each point; without any point the regret is 1.
        budget: C in tokens, > 0.

    Raises:
        ValueError: the budget is not positive, tokens decrease, or there is not one J for each of them.
    """
    if budget <= 0:
        raise ValueError(f"budget={budget}; allowed: a number of tokens > 0")
    if len(tokens) != len(js):
        raise ValueError(f"{len(tokens)} numbers of tokens for {len(js)} J; allowed: as many of each")
    x = np.concatenate(([0.0], np.asarray(tokens, dtype=float)))
    y = np.concatenate(([0.0], np.asarray(js, dtype=float)))
    if (np.diff(x) < 0).any():
        raise ValueError(f"tokens={list(tokens)}; allowed: numbers >= 0 that do not decrease")
    inside = x <= budget  # with all points at the budget itself, where the curve may jump
    x_cut = np.append(x[inside], budget)
    y_cut = np.append(y[inside], np.interp(budget, x, y))
    area = float(np.sum(np.diff(x_cut) * (y_cut[1:] + y_cut[:-1]) / 2))
    return 1.0 - area / budget

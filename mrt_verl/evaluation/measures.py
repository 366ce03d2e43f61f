"""Arrays of one run: the numbers that tables and plots show, one row a problem, so that problems can be resampled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mrt_verl.evaluation import traces as of_trace
from mrt_verl.evaluation.curves import Floats, success_at, token_grid
from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.voting import majority_at_k, pass_at_k
from mrt_verl.progress import normalised_regret


@dataclass
class Measures:
    """Measures of a run, computed when asked for; P problems of t traces."""

    run: Run
    _regrets: dict[tuple[float, bool], Floats] = field(default_factory=dict, init=False, repr=False)

    @property
    def traces(self) -> list[TraceRecord]:
        """All of them."""
        return [record for problem in self.run.problems for record in problem]

    @property
    def budget(self) -> int:
        """The largest budget, in tokens: what the traces were sampled with."""
        return max(self.run.budgets)

    @property
    def is_extended(self) -> bool:
        """Whether budget forcing went on beyond the traces' ends."""
        return any(record.extension for record in self.traces)

    @cached_property
    def reach(self) -> float:
        """Tokens to which curves are drawn: the budget, or where its extrapolation typically ends (90th percentile)."""
        ends = [points[0][-1] for record in self.traces if (points := of_trace.curve_points(record, extended=True))[0]]
        return max(float(self.budget), float(np.quantile(ends, 0.9))) if self.is_extended else float(self.budget)

    def curves(self, grid: Floats, *, kind: str = "plain") -> Floats:
        """(P, n) success at each of `grid` tokens, mean over the problem's traces.

        Args:
            kind: `plain` (J), `extended` (J with budget forcing) or `majority` (vote of the forced answers).
        """
        points = {
            "plain": of_trace.curve_points,
            "extended": lambda record: of_trace.curve_points(record, extended=True),
            "majority": of_trace.majority_points,
        }[kind]
        return np.array(
            [np.mean([success_at(*points(r), grid) for r in problem], axis=0) for problem in self.run.problems]
        )

    @cached_property
    def grid(self) -> Floats:
        """(n,) tokens from 0 to the largest budget."""
        return token_grid(self.budget)

    @cached_property
    def plain_curves(self) -> Floats:
        """(P, n) success over `grid`."""
        return self.curves(self.grid)

    @cached_property
    def outcomes(self) -> Floats:
        """(P, t) scores of the traces' own final answers."""
        return np.array([[record.own.score for record in problem] for problem in self.run.problems])

    def regrets(self, budget: float, *, extended: bool = False) -> Floats:
        """(P,) normalised regret at a budget, mean over the problem's traces; `extended`: with budget forcing."""
        key = (budget, extended)
        if key not in self._regrets:
            problems = self.run.problems
            points = [[of_trace.curve_points(record, extended=extended) for record in problem] for problem in problems]
            self._regrets[key] = np.array([np.mean([normalised_regret(*p, budget) for p in row]) for row in points])
        return self._regrets[key]

    def paper_regrets(self, budget: float) -> Floats:
        """(P,) the same as the paper draws it, from the answer without thinking on; NaN where no trace has one."""
        known = [
            [value for record in p if (value := of_trace.regret_of_the_paper(record, budget)) is not None]
            for p in self.run.problems
        ]
        return np.array([np.mean(values) if values else np.nan for values in known])

    def success_within(self, budget: float) -> Floats:
        """(P,) J(c) at c = budget: thinking is stopped there and an answer forced."""
        return np.array(
            [np.mean([success_at(*of_trace.curve_points(r), budget) for r in problem]) for problem in self.run.problems]
        )

    def own_within(self, budget: int) -> Floats:
        """(P,) share of traces whose own final answer came within the budget and is right."""
        return np.array([np.mean([of_trace.own_score_within(r, budget) for r in p]) for p in self.run.problems])

    def pass_at(self, k: int) -> Floats:
        """(P,) unbiased pass@k of the traces' final answers."""
        count = self.outcomes.shape[1]
        return np.array([pass_at_k(count, int((row > 0).sum()), k) for row in self.outcomes])

    def majority_at(self, k: int) -> Floats:
        """(P,) maj@k of the traces' final answers."""
        return np.array(
            [majority_at_k([r.own.extracted for r in p], [r.own.score for r in p], k) for p in self.run.problems]
        )

    def direct_majority_at(self, k: int) -> Floats:
        """(P,) maj@k of the answers without thinking; of fewer answers, where some failed, of all of them."""
        direct = [problem[0].before for problem in self.run.problems]
        return np.array(
            [
                majority_at_k([a.extracted for a in answers], [a.score for a in answers], min(k, len(answers)))
                if answers
                else 0.0
                for answers in direct
            ]
        )

    @property
    def direct_tokens(self) -> float:
        """Mean tokens of an answer without thinking."""
        return float(np.mean([problem[0].before_tokens for problem in self.run.problems]))

    def direct_within(self, budget: float) -> int:
        """How many answers without thinking fit into a budget, of those that were sampled; k of the direct vote."""
        sampled = max((len(problem[0].before) for problem in self.run.problems), default=0)
        return min(sampled, int(budget // self.direct_tokens)) if self.direct_tokens else 0

    @property
    def first_vote(self) -> float:
        """Median tokens at which the first vote of forced answers is complete; infinite without any."""
        first = [points[0][0] for record in self.traces if (points := of_trace.majority_points(record))[0]]
        return float(np.median(first)) if first else float("inf")

    def ratio_parts(self, part: str) -> tuple[Floats, Floats]:
        """(P,) parts and (P,) wholes of a share: sum(parts) / sum(wholes) over problems.

        Args:
            part: `losing` (episodes with negative progress, of all with a known one), `overthinking` (tokens after
                the first J >= 0.9, of all thinking tokens).
        """
        if part == "losing":
            steps = [[value for r in p for _, value in of_trace.progress(r)] for p in self.run.problems]
            return np.array([sum(v < 0 for v in s) for s in steps], dtype=float), np.array(list(map(len, steps)), float)
        if part == "overthinking":
            tokens = [[of_trace.overthinking_tokens(r) for r in p] for p in self.run.problems]
            thought = [[r.think_tokens for r in p] for p in self.run.problems]
            return np.array([sum(row) for row in tokens], float), np.array([sum(row) for row in thought], float)
        raise ValueError(f"part={part!r}; allowed: losing, overthinking")

    def by_index(
        self, values: Callable[[TraceRecord], Sequence[tuple[int, float]]], most: int = 20
    ) -> list[tuple[int, Floats, Floats]]:
        """(index, (P,) sums, (P,) counts) of a value that traces have at episode indices, 0 … most - 1.

        Args:
            values: (index, value) pairs of a trace, as traces.progress or traces.prefix_votes.
        """
        sums = np.zeros((most, len(self.run.problems)))
        counts = np.zeros_like(sums)
        for column, problem in enumerate(self.run.problems):
            for record in problem:
                for boundary, value in values(record):
                    if boundary < most:
                        sums[boundary, column] += value
                        counts[boundary, column] += 1
        return [(index, sums[index], counts[index]) for index in range(most) if counts[index].sum()]


def doubling(most: int) -> list[int]:
    """1, 2, 4 … and `most` itself."""
    values = [2**power for power in range(most.bit_length()) if 2**power <= most]
    return values if values[-1] == most else [*values, most]


def regret_of_curves(grid: Floats, curves: Floats) -> Floats:
    """Normalised regret at every grid point but the first, of each curve: 1 - (1/C) integral of J from 0 to C.

    The regret is linear in the curve, so that of a mean curve is the mean regret.

    Args:
        grid: (n,) tokens from 0.
        curves: (m, n).

    Returns:
        (m, n - 1).
    """
    areas = np.cumsum(np.diff(grid) * (curves[:, 1:] + curves[:, :-1]) / 2, axis=1)
    return 1.0 - areas / grid[1:]

"""Seconds of a report's numbers for 1,000 problems x 16 traces, and of its parts; prints one JSON line.

`bootstrap` is what the issue bounds: 1,000 resamples of the curves of two models, with the token efficiency of each
resample. `summary` is everything in summary.json for two runs. Traces have 1 to 12 episodes within 4,096 tokens.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mrt_verl.evaluation.bootstrap import mean_estimate, resample_weights
from mrt_verl.evaluation.measures import Measures
from mrt_verl.evaluation.summary import summarise, token_efficiency
from tests.evaluation_records import record, run_of

PROBLEMS, TRACES, BUDGET = 1000, 16, 4096


def make_measures(seed: int) -> Measures:
    """A run whose J rises by chance from episode to episode."""
    rng = np.random.default_rng(seed)

    def trace(problem: int, index: int) -> Any:
        count = int(rng.integers(1, 13))
        ends = np.sort(rng.choice(np.arange(1, BUDGET - 20), count, replace=False)).tolist()
        js = np.minimum(1, np.cumsum(rng.integers(0, 2, count)) / 4).tolist()
        own = float(rng.random() < js[-1])
        return record(problem=problem, trace=index, ends=ends, js=js, own=own, response_tokens=ends[-1] + 20)

    problems = [[trace(problem, index) for index in range(TRACES)] for problem in range(PROBLEMS)]
    return Measures(run_of(problems, budgets=[BUDGET // 4, BUDGET // 2, BUDGET]))


def seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return round(time.perf_counter() - started, 3)


def main() -> None:
    first, second = make_measures(0), make_measures(1)
    curves = seconds(lambda: (first.plain_curves, second.plain_curves))
    weights: list[Any] = []

    def bootstrap() -> None:
        weights.append(resample_weights(PROBLEMS))
        mean_estimate(first.outcomes.mean(axis=1), weights[0])
        for share in (0.5, 0.75, 0.9, 1.0):
            token_efficiency(first, second, share, weights[0])

    result = {
        "benchmark": "evaluation",
        "problems": PROBLEMS,
        "traces": TRACES,
        "curves": curves,
        "bootstrap": seconds(bootstrap),
        "summary": seconds(lambda: summarise([Measures(first.run), Measures(second.run)])),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""Bootstrap over problems: traces of one problem are not independent, so whole problems are drawn (pure numpy)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """For JSON, which knows no infinity: None there."""
        values = {"value": self.value, "low": self.low, "high": self.high}
        return {key: value if np.isfinite(value) else None for key, value in values.items()}


def resample_weights(problems: int, resamples: int = 1000, seed: int = 0) -> Floats:
    """(resamples, problems): how often each problem is drawn, divided by the number of problems.

    `weights @ values` is then the mean of each resample, for all resamples at once. The same weights for two models
    make their comparison a paired one.

    Raises:
        ValueError: there is no problem.
    """
    if problems < 1:
        raise ValueError(f"{problems} problems; allowed: 1 or more")
    counts = np.random.default_rng(seed).multinomial(problems, np.full(problems, 1 / problems), size=resamples)
    return counts / problems


def estimate(value: float, samples: ArrayLike, level: float = 0.95) -> Estimate:
    """A value with the percentile interval of its resamples; infinite ones count as larger than any."""
    ordered = np.sort(np.asarray(samples, dtype=float))
    tail = (1 - level) / 2 * (len(ordered) - 1)
    # no interpolation: between a number and infinity there is none
    return Estimate(
        float(value), float(ordered[int(np.floor(tail))]), float(ordered[int(np.ceil(len(ordered) - 1 - tail))])
    )


def mean_estimate(values: ArrayLike, weights: Floats) -> Estimate:
    """The mean of one value per problem, (problems,), with its interval."""
    array = np.asarray(values, dtype=float)
    return estimate(float(array.mean()), weights @ array)


def ratio_estimate(parts: ArrayLike, wholes: ArrayLike, weights: Floats) -> Estimate:
    """sum(parts) / sum(wholes), each (problems,), with its interval; 0 where the wholes are 0."""
    part, whole = np.asarray(parts, dtype=float), np.asarray(wholes, dtype=float)

    def divide(above: Floats, below: Floats) -> Floats:
        return np.divide(above, below, out=np.zeros_like(above), where=below != 0)

    value = divide(np.atleast_1d(part.mean()), np.atleast_1d(whole.mean()))[0]
    return estimate(float(value), divide(weights @ part, weights @ whole))

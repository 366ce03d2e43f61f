"""Student's t intervals over runs: a percentile bootstrap over three seeds covers 75 %, over five 83 %."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

T_975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
"""97.5 % quantile of Student's t by degrees of freedom, from 1 on."""


class Interval(NamedTuple):
    """A mean over runs and its 95 % interval; the ends are the mean where there is one run."""

    mean: float
    low: float
    high: float
    runs: int

    def text(self, sign: str = "", digits: int = 3) -> str:
        """As it stands in a table."""
        mean, low, high = (f"{value:{sign}.{digits}f}" for value in self[:3])
        return f"{mean} [{low}, {high}]" if self.runs > 1 else mean


def t_interval(values: Sequence[float]) -> Interval:
    """Of independent runs."""
    mean, count = statistics.fmean(values), len(values)
    if count == 1:
        return Interval(mean, mean, mean, 1)
    quantile = T_975[count - 2] if count - 2 < len(T_975) else 1.96
    half = quantile * statistics.stdev(values) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, count)


def ratio_interval(ratios: Sequence[float]) -> Interval:
    """Of ratios: on their logarithms; 0, an arm that never gets there, makes it all 0."""
    if min(ratios) <= 0:
        return Interval(0.0, 0.0, 0.0, len(ratios))
    mean, low, high, runs = t_interval([math.log(ratio) for ratio in ratios])
    return Interval(math.exp(mean), math.exp(low), math.exp(high), runs)

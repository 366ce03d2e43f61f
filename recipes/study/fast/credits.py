"""Credits that were tried and are in no arm.

python -m recipes.study.fast try --arms seen_median --set credit=recipes.study.fast.credits:median_to_go gamma=0.5
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrt_verl.progress import median_credit, to_go_credit


def median_to_go(progress: NDArray[Any], mask: NDArray[Any], gamma: float) -> NDArray[Any]:
    """R_j = sum_{m>=j} gamma^{m-j} (M_m - M_{m-1}), M the running median of three: what follows counts as well."""
    return to_go_credit(median_credit(progress, mask, 1.0), mask, gamma)


def median_of_five(progress: NDArray[Any], mask: NDArray[Any], gamma: float) -> NDArray[Any]:
    """R_j = M_j - M_{j-1}, M_j the median of J_{j-2} to J_{j+2}, and of fewer on both sides where an end is nearer."""
    credit = np.zeros_like(progress)
    for row, episodes in enumerate((mask > 0).sum(1)):
        js = np.concatenate(([0.0], np.cumsum(progress[row, :episodes])))  # less J_{-1}
        reach = [min(2, place, episodes - place) for place in range(episodes + 1)]
        medians = [np.median(js[place - far : place + far + 1]) for place, far in enumerate(reach)]
        credit[row, :episodes] = np.diff(medians)
    return credit

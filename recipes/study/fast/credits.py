"""Credits that were tried and are in no arm.

python -m recipes.study.fast try --arms seen_median --set credit=recipes.study.fast.credits:median_to_go gamma=0.5
"""

from typing import Any

from numpy.typing import NDArray

from mrt_verl.progress import median_credit, to_go_credit


def median_to_go(progress: NDArray[Any], mask: NDArray[Any], gamma: float) -> NDArray[Any]:
    """R_j = sum_{m>=j} gamma^{m-j} (M_m - M_{m-1}), M the running median of three: what follows counts as well."""
    return to_go_credit(median_credit(progress, mask, 1.0), mask, gamma)

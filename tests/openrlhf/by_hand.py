"""What a group's rollouts must be paid, worked out from their outcomes and trace files with plain numbers."""

import itertools
import math
from collections.abc import Sequence
from typing import Any


def group_norm(values: Sequence[float]) -> list[float]:
    """(r - mean) / deviation."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in values) / (len(values) - 1))
    return [(one - mean) / (deviation + 1e-6) for one in values]


def one_episode(outcomes: Sequence[float], starts: Sequence[int], runs: Sequence[int], alpha: float) -> list[float]:
    """Plain rollouts among themselves, and, alpha times, those that wrote an episode among themselves.

    Args:
        starts: of the first sampled token, equal for plain rollouts.
        runs: of sampled tokens; two where the stop text stands between thinking and answer.
    """
    is_forced = [count > 1 or start > min(starts) for start, count in zip(starts, runs, strict=True)]
    of: dict[bool, Any] = {}
    for kind in (False, True):
        some = [outcome for outcome, forced in zip(outcomes, is_forced, strict=True) if forced == kind]
        of[kind] = iter(group_norm(some) if len(some) > 1 else [0.0] * len(some))
    return [(alpha if kind else 1.0) * next(of[kind]) for kind in is_forced]


def paper(outcomes: Sequence[float], starts: Sequence[int], alpha: float) -> list[float]:
    """GRPO(outcome) + alpha GRPO(p); p = outcome - J, J the mean outcome of those forced to answer, whose p is 0."""
    plain = group_norm(outcomes)
    if len(set(starts)) != 2:  # without a prefix all are plain traces
        return plain
    forced = [start > min(starts) for start in starts]
    j = sum(one for one, is_forced in zip(outcomes, forced, strict=True) if is_forced) / sum(forced)
    progress = [0.0 if is_forced else one - j for one, is_forced in zip(outcomes, forced, strict=True)]
    return [a + alpha * b for a, b in zip(plain, group_norm(progress), strict=True)]


def online(rows: Sequence[dict[str, Any]], alpha: float, floor: float) -> list[float]:
    """GRPO(outcome) + alpha S / max(RMS, floor), less the mean; S = J_last - J_{-1}, of a group's trace rows."""
    known = [[row["j_before"], *(one["j"] for one in row["episodes"])] for row in rows]
    chains = [[j for j in js if j is not None] if js[0] is not None else [] for js in known]
    sums = [js[-1] - js[0] if len(js) > 1 else None for js in chains]
    squares = [one**2 for one in sums if one is not None]
    rms = max(math.sqrt(sum(squares) / len(squares)), floor) if squares else 1.0
    plain = group_norm([row["outcome"] for row in rows])
    found = [a + alpha * (b or 0.0) / rms for a, b in zip(plain, sums, strict=True)]
    return [one - sum(found) / len(found) for one in found]


def median_steps(progress: Sequence[float]) -> list[float]:
    """Changes of the running median of three of J, whose ends are J itself, from J's own changes."""
    js = [0.0]
    for one in progress:
        js.append(js[-1] + one)
    medians = [sorted(js[at - 1 : at + 2])[1] if 0 < at < len(js) - 1 else j for at, j in enumerate(js)]
    return [after - before for before, after in itertools.pairwise(medians)]


def dense(rows: Sequence[dict[str, Any]], alpha: float, floor: float) -> list[list[float]]:
    """The distinct advantages of each of a group's rollouts: GRPO(outcome), and with alpha p / max(RMS, floor) on it.

    p is the step that the running median of J takes over an episode, RMS that of all of the group's.
    """
    paid = [median_steps([one["progress"] for one in row["episodes"] if one["progress"] is not None]) for row in rows]
    every = [p for some in paid for p in some]
    rms = max(math.sqrt(sum(p**2 for p in every) / len(every)), floor) if every else 1.0
    plain = group_norm([row["outcome"] for row in rows])
    return [sorted({base, *(base + alpha * p / rms for p in some)}) for base, some in zip(plain, paid, strict=True)]

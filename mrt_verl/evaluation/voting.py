"""pass@k and maj@k of several answers to one problem (pure)."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

MAX_SUBSETS = 64
"""So many subsets are drawn, seeded, where there are more; over many problems the noise averages out."""


def pass_at_k(answers: int, right: int, k: int) -> float:
    """Unbiased probability that one of k answers is right, 1 - C(n-c, k) / C(n, k) (arXiv 2107.03374).

    Args:
        answers: n sampled, >= k.
        right: c of them.
        k: >= 1.

    Raises:
        ValueError: k is not in 1 … n.
    """
    if not 1 <= k <= answers:
        raise ValueError(f"k={k} of {answers} answers; allowed: 1 … {answers}")
    return 1.0 - math.comb(answers - right, k) / math.comb(answers, k)


def majority_score(answers: Sequence[str | None], scores: Sequence[float]) -> float:
    """Score of the most frequent answer, in [0, 1]; equally frequent ones share it. None is no vote; no vote scores 0.

    Args:
        answers: extracted texts; equal texts are one answer.
        scores: of each, the mean over equal texts counts.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return 0.0
    most = max(votes.values())
    winners = [answer for answer, count in votes.items() if count == most]
    # an answer's equal texts may differ in grade: a timeout is no grade
    means = [math.fsum(s for a, s in zip(answers, scores, strict=True) if a == winner) / most for winner in winners]
    return math.fsum(means) / len(means)


def majority_at_k(answers: Sequence[str | None], scores: Sequence[float], k: int) -> float:
    """maj@k: expected majority_score of k of the answers, drawn without replacement.

    Raises:
        ValueError: k is not in 1 … n.
    """
    count = len(answers)
    if not 1 <= k <= count:
        raise ValueError(f"k={k} of {count} answers; allowed: 1 … {count}")
    if k == count:
        return majority_score(answers, scores)
    if k == 1:
        return float(np.mean([0.0 if a is None else s for a, s in zip(answers, scores, strict=True)]))
    if math.comb(count, k) <= MAX_SUBSETS:
        subsets = [list(subset) for subset in itertools.combinations(range(count), k)]
    else:
        rng = np.random.default_rng(0)
        subsets = [rng.permutation(count)[:k].tolist() for _ in range(MAX_SUBSETS)]
    return float(np.mean([majority_score([answers[i] for i in s], [scores[i] for i in s]) for s in subsets]))

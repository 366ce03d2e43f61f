"""From graded answers to J and progress: what the reward manager and the evaluation both do with a rollout's record.

How a set of forced answers becomes an estimate of J = E_{y ~ mu(. | x, z_0:j)}[r(x, y)] (arXiv 2503.07572) is said by
their weights: without weights J is the mean grade, with weights the weighted sum of grades. The weights come from the
prover (prover.py) and are made here, because they are the estimator.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple

from mrt_verl.grading.grades import Grade, Verdict
from mrt_verl.progress import compute_progress
from mrt_verl.rollout_record import RolloutRecord


def judge(
    record: RolloutRecord, own: Grade, forced: Sequence[Sequence[Grade]], before: Sequence[Grade], *, alpha: float
) -> None:
    """Fill the record: outcome, J per boundary, progress, and what grading could not tell.

    Args:
        own: grade of the trace's own final answer, one sample of the last boundary's J if `record.own_is_sample`.
        forced: per boundary the grades of `record.forced`; [] where nothing was branched.
        before: grades of `record.forced_before`.
    """
    record.outcome = own.score
    record.j_before = estimate_j(before, weights_of(record.forced_before))
    record.js = [estimate_j(grades, weights_of(answers)) for grades, answers in zip(forced, record.forced, strict=True)]
    if record.js and record.own_is_sample:
        record.js[-1] = estimate_j([*forced[-1], own])
    record.progress = [astuple(step) for step in compute_progress(record.j_before, record.js)]
    record.alpha = alpha
    grades = [own, *before, *(grade for boundary in forced for grade in boundary)]
    record.answers = len(grades)
    record.no_answers = sum(grade.verdict is Verdict.NO_ANSWER for grade in grades)
    record.grade_timeouts = sum(grade.verdict is Verdict.TIMEOUT for grade in grades)
    record.grade_errors = sum(grade.verdict is Verdict.ERROR for grade in grades)


def weights_of(answers: Sequence[tuple[str, bool, float | None]]) -> list[float] | None:
    """The weights of forced answers (text, finished, weight), None where they are plain samples."""
    weights = [weight for _, _, weight in answers if weight is not None]
    return weights if weights else None


def estimate_j(grades: Sequence[Grade], weights: Sequence[float] | None = None) -> float | None:
    """J from the answers whose grade is known; None without any.

    Args:
        grades: of the forced answers behind one prefix.
        weights: one per grade; J is then the weighted sum of scores, scaled up by the weight whose grade is unknown.
            Without them J is the mean score.
    """
    if weights is None:
        scores = [grade.score for grade in grades if grade.is_known]
        return sum(scores) / len(scores) if scores else None
    known = [(weight, grade.score) for weight, grade in zip(weights, grades, strict=True) if grade.is_known]
    if len(known) == len(grades):
        return sum(weight * score for weight, score in known) if grades else None
    known_weight = sum(weight for weight, _ in known)
    if not known_weight:
        return None
    return sum(weight * score for weight, score in known) * sum(weights) / known_weight


def horvitz_thompson_weights(sequences: Sequence[Sequence[int]], log_probs: Sequence[float]) -> list[float]:
    """Horvitz-Thompson weights p_a / (1 - (1 - p_a)^G) of G sampled answers; a repetition weighs 0 (ours, mrt.md).

    The weighted sum of grades is unbiased for J, because 1 - (1 - p_a)^G is the probability that the answer `a` is
    among G independent samples. It needs no further token, and where the policy is sure it has next to no noise.

    Args:
        sequences: token ids of the samples, their end included.
        log_probs: log-probability of each whole sample under the distribution it was drawn from, <= 0.

    Returns:
        One weight per sample, in [1/G, 1] for the first of its kind.
    """
    count = len(sequences)
    seen: set[tuple[int, ...]] = set()
    weights = []
    for ids, log_prob in zip(sequences, log_probs, strict=True):
        weights.append(0.0 if tuple(ids) in seen else _inverse_inclusion(math.exp(min(log_prob, 0.0)), count))
        seen.add(tuple(ids))
    return weights


def _inverse_inclusion(p: float, count: int) -> float:
    # log1p and expm1: of a rare answer 1 - (1 - p)^G loses all digits, its limit is 1/G
    if p >= 1.0:
        return 1.0
    inclusion = -math.expm1(count * math.log1p(-p))
    return p / inclusion if inclusion > 0.0 else 1.0 / count

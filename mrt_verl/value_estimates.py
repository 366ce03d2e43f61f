"""From grades to J and progress: what the reward manager and the evaluation both do with the answers of a rollout.

How a set of forced answers becomes an estimate of J = E_{y ~ mu(. | x, z_0:j)}[r(x, y)] (arXiv 2503.07572) is said by
their weights, which the prover gives: without weights J is the mean grade, with weights the weighted sum of grades.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple

from mrt_verl.grading.grades import Grade
from mrt_verl.progress import compute_progress
from mrt_verl.provers.base import ForcedAnswer
from mrt_verl.rollout_record import BranchPart, ValuePart


def estimate_values(
    branches: BranchPart,
    own: Grade,
    forced: Sequence[Sequence[Grade]],
    before: Sequence[Grade],
    *,
    alpha: float,
) -> ValuePart:
    """Outcome, J per boundary and progress of a rollout.

    Args:
        own: grade of the trace's own final answer, one sample of the last boundary's J if `branches.own_is_sample`.
        forced: per boundary the grades of `branches.forced`; [] where nothing was branched.
        before: grades of `branches.forced_before`.
        alpha: weight of the bonus, noted in the result.
    """
    j_before = estimate_j(before, weights_of(branches.forced_before))
    pairs = zip(forced, branches.forced, strict=True)
    js = [estimate_j(grades, weights_of(answers)) for grades, answers in pairs]
    if js and branches.own_is_sample:
        js[-1] = estimate_j([*forced[-1], own])
    progress = [astuple(step) for step in compute_progress(j_before, js)]
    outcome = own.score if own.is_known else None
    return ValuePart(outcome=outcome, j_before=j_before, js=js, progress=progress, alpha=alpha)


def weights_of(answers: Sequence[ForcedAnswer]) -> list[float] | None:
    """The weights of forced answers, None where they are plain samples."""
    weights = [weight for _, _, weight in answers if weight is not None]
    return weights if weights else None


def estimate_j(grades: Sequence[Grade], weights: Sequence[float] | None = None) -> float | None:
    """J from the answers whose grade is known; None without any.

    Args:
        grades: of the forced answers after one prefix.
        weights: one per grade; J is then the weighted sum of scores, scaled up by the weight whose grade is unknown.
            Without them J is the mean score.
    """
    if weights is None:
        scores = [grade.score for grade in grades if grade.is_known]
        return math.fsum(scores) / len(scores) if scores else None
    known = [(weight, grade.score) for weight, grade in zip(weights, grades, strict=True) if grade.is_known]
    if len(known) == len(grades):
        return math.fsum(weight * score for weight, score in known) if grades else None
    known_weight = math.fsum(weight for weight, _ in known)
    if not known_weight:
        return None
    return math.fsum(weight * score for weight, score in known) * math.fsum(weights) / known_weight

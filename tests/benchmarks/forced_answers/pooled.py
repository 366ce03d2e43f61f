"""Estimators that look beyond their own boundary: spellings pooled over a prompt's group, and unseen mass filled in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tests.benchmarks.forced_answers.estimators import Place, all_paths

Draws = Sequence[np.ndarray]
"""For every place (replicates, G) rows of its `Answers`."""


@dataclass(frozen=True)
class Group:
    """The boundaries of one prompt's rollouts."""

    places: list[Place]
    """The first is the prompt itself, without thinking."""
    rollouts: list[list[int]]
    """Of each rollout its boundaries' places, that without thinking first."""
    finals: list[str]
    """What the right final answers say, with their closing brace."""
    reference: str
    """The reference, written so."""
    traces: list[dict[str, Any]] = field(default_factory=list)
    """The rollouts as `groups` wrote them."""

    @cached_property
    def spellings(self) -> list[str]:
        """Everything right that was said anywhere; the reference is the first."""
        said = [self.reference, *self.finals]
        for place in self.places:
            said += [text for text, right in zip(place.answers.contents, place.answers.right, strict=True) if right]
        return list(dict.fromkeys(said))

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(places, spellings): the reference's exactly, of others that of the token sequences drawn."""
        table = np.zeros((len(self.places), len(self.spellings)))
        number = {text: column for column, text in enumerate(self.spellings)}
        for row, place in enumerate(self.places):
            answers = place.answers
            for one in np.flatnonzero(answers.right):
                table[row, number[answers.contents[one]]] = answers.p_text[one]
            table[row, 0] = all_paths(place, np.zeros((1, 1)))[0]
        return table

    def said(self, draws: Draws) -> np.ndarray:
        """(places, replicates, spellings) bool: what the answers drawn after each place say, if right."""
        number = {text: column for column, text in enumerate(self.spellings)}
        found = np.zeros((len(self.places), len(draws[0]), len(self.spellings)), dtype=bool)
        for row, (place, rows) in enumerate(zip(self.places, draws, strict=True)):
            column = np.array([number.get(text, -1) for text in place.answers.contents])
            right = place.answers.right[rows]
            replicate, answer = np.nonzero(right)
            found[row, replicate, column[rows[replicate, answer]]] = True
        return found


def pooled(group: Group, draws: Draws | None, replicates: int, reference: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """((places, replicates) J, spellings scored there): all spellings that the group answered rightly with anywhere.

    Args:
        draws: forced answers after each place, whose right ones join the set; None draws none.
        reference: whether the reference's own spelling is in the set.
    """
    known = np.zeros((replicates, len(group.spellings)), dtype=bool)
    known[:, [group.spellings.index(text) for text in group.finals]] = True
    if reference:
        known[:, 0] = True
    if draws is not None:
        known |= group.said(draws).any(0)
    scored = np.broadcast_to(known.sum(1), (len(group.places), replicates))
    return np.minimum(group.probabilities @ known.T, 1.0), scored


def pooled_by_rollout(group: Group, draws: Draws, replicates: int) -> tuple[list[np.ndarray], float]:
    """As `pooled` with the spellings of a rollout's own boundaries, which needs no other rollout.

    Returns:
        Per rollout the (boundaries, replicates) J, that without thinking first; and the mean number of distinct
        answers scored at a boundary, the wrong ones included: what is right is not known in the rollout.
    """
    said = group.said(draws)
    made, scored = [], []
    for rollout in group.rollouts:
        known = said[rollout].any(0)
        known[:, 0] = True
        made.append(np.minimum(group.probabilities[rollout] @ known.T, 1.0))
        texts = [np.array(group.places[one].answers.contents, dtype=object)[draws[one]] for one in rollout]
        answers = np.concatenate(texts, axis=1)
        scored.append(np.mean([len({group.reference, *row}) for row in answers]))
    return made, float(np.mean(scored))


def filled(places: Sequence[Place], draws: Draws) -> np.ndarray:
    """(places, replicates) `seen` and what is unseen, filled by how often a new answer is right (empirical Bayes).

    The chance that an answer not drawn yet is right is a + b times the right share of what was drawn; a and b are
    fitted on all places of a replicate: whether the last answer is new and right, from the ones before it.
    """
    before = [covered(place, rows[:, :-1]) for place, rows in zip(places, draws, strict=True)]
    now = [covered(place, rows) for place, rows in zip(places, draws, strict=True)]
    target = np.array([is_new_and_right(place, rows) for place, rows in zip(places, draws, strict=True)])
    right, mass = np.array(before).transpose(1, 0, 2)
    features = np.stack([1 - mass, (1 - mass) * share(right, mass)], axis=-1)
    right, mass = np.array(now).transpose(1, 0, 2)
    unseen = np.clip(1 - mass, 0, 1)
    made = np.empty_like(right)
    for one in range(right.shape[1]):
        (a, b), *_ = np.linalg.lstsq(features[:, one], target[:, one], rcond=None)
        made[:, one] = right[:, one] + unseen[:, one] * np.clip(a + b * share(right, mass)[:, one], 0, 1)
    return made


def covered(place: Place, draws: np.ndarray) -> np.ndarray:
    """(2, replicates): the probability of what was drawn and is right, and of all that was drawn."""
    answers = place.answers
    through = answers.through[draws[:, :, None], draws[:, None, :]].sum(2)
    of_sample = answers.p_stem[draws] / through
    return np.stack([(of_sample * answers.right[draws]).sum(1), np.clip(of_sample.sum(1), 0, 1)])


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; 0 of nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def is_new_and_right(place: Place, draws: np.ndarray) -> np.ndarray:
    """(replicates,) whether the last answer has a stem that none before it has, and is right."""
    stem = place.answers.stem[draws]
    new = (stem[:, -1:] != stem[:, :-1]).all(1)
    return (new & place.answers.right[draws[:, -1]]).astype(float)

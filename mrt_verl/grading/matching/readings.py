"""Whether an answer as read is the reference as read."""

from mrt_verl.grading.forms.reading import Reading
from mrt_verl.grading.matching import collections, listings, numbers, words
from mrt_verl.grading.matching.rules import Verdict, match


def match_readings(reference: Reading, answer: Reading) -> Verdict:
    """Whether the answer is the reference; None if it takes a worker to decide."""
    if reference.too_big or answer.too_big:
        return None
    if reference.condition and answer.condition and reference.condition != answer.condition:
        return False
    return match(reference.form, answer.form)


RULE_MODULES = (words, numbers, listings, collections)
"""Imported because importing them registers their rules."""

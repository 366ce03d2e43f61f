"""The registry of rules, and what combines verdicts: True, False, or None if it takes a worker to decide."""

from collections.abc import Callable, Sequence
from typing import Any

from mrt_verl.grading.forms.types import Choice, Form, Named, Text

Verdict = bool | None
Rule = Callable[[Any, Any], Verdict]
RULES: dict[tuple[type, type], Rule] = {}
"""How forms of two types are compared, in either order; (type, object) for a type against any other."""


def rule(one: type, other: type) -> Callable[[Rule], Rule]:
    """Register the function as the rule for two types."""

    def register(function: Rule) -> Rule:
        RULES[one, other] = function
        return function

    return register


def match(reference: Form, answer: Form) -> Verdict:
    """Whether two forms are the same thing."""
    if reference == answer and not isinstance(reference, Text):
        return True
    for kind in (Choice, Text, Named):
        if isinstance(reference, kind) or isinstance(answer, kind):
            return RULES[kind, object](reference, answer)
    found = RULES.get((type(reference), type(answer)))
    if found is not None:
        return found(reference, answer)
    mirrored = RULES.get((type(answer), type(reference)))
    return False if mirrored is None else mirrored(answer, reference)


def all_of(verdicts: Sequence[Verdict] | Any) -> Verdict:
    result: Verdict = True
    for verdict in verdicts:
        if verdict is False:
            return False
        if verdict is None:
            result = None
    return result


def _any(verdicts: Sequence[Verdict]) -> Verdict:
    if True in verdicts:
        return True
    return None if None in verdicts else False


def ordered(reference: Sequence[Form], answer: Sequence[Form]) -> Verdict:
    if len(reference) != len(answer):
        return False
    return all_of(match(one, other) for one, other in zip(reference, answer, strict=True))


def unordered(reference: Sequence[Form], answer: Sequence[Form], as_sets: bool) -> Verdict:
    """Whether each element has its partner; as sets, repeated elements count once."""
    if not as_sets and len(reference) != len(answer):
        return False
    table = [[match(one, other) for other in answer] for one in reference]
    if as_sets:
        covered = [_any(row) for row in table] + [_any(column) for column in zip(*table, strict=True)]
        return all_of(covered) if table and table[0] else len(reference) == len(answer)
    free = set(range(len(answer)))
    result: Verdict = True
    for row in table:
        partner = next((n for n in free if row[n]), None)
        if partner is None:
            partner = next((n for n in free if row[n] is None), None)
            if partner is None:
                return False
            result = None
        free.discard(partner)
    return result

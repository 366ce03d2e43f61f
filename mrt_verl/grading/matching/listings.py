"""Rules for values side by side, whose order may or may not count."""

from collections.abc import Sequence

from mrt_verl.grading.forms.real_sets import as_real_set
from mrt_verl.grading.forms.types import FiniteSet, Form, Listing, Named, Number, Tuple
from mrt_verl.grading.formulas.values import same_value
from mrt_verl.grading.matching.rules import Verdict, match, ordered, rule, unordered


def _names(items: Sequence[Form]) -> list[str]:
    return [item.name for item in items if isinstance(item, Named)]


def _values(items: Sequence[Form]) -> list[Form]:
    return [item.value if isinstance(item, Named) else item for item in items]


def _are_assignments(items: Sequence[Form]) -> bool:
    """Whether every item gives a value to a name of its own: then their order has a meaning without the names."""
    names = _names(items)
    return len(names) == len(items) == len(set(names)) and len(items) > 1


@rule(Listing, Listing)
def match_listings(reference: Listing, answer: Listing) -> Verdict:
    one, other = reference.items, answer.items
    if (_are_assignments(one) and not _names(other)) or (_are_assignments(other) and not _names(one)):
        return ordered(_values(one), _values(other))
    # a pair named twice is the same solution; a number named twice may be a double root
    as_sets = not any(isinstance(item, Number) for item in (*one, *other))
    return unordered(one, other, as_sets)


@rule(Listing, FiniteSet)
def _match_listing_with_set(listing: Listing, given: FiniteSet) -> Verdict:
    if _names(listing.items):
        return False
    return unordered(listing.items, given.items, as_sets=True)


@rule(Listing, Tuple)
def _match_listing_with_tuple(listing: Listing, given: Tuple) -> Verdict:
    """Parentheses may be left out around a point, but `1, 3` is not the interval (1, 3)."""
    if _are_assignments(listing.items) and given.bracket in ("(", "<"):
        return ordered(_values(listing.items), given.items)
    if given.bracket != "(" or _names(listing.items) or as_real_set(given) is not None:
        return False
    return ordered(listing.items, given.items)


@rule(Listing, Number)
def _match_mixed(given: Listing, number: Number) -> Verdict:
    if given.sum_of_mixed is None or number.unit is not None:
        return False
    return same_value(("n", given.sum_of_mixed), number.node)


@rule(FiniteSet, FiniteSet)
def _match_sets(reference: FiniteSet, answer: FiniteSet) -> Verdict:
    return unordered(reference.items, answer.items, as_sets=True)


@rule(FiniteSet, Number)
def _match_one_element(given: FiniteSet, number: Number) -> Verdict:
    return match(given.items[0], number) if len(given.items) == 1 else False

"""Unions of intervals: merging, intersecting, taking points out."""

from collections.abc import Sequence
from math import isfinite

from mrt_verl.grading.forms.types import EMPTY, FiniteSet, Form, Number, RealSet, Span, Tuple
from mrt_verl.grading.formulas.nodes import Node, Unreadable, negate
from mrt_verl.grading.formulas.numerics import real_value

_INFINITY: Node = ("c", "oo")


def split_infinity(node: Node) -> Node | None:
    """The node, or None if it is an infinity of either sign."""
    if node == _INFINITY or node == negate(_INFINITY):
        return None
    return node


def _is_negative_infinity(node: Node) -> bool:
    return node == negate(_INFINITY)


def interval(low: Node, high: Node, has_low: bool, has_high: bool) -> RealSet:
    """An interval; an end at infinity is never in it."""
    if low == _INFINITY or _is_negative_infinity(high):
        raise Unreadable("an interval that ends before it starts")
    low_end, high_end = split_infinity(low), split_infinity(high)
    span = Span(low_end, high_end, has_low and low_end is not None, has_high and high_end is not None)
    return RealSet(merged([span]))


def _ends(span: Span) -> tuple[float, float] | None:
    low = float("-inf") if span.low is None else real_value(span.low)
    high = float("inf") if span.high is None else real_value(span.high)
    return None if low is None or high is None else (low, high)


def _same(one: float, other: float) -> bool:
    return one == other or (isfinite(one) and isfinite(other) and abs(one - other) <= 1e-12 * max(abs(one), abs(other)))


def merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same union, sorted, without overlaps; as it is if an end is no number.

    Raises:
        Unreadable: a span ends before it starts.
    """
    ends = [_ends(span) for span in spans]
    if any(end is None for end in ends):
        return tuple(spans)
    keyed = sorted(
        ((end, span) for end, span in zip(ends, spans, strict=True) if end),
        key=lambda one: (one[0][0], not one[1].has_low, one[0][1]),
    )
    found: list[tuple[tuple[float, float], Span]] = []
    for (low, high), span in keyed:
        if low > high and not _same(low, high):
            raise Unreadable("an interval that ends before it starts")
        if _same(low, high) and not (span.has_low and span.has_high):
            continue
        if found:
            (last_low, last_high), last = found[-1]
            touches = low < last_high or (_same(low, last_high) and (span.has_low or last.has_high))
            if touches:
                wider = high > last_high and not _same(high, last_high)
                equal = _same(high, last_high)
                kept = span if wider else last
                has_high = (span.has_high or last.has_high) if equal else kept.has_high
                has_low = last.has_low or (_same(low, last_low) and span.has_low)
                found[-1] = ((last_low, max(high, last_high)), Span(last.low, kept.high, has_low, has_high))
                continue
        found.append(((low, high), span))
    return tuple(span for _, span in found)


def intersection(one: Sequence[Span], other: Sequence[Span]) -> tuple[Span, ...]:
    """The intersection of two unions whose ends are numbers."""
    found = []
    for left in one:
        for right in other:
            left_ends, right_ends = _ends(left), _ends(right)
            if left_ends is None or right_ends is None:
                raise Unreadable("an intersection with unknown ends")
            low, has_low = _later(left_ends[0], left, right_ends[0], right)
            high, has_high = _earlier(left_ends[1], left, right_ends[1], right)
            start, end = max(left_ends[0], right_ends[0]), min(left_ends[1], right_ends[1])
            if (start < end and not _same(start, end)) or (_same(start, end) and has_low and has_high):
                found.append(Span(low, high, has_low, has_high))
    return merged(found)


def _later(left_end: float, left: Span, right_end: float, right: Span) -> tuple[Node | None, bool]:
    if _same(left_end, right_end):
        return left.low, left.has_low and right.has_low
    return (left.low, left.has_low) if left_end > right_end else (right.low, right.has_low)


def _earlier(left_end: float, left: Span, right_end: float, right: Span) -> tuple[Node | None, bool]:
    if _same(left_end, right_end):
        return left.high, left.has_high and right.has_high
    return (left.high, left.has_high) if left_end < right_end else (right.high, right.has_high)


def minus(one: RealSet, points: Sequence[Node]) -> RealSet:
    """The set without some points."""
    spans = list(one.spans)
    for point in points:
        cut = [Span(None, point), Span(point, None)]
        if real_value(point) is None:
            if spans != [Span(None, None)]:
                raise Unreadable("a set without unknown points")
            spans = cut
        else:
            spans = list(intersection(spans, cut))
    return RealSet(merged(spans), one.variable)


def as_real_set(form: Form) -> RealSet | None:
    """The form as a union of intervals, if it can be one."""
    if isinstance(form, RealSet):
        return form
    if isinstance(form, FiniteSet) and form.items:
        nodes = [item.node for item in form.items if isinstance(item, Number) and item.unit is None]
        if len(nodes) == len(form.items):
            return RealSet(merged([Span(node, node, True, True) for node in nodes]))
    if isinstance(form, Tuple) and len(form.items) == 2 and form.bracket in ("(", "["):
        low, high = form.items
        if isinstance(low, Number) and isinstance(high, Number) and low.unit is None and high.unit is None:
            closed = form.bracket == "["
            try:
                return interval(low.node, high.node, closed, closed)
            except Unreadable:
                return None
    return None


def joined(items: Sequence[Form], joint: str) -> Form | None:
    """Inequalities joined by words or commas as one set; None if not all of them are inequalities in one variable."""
    sets = [item for item in items if isinstance(item, RealSet) and item.variable]
    if len(sets) != len(items) or len({one.variable for one in sets}) != 1:
        if joint == "or" and all(isinstance(item, RealSet) for item in items):
            return RealSet(merged([span for item in items if isinstance(item, RealSet) for span in item.spans]))
        return None
    spans = sets[0].spans
    if joint == "or":
        return RealSet(merged([span for one in sets for span in one.spans]), sets[0].variable)
    for one in sets[1:]:
        spans = intersection(spans, one.spans)
    if not spans and joint == ",":
        return RealSet(merged([span for one in sets for span in one.spans]), sets[0].variable)
    return RealSet(spans, sets[0].variable) if spans else EMPTY

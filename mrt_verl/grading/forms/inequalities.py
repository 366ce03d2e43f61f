r"""Inequalities: `x > 5`, `0 < x \le 3`, `|x| < 2`, `\ge 5`."""

from collections.abc import Sequence
from fractions import Fraction

from mrt_verl.grading.forms.names import name_of
from mrt_verl.grading.forms.quantities import read_number
from mrt_verl.grading.forms.real_sets import intersection, merged, minus, split_infinity
from mrt_verl.grading.forms.types import Form, RealSet, Relation, Span
from mrt_verl.grading.formulas.nodes import Node, TooBig, Unreadable, add, divide, negate
from mrt_verl.grading.formulas.normal import normal
from mrt_verl.grading.formulas.numerics import real_value, variables
from mrt_verl.grading.formulas.parser import parse
from mrt_verl.grading.formulas.polynomials import Opaque
from mrt_verl.grading.text.tokens import Token

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def inequality(sides: list[list[Token]], signs: list[str]) -> Form:
    names = [name_of(side) for side in sides]
    if not sides[0] and len(sides) == 2:
        return _bounds("", signs[0], sides[1])
    if not all(sides):
        raise Unreadable("a side is missing")
    if len(sides) == 2 and names[0] is not None and names[1] is None and not _letters(sides[1]):
        return _bounds(names[0], signs[0], sides[1])
    if len(sides) == 2 and names[1] is not None and names[0] is None and signs[0] != "!=" and not _letters(sides[0]):
        return _bounds(names[1], _FLIPPED[signs[0]], sides[0])
    absolute = _absolute(sides, signs)
    if absolute is not None:
        return absolute
    if len(sides) == 3 and names[1] is not None and not _letters(sides[0]) and not _letters(sides[2]):
        return _between(names[1], signs, sides[0], sides[2])
    return _general([_node(side) for side in sides], signs)


def _letters(side: Sequence[Token]) -> bool:
    return any(token.kind == "l" and token.value not in "ei" for token in side)


def _node(side: Sequence[Token]) -> Node:
    nodes = parse(side)
    if len(nodes) > 1:
        raise Unreadable("two signs in an inequality")
    return nodes[0]


def _bounds(name: str, sign: str, side: Sequence[Token]) -> RealSet:
    numbers = read_number(side)
    if len(numbers) > 1:
        raise Unreadable("two signs in an inequality")
    return _bounded_by(name, sign, numbers[0].node)


def _bounded_by(name: str, sign: str, node: Node) -> RealSet:
    if sign == "!=":
        return RealSet(minus(RealSet((Span(None, None),)), [node]).spans, name)
    end = split_infinity(node)
    if end is None:
        return RealSet((Span(None, None),), name)
    if sign in ("<", "<="):
        return RealSet((Span(None, end, False, sign == "<="),), name)
    return RealSet((Span(end, None, sign == ">=", False),), name)


def _between(name: str, signs: list[str], left: Sequence[Token], right: Sequence[Token]) -> RealSet:
    if {sign[0] for sign in signs} == {"<"}:
        low, high, has_low, has_high = left, right, signs[0] == "<=", signs[1] == "<="
    elif {sign[0] for sign in signs} == {">"}:
        low, high, has_low, has_high = right, left, signs[1] == ">=", signs[0] == ">="
    else:
        raise Unreadable("inequalities of two directions")
    return RealSet(merged([Span(split_infinity(_node(low)), split_infinity(_node(high)), has_low, has_high)]), name)


def _absolute(sides: list[list[Token]], signs: list[str]) -> RealSet | None:
    r"""`|x| < c` and `a \le |x| \le b` as sets of x."""
    at = next((n for n, side in enumerate(sides) if len(side) == 3 and side[0].value == side[2].value == "|"), None)
    if at is None or sides[at][1].kind != "l" or any(_letters(side) for n, side in enumerate(sides) if n != at):
        return None
    bounds = []
    for number, sign in enumerate(signs):
        sign = sign if number == at else _FLIPPED.get(sign, sign)
        bounds.append((sign, _node(sides[number + 1 if number == at else number])))
    spans = [Span(None, None)]
    for sign, node in bounds:
        value = real_value(node)
        if value is None or value < 0 or sign == "!=":
            raise Unreadable("a bound of an absolute value")
        closed = "=" in sign
        if sign[0] == "<":
            cut = [Span(negate(node), node, closed, closed)]
        else:
            cut = [Span(None, negate(node), False, closed), Span(node, None, closed, False)]
        spans = list(intersection(spans, cut))
    return RealSet(merged(spans), sides[at][1].value)


def _general(nodes: list[Node], signs: list[str]) -> Form:
    solved = _linear(nodes, signs)
    if solved is not None:
        return solved
    if {sign[0] for sign in signs} == {">"}:
        nodes, signs = nodes[::-1], [_FLIPPED[sign] for sign in signs[::-1]]
    elif {sign[0] for sign in signs} not in ({"<"}, {"!"}):
        raise Unreadable("inequalities of two directions")
    return Relation(tuple(nodes), tuple(signs))


def _linear(nodes: list[Node], signs: list[str]) -> RealSet | None:
    """A single inequality that is linear in its only variable, with rational coefficients."""
    names = frozenset().union(*(variables(node) for node in nodes))
    if len(nodes) != 2 or len(names) != 1:
        return None
    name = next(iter(names))
    try:
        numerator, denominator = normal(add([nodes[0], negate(nodes[1])]))
    except (Opaque, TooBig):
        return None
    if list(denominator) != [frozenset()]:
        return None
    slope = numerator.get(frozenset({("v:" + name, Fraction(1))}))
    constant = numerator.get(frozenset(), Fraction(0))
    if slope is None or len(numerator) != 1 + (constant != 0):
        return None
    sign = signs[0] if slope / denominator[frozenset()] > 0 or signs[0] == "!=" else _FLIPPED[signs[0]]
    return _bounded_by(name, sign, divide(("n", -constant), ("n", slope)))

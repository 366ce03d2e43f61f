r"""Equations and memberships: `x = 5`, `2 + 3 = 5`, `x \in (1, 2)`."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from mrt_verl.grading.forms.inequalities import inequality
from mrt_verl.grading.forms.names import name_of
from mrt_verl.grading.forms.real_sets import as_real_set
from mrt_verl.grading.forms.types import EMPTY, Equation, FiniteSet, Form, Listing, Named, Number, RealSet
from mrt_verl.grading.formulas.nodes import Unreadable, add, negate
from mrt_verl.grading.formulas.numerics import differ, variables
from mrt_verl.grading.text.tokens import Token

ReadOne = Callable[[Sequence[Token]], Form]


def read_relation(sides: list[list[Token]], signs: list[str], read_one: ReadOne) -> Form:
    """The form of sides joined by signs of relations."""
    if "in" in signs:
        return _membership(sides, signs, read_one)
    if set(signs) <= {"=", "~"}:
        return _equation(sides, signs, read_one)
    if not set(signs) <= {"<", "<=", ">", ">=", "!="}:
        raise Unreadable("equations and inequalities in one chain")
    return inequality(sides, signs)


def _membership(sides: list[list[Token]], signs: list[str], read_one: ReadOne) -> Form:
    if len(signs) != 1 or not sides[1]:
        raise Unreadable("a chain with a membership")
    name = name_of(sides[0])
    if name is None:
        raise Unreadable("something other than a name lies in a set")
    form = read_one(sides[1])
    real = as_real_set(form)
    if real is not None and not isinstance(form, FiniteSet):
        return RealSet(real.spans, name)
    if isinstance(form, FiniteSet):
        return Named(name, Listing(form.items)) if form.items else EMPTY
    raise Unreadable("membership in what is no set")


def _equation(sides: list[list[Token]], signs: list[str], read_one: ReadOne) -> Form:
    if not sides[0] and len(sides) > 1:  # "= 5"
        sides, signs = sides[1:], signs[1:]
    if not sides[-1] or not sides[0]:
        raise Unreadable("a side is missing")
    sides = _until_approximate(sides, signs)
    name = name_of(sides[0])
    if len(sides) == 1:
        return read_one(sides[0])
    if name is None and len(sides) == 2 and not any(token.kind == "l" for token in sides[0]):
        name = name_of(sides[1])
        sides = sides[::-1] if name is not None else sides
    if name is not None:
        values = [read_one(side) for side in sides[1:]]
        _check_equal(values)
        return Named(name, values[-1])
    forms = [read_one(side) for side in sides]
    nodes = [form.node for form in forms if isinstance(form, Number)]
    if len(nodes) != len(forms):
        raise Unreadable("an equation of no formulas")
    if not any(variables(node) for node in nodes):
        _check_equal(forms)
        return forms[-1]
    if len(nodes) != 2:
        raise Unreadable("a chain of formulas")
    return Equation(add([nodes[0], negate(nodes[1])]))


def _until_approximate(sides: list[list[Token]], signs: list[str]) -> list[list[Token]]:
    """What follows an approximate sign only repeats the value, unless nothing but a name stands before it."""
    if "~" not in signs:
        return sides
    kept = signs.index("~") + 1
    if kept == 1 and name_of(sides[0]) is not None:
        kept = 2
    return sides[:kept]


def _check_equal(forms: Sequence[Form]) -> None:
    """A chain whose sides differ says nothing.

    Raises:
        Unreadable: they do.
    """
    for one, other in pairwise(forms):
        if one == other:
            continue
        if not isinstance(one, Number) or not isinstance(other, Number):
            raise Unreadable("a chain of different things")
        if one.node[0] == other.node[0] == "n":
            if one.node != other.node and one.unit == other.unit:
                raise Unreadable("a chain of different numbers")
        elif differ(one.node, other.node):
            raise Unreadable("a chain of different values")

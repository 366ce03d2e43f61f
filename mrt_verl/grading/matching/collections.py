"""Rules for tuples, matrices and sets of reals."""

from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from mrt_verl.grading.forms.real_sets import as_real_set
from mrt_verl.grading.forms.types import FiniteSet, Form, Matrix, Number, RealSet, Span, Tuple
from mrt_verl.grading.formulas.nodes import Node, divide, multiply
from mrt_verl.grading.formulas.values import same_value
from mrt_verl.grading.matching.rules import Verdict, all_of, ordered, rule


@rule(Tuple, Tuple)
def _match_tuples(reference: Tuple, answer: Tuple) -> Verdict:
    if reference.bracket != answer.bracket:
        kinds = {reference.bracket, answer.bracket}
        is_vector = kinds <= {"(", "<"} or (kinds <= {"(", "<", "["} and (len(reference.items) != 2 or "<" in kinds))
        if not is_vector:
            return False
    if reference.bracket == ":":
        return _match_ratios(reference, answer)
    return ordered(reference.items, answer.items)


def _match_ratios(reference: Tuple, answer: Tuple) -> Verdict:
    one, other = ([item.node for item in given.items if isinstance(item, Number)] for given in (reference, answer))
    if len(one) != len(reference.items) or len(one) != len(other) or len(other) != len(answer.items):
        return ordered(reference.items, answer.items)
    if ("n", Fraction(0)) in (one[0], other[0]) or _is_a_time(one):
        return ordered(reference.items, answer.items)
    first = zip(one[1:], other[1:], strict=True)
    return all_of(same_value(multiply(one[0], right), multiply(other[0], left)) for left, right in first)


def _is_a_time(nodes: Sequence[Node]) -> bool:
    """Whether `3:30` is rather a time of day than a ratio, which would be in lowest terms."""
    values = [node[1] for node in nodes if node[0] == "n" and node[1].denominator == 1]
    if len(values) != 2 or len(nodes) != 2:
        return False
    return values[0] <= 24 and 10 <= values[1] < 60 and gcd(int(values[0]), int(values[1])) > 1


@rule(Tuple, Number)
def _match_ratio_with_number(given: Tuple, number: Number) -> Verdict:
    if given.bracket != ":" or len(given.items) != 2 or number.unit is not None:
        return False
    top, bottom = given.items
    if not isinstance(top, Number) or not isinstance(bottom, Number) or bottom.node == ("n", Fraction(0)):
        return False
    if number.node[0] == "n" and number.node[1].denominator == 1:
        return False
    return same_value(divide(top.node, bottom.node), number.node)


@rule(Tuple, Matrix)
def _match_tuple_with_matrix(given: Tuple, matrix: Matrix) -> Verdict:
    """A vector may be written as a column, as a row or in one line."""
    if given.bracket not in ("(", "[", "<"):
        return False
    if len(matrix.rows) == 1:
        nodes = list(matrix.rows[0])
    elif len(matrix.rows[0]) == 1:
        nodes = [row[0] for row in matrix.rows]
    else:
        return False
    return ordered(given.items, [Number(node) for node in nodes])


@rule(Matrix, Matrix)
def _match_matrices(reference: Matrix, answer: Matrix) -> Verdict:
    shapes = [(len(matrix.rows), len(matrix.rows[0])) for matrix in (reference, answer)]
    if shapes[0] != shapes[1]:
        return False
    return all_of(
        same_value(one, other)
        for left, right in zip(reference.rows, answer.rows, strict=True)
        for one, other in zip(left, right, strict=True)
    )


@rule(RealSet, RealSet)
def _match_real_sets(reference: RealSet, answer: RealSet) -> Verdict:
    if reference.variable and answer.variable and not _same_variable(reference.variable, answer.variable):
        return False
    if len(reference.spans) != len(answer.spans):
        return False
    return all_of(_match_spans(one, other) for one, other in zip(reference.spans, answer.spans, strict=True))


def _same_variable(one: str, other: str) -> bool:
    return one == other or one.partition("(")[0] == other.partition("(")[0] != ""


def _match_spans(one: Span, other: Span) -> Verdict:
    if one.has_low != other.has_low or one.has_high != other.has_high:
        return False
    return all_of((_match_ends(one.low, other.low), _match_ends(one.high, other.high)))


def _match_ends(one: Node | None, other: Node | None) -> Verdict:
    if one is None or other is None:
        return one is other
    return same_value(one, other)


@rule(RealSet, Tuple)
@rule(RealSet, FiniteSet)
def _match_as_real_sets(reference: Form, answer: Form) -> Verdict:
    one, other = as_real_set(reference), as_real_set(answer)
    if one is None or other is None:
        return False
    return _match_real_sets(one, other)

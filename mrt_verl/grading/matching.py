"""Whether an answer's form is the reference's: one rule per pair of types.

Every rule returns True, False, or None if it takes a worker to decide. What no rule compares is different.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from mrt_verl.grading.expressions import Node, add, divide, multiply, negate
from mrt_verl.grading.forms import (
    Choice,
    Equation,
    FiniteSet,
    Form,
    InBase,
    Listing,
    Matrix,
    Named,
    Number,
    RealSet,
    Relation,
    Residue,
    Span,
    Text,
    Tuple,
)
from mrt_verl.grading.reading import Reading
from mrt_verl.grading.sets import as_real_set
from mrt_verl.grading.units import Unit
from mrt_verl.grading.values import rounds_to, same_ratio, same_value

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


_DIMENSION_OF_ANGLES = frozenset({("degree", 1)})
_RADIANS = frozenset({("rad", 1)})


def match_readings(reference: Reading, answer: Reading) -> Verdict:
    """Whether the answer is the reference; None if it takes a worker to decide."""
    if reference.too_big or answer.too_big:
        return None
    if reference.condition and answer.condition and reference.condition != answer.condition:
        return False
    return match(reference.form, answer.form)


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


def _all(verdicts: Sequence[Verdict] | Any) -> Verdict:
    result: Verdict = True
    for verdict in verdicts:
        if verdict is False:
            return False
        if verdict is None:
            result = None
    return result


@rule(Choice, object)
def _match_choice(reference: Form, answer: Form) -> Verdict:
    if isinstance(reference, Choice) and isinstance(answer, Choice):
        if reference.letters != answer.letters:
            return False
        if reference.value is None or answer.value is None:
            return True
        return match(reference.value, answer.value)
    if isinstance(reference, Choice):
        if isinstance(answer, Named) and reference.value is None and len(reference.letters) == 1:
            return False
        return False if reference.value is None else match(reference.value, answer)
    assert isinstance(answer, Choice)
    if answer.value is not None:
        return match(reference, answer.value)
    if isinstance(reference, Named) and len(answer.letters) == 1:
        return match(reference, Number(("s", next(iter(answer.letters)))))
    return False


@rule(Text, object)
def _match_text(reference: Form, answer: Form) -> Verdict:
    if isinstance(reference, Text) and isinstance(answer, Text):
        if reference.words == answer.words:
            return True
        return None if reference.is_formula and answer.is_formula else False
    text, other = (reference, answer) if isinstance(reference, Text) else (answer, reference)
    assert isinstance(text, Text)
    if isinstance(other, Number) and len(text.words) == 2 and text.words.isalpha() and text.words.isascii():
        return same_value(multiply(("s", text.words[0]), ("s", text.words[1])), other.node)
    return None if text.is_formula and not isinstance(other, Text) else False


@rule(Named, object)
def _match_named(reference: Form, answer: Form) -> Verdict:
    if isinstance(reference, Named) and isinstance(answer, Named):
        if reference.name == answer.name or _are_alike(reference.name, answer.name):
            return match(reference.value, answer.value)
        return False
    named, other = (reference, answer) if isinstance(reference, Named) else (answer, reference)
    assert isinstance(named, Named)
    if isinstance(other, Equation):
        return _match_equation(named, other)
    if named.name[0] == "(" and isinstance(named.value, Tuple) and isinstance(other, Listing):
        names = named.name[1:-1].split(",")
        if len(names) == len(named.value.items):
            pairs = zip(names, named.value.items, strict=True)
            return _match_listings(Listing(tuple(Named(name, value) for name, value in pairs)), other)
    if isinstance(other, Listing) and any(isinstance(item, Named) for item in other.items):
        return False
    return match(named.value, other) if named is reference else match(other, named.value)


def _are_alike(one: str, other: str) -> bool:
    """Names that may stand for each other: a function whatever its argument is called, `y` and `f(x)`, words."""
    first, second = one.partition("(")[0], other.partition("(")[0]
    if first and first == second:
        return True
    called = ("(" in one and bool(first)) + ("(" in other and bool(second))
    if called == 1 and "y" in (one, other):
        return True
    return any(len(name) > 2 and name.replace(" ", "").isalpha() and name.islower() for name in (one, other))


def _match_equation(named: Named, equation: Equation) -> Verdict:
    """`y = 2x + 1` is the equation of a line; `x = 5` is a solution and not an equation to be solved."""
    if not isinstance(named.value, Number) or len(named.name) != 1 or not _has_variables(named.value.node):
        return False
    return same_ratio(add([("s", named.name), negate(named.value.node)]), equation.difference)


def _has_variables(node: Node) -> bool:
    return node[0] == "s" or any(isinstance(part, tuple) and _has_variables(part) for part in node)


@rule(Number, Number)
def _match_numbers(reference: Number, answer: Number) -> Verdict:
    if reference.unit is None and answer.unit is None:
        return _match_nodes(reference, answer)
    if reference.unit is None or answer.unit is None:
        return _match_with_one_unit(reference, answer)
    one, other = reference.unit, answer.unit
    if one.dimensions != other.dimensions:
        return _match_angles(reference, answer)
    if one.factor == other.factor:
        return _match_nodes(reference, answer)
    return same_value(multiply(("n", one.factor), reference.node), multiply(("n", other.factor), answer.node))


def _match_nodes(reference: Number, answer: Number) -> Verdict:
    equal = same_value(reference.node, answer.node)
    if equal or reference.decimals is None or answer.decimals is not None or reference.node[0] != "n":
        return equal
    return rounds_to(answer.node, reference.node[1], reference.decimals, reference.digits) or equal


def _match_with_one_unit(reference: Number, answer: Number) -> Verdict:
    """A missing unit is forgiven; a percentage may also be written as its value, and a right angle as pi/2."""
    unit = reference.unit or answer.unit
    assert unit is not None
    if unit.name == "%":
        return _match_percentages(reference, answer)
    equal = _match_nodes(reference, answer)
    if equal or unit.dimensions != _DIMENSION_OF_ANGLES:
        return equal
    return _match_radians(reference, answer)


def _match_percentages(reference: Number, answer: Number) -> Verdict:
    hundredth = ("n", Fraction(1, 100))
    with_sign, bare = (reference, answer) if reference.unit is not None else (answer, reference)
    value = same_value(multiply(hundredth, with_sign.node), bare.node)
    if value is not False:
        return value
    # without a sign, a reference up to 1 is a probability, which "0.5 %" is not
    if with_sign is answer and not (bare.node[0] == "n" and abs(bare.node[1]) > 1):
        return False
    return _match_nodes(reference, answer)


def _match_angles(reference: Number, answer: Number) -> Verdict:
    units = {unit.dimensions for unit in (reference.unit, answer.unit) if unit is not None}
    return _match_radians(reference, answer) if units == {_DIMENSION_OF_ANGLES, _RADIANS} else False


def _match_radians(reference: Number, answer: Number) -> Verdict:
    """Degrees against an angle that is written with pi, in radians."""
    reference_is_degree = reference.unit is not None and reference.unit.dimensions == _DIMENSION_OF_ANGLES
    degrees, radians = (reference, answer) if reference_is_degree else (answer, reference)
    if not _has_pi(radians.node):
        return False
    return same_value(multiply(degrees.node, divide(("c", "pi"), ("n", Fraction(180)))), radians.node)


def _has_pi(node: Node) -> bool:
    return node == ("c", "pi") or any(isinstance(part, tuple) and _has_pi(part) for part in node)


def _unordered(reference: Sequence[Form], answer: Sequence[Form], as_sets: bool) -> Verdict:
    """Whether each element has its partner; as sets, repeated elements count once."""
    if not as_sets and len(reference) != len(answer):
        return False
    table = [[match(one, other) for other in answer] for one in reference]
    if as_sets:
        covered = [_any(row) for row in table] + [_any(column) for column in zip(*table, strict=True)]
        return _all(covered) if table and table[0] else len(reference) == len(answer)
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


def _any(verdicts: Sequence[Verdict]) -> Verdict:
    if True in verdicts:
        return True
    return None if None in verdicts else False


def _ordered(reference: Sequence[Form], answer: Sequence[Form]) -> Verdict:
    if len(reference) != len(answer):
        return False
    return _all(match(one, other) for one, other in zip(reference, answer, strict=True))


def _names(items: Sequence[Form]) -> list[str]:
    return [item.name for item in items if isinstance(item, Named)]


def _values(items: Sequence[Form]) -> list[Form]:
    return [item.value if isinstance(item, Named) else item for item in items]


def _are_assignments(items: Sequence[Form]) -> bool:
    """Whether every item gives a value to a name of its own: then their order has a meaning without the names."""
    names = _names(items)
    return len(names) == len(items) == len(set(names)) and len(items) > 1


@rule(Listing, Listing)
def _match_listings(reference: Listing, answer: Listing) -> Verdict:
    one, other = reference.items, answer.items
    if _are_assignments(one) and not _names(other) or _are_assignments(other) and not _names(one):
        return _ordered(_values(one), _values(other))
    # a pair named twice is the same solution; a number named twice may be a double root
    as_sets = not any(isinstance(item, Number) for item in (*one, *other))
    return _unordered(one, other, as_sets)


@rule(Listing, FiniteSet)
def _match_listing_with_set(listing: Listing, given: FiniteSet) -> Verdict:
    if _names(listing.items):
        return False
    return _unordered(listing.items, given.items, as_sets=True)


@rule(Listing, Tuple)
def _match_listing_with_tuple(listing: Listing, given: Tuple) -> Verdict:
    """Parentheses may be left out around a point, but `1, 3` is not the interval (1, 3)."""
    if _are_assignments(listing.items) and given.bracket in ("(", "<"):
        return _ordered(_values(listing.items), given.items)
    if given.bracket != "(" or _names(listing.items) or as_real_set(given) is not None:
        return False
    return _ordered(listing.items, given.items)


@rule(FiniteSet, FiniteSet)
def _match_sets(reference: FiniteSet, answer: FiniteSet) -> Verdict:
    return _unordered(reference.items, answer.items, as_sets=True)


@rule(Tuple, Tuple)
def _match_tuples(reference: Tuple, answer: Tuple) -> Verdict:
    if reference.bracket != answer.bracket:
        kinds = {reference.bracket, answer.bracket}
        is_vector = kinds <= {"(", "<"} or (kinds <= {"(", "<", "["} and (len(reference.items) != 2 or "<" in kinds))
        if not is_vector:
            return False
    if reference.bracket == ":":
        return _match_ratios(reference, answer)
    return _ordered(reference.items, answer.items)


def _match_ratios(reference: Tuple, answer: Tuple) -> Verdict:
    one, other = ([item.node for item in given.items if isinstance(item, Number)] for given in (reference, answer))
    if len(one) != len(reference.items) or len(one) != len(other) or len(other) != len(answer.items):
        return _ordered(reference.items, answer.items)
    if ("n", Fraction(0)) in (one[0], other[0]):
        return _ordered(reference.items, answer.items)
    first = zip(one[1:], other[1:], strict=True)
    return _all(same_value(multiply(one[0], right), multiply(other[0], left)) for left, right in first)


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
    return _ordered(given.items, [Number(node) for node in nodes])


@rule(Matrix, Matrix)
def _match_matrices(reference: Matrix, answer: Matrix) -> Verdict:
    shapes = [(len(matrix.rows), len(matrix.rows[0])) for matrix in (reference, answer)]
    if shapes[0] != shapes[1]:
        return False
    return _all(
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
    return _all(_match_spans(one, other) for one, other in zip(reference.spans, answer.spans, strict=True))


def _same_variable(one: str, other: str) -> bool:
    return one == other or one.partition("(")[0] == other.partition("(")[0] != ""


def _match_spans(one: Span, other: Span) -> Verdict:
    if one.has_low != other.has_low or one.has_high != other.has_high:
        return False
    return _all((_match_ends(one.low, other.low), _match_ends(one.high, other.high)))


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


@rule(Equation, Equation)
def _match_equations(reference: Equation, answer: Equation) -> Verdict:
    return same_ratio(reference.difference, answer.difference)


@rule(Relation, Relation)
def _match_relations(reference: Relation, answer: Relation) -> Verdict:
    if reference.signs != answer.signs:
        return False
    if len(reference.signs) == 1:
        one, other = (add([nodes[0], negate(nodes[1])]) for nodes in (reference.nodes, answer.nodes))
        return same_ratio(one, other, only_positive=reference.signs != ("!=",))
    return _all(same_value(one, other) for one, other in zip(reference.nodes, answer.nodes, strict=True))


@rule(Residue, Residue)
def _match_residues(reference: Residue, answer: Residue) -> Verdict:
    if same_value(reference.modulus, answer.modulus) is not True:
        return False
    nodes = (reference.node, answer.node, reference.modulus)
    values = [node[1] for node in nodes if node[0] == "n" and node[1].denominator == 1]
    if len(values) == 3 and values[2] > 0:
        return bool((values[0] - values[1]) % values[2] == 0)
    return same_value(reference.node, answer.node)


@rule(InBase, InBase)
def _match_bases(reference: InBase, answer: InBase) -> Verdict:
    return reference == answer


@rule(Residue, Number)
def _match_residue_with_number(given: Residue, number: Number) -> Verdict:
    if number.unit is not None:
        return False
    if given.is_remainder and given.node[0] == given.modulus[0] == "n" and given.modulus[1] > 0:
        return same_value(("n", given.node[1] % given.modulus[1]), number.node)
    return same_value(given.node, number.node)


@rule(Listing, Number)
def _match_mixed(given: Listing, number: Number) -> Verdict:
    if given.sum_of_mixed is None or number.unit is not None:
        return False
    return same_value(("n", given.sum_of_mixed), number.node)


@rule(FiniteSet, Number)
def _match_one_element(given: FiniteSet, number: Number) -> Verdict:
    return match(given.items[0], number) if len(given.items) == 1 else False

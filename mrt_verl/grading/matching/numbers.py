"""Rules for numbers with units, residues, bases, equations and relations."""

from fractions import Fraction

from mrt_verl.grading.forms.types import Equation, InBase, Number, Relation, Residue
from mrt_verl.grading.formulas.nodes import Node, add, divide, multiply, negate
from mrt_verl.grading.formulas.values import rounds_to, same_ratio, same_value
from mrt_verl.grading.matching.rules import Verdict, all_of, rule

_DIMENSION_OF_ANGLES = frozenset({("degree", 1)})
_RADIANS = frozenset({("rad", 1)})


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
    return all_of(same_value(one, other) for one, other in zip(reference.nodes, answer.nodes, strict=True))

"""Typed forms in words, for whoever asks why an answer was wrong."""

from fractions import Fraction

from mrt_verl.grading.forms.reading import Reading
from mrt_verl.grading.forms.types import (
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
from mrt_verl.grading.formulas.nodes import Node

MAX_DIGITS = 60


def describe(reading: Reading) -> str:
    """One line: the type of what was read, and what it is."""
    if reading.too_big:
        return "a number too large for this process, left to a worker"
    condition = f", if {reading.condition}" if reading.condition else ""
    return _form(reading.form) + condition


def _form(form: Form) -> str:
    match form:
        case Text():
            return f"text {form.words[:200]!r}" + (", which looks like a formula" if form.is_formula else "")
        case Number():
            return _number(form)
        case InBase():
            return f"{form.value} written in base {form.base}"
        case Residue():
            return f"residue {_node(form.node)} modulo {_node(form.modulus)}"
        case Choice():
            value = f" with the value {_form(form.value)}" if form.value is not None else ""
            return f"choice {', '.join(sorted(form.letters))}{value}"
        case Named():
            return f"{form.name} = {_form(form.value)}"
        case Equation():
            return f"equation {_node(form.difference)} = 0"
        case Relation():
            signs = [*form.signs, ""]
            return "relation " + " ".join(f"{_node(node)} {sign}" for node, sign in zip(form.nodes, signs, strict=True))
        case RealSet():
            name = f"{form.variable} in " if form.variable else ""
            return f"real set {name}{' or '.join(_span(span) for span in form.spans) or 'without elements'}"
        case Matrix():
            rows = "; ".join(", ".join(_node(node) for node in row) for row in form.rows)
            return f"matrix [{rows}]"
    return _collection(form)


def _collection(form: Listing | Tuple | FiniteSet) -> str:
    items = ", ".join(_form(item) for item in form.items)
    if isinstance(form, FiniteSet):
        return f"set {{{items}}}" if form.items else "the empty set"
    if isinstance(form, Listing):
        return f"several values, in any order: {items}"
    kind = {":": "ratio", "[": "list or closed interval", "<": "vector"}.get(form.bracket, "tuple or open interval")
    return f"{kind} ({items})"


def _number(form: Number) -> str:
    kind = "number" if form.node[0] == "n" else "formula"
    unit = f", unit {form.unit.name}" if form.unit is not None else ""
    decimals = f", written with {form.decimals} decimals" if form.decimals is not None else ""
    return f"{kind} {_node(form.node)}{unit}{decimals}"


def _span(span: Span) -> str:
    low = "-oo" if span.low is None else _node(span.low)
    high = "oo" if span.high is None else _node(span.high)
    return f"{'[' if span.has_low else '('}{low}, {high}{']' if span.has_high else ')'}"


def _node(node: Node) -> str:
    kind = node[0]
    if kind == "n":
        return _rational(node[1])
    if kind in ("s", "c"):
        return str(node[1])
    if kind == "+":
        return "(" + " + ".join(_node(part) for part in node[1]) + ")"
    if kind == "*":
        return "*".join(_node(part) for part in node[1])
    if kind in ("/", "^"):
        return f"({_node(node[1])}){kind}({_node(node[2])})"
    return f"{node[1]}({', '.join(_node(part) for part in node[2:])})"


def _rational(value: Fraction) -> str:
    bits = value.numerator.bit_length() + value.denominator.bit_length()
    return str(value) if bits < 3 * MAX_DIGITS else f"a fraction of {bits} bits"

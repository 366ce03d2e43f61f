"""Rules for choices, text and named values."""

from mrt_verl.grading.forms.types import Choice, Equation, Form, Listing, Named, Number, Text, Tuple
from mrt_verl.grading.formulas.nodes import Node, add, multiply, negate
from mrt_verl.grading.formulas.values import same_ratio, same_value
from mrt_verl.grading.matching.listings import match_listings
from mrt_verl.grading.matching.rules import Verdict, match, rule


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
            return match_listings(Listing(tuple(Named(name, value) for name, value in pairs)), other)
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

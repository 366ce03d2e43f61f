r"""Equations, inequalities and conditions: `x = 5`, `0 < x \le 3`, `x \in (1, 2)`, `2n - 1, n \in \mathbb{N}`."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from mrt_verl.grading import numerics
from mrt_verl.grading.algebra import Opaque, normal
from mrt_verl.grading.expressions import Node, TooBig, Unreadable, add, divide, negate, parse
from mrt_verl.grading.forms import EMPTY, Equation, FiniteSet, Form, Listing, Named, Number, RealSet, Relation, Span
from mrt_verl.grading.sets import as_real_set, merged, minus, split_infinity
from mrt_verl.grading.splitting import CLOSING, OPENING, SIGNS, depths
from mrt_verl.grading.tokens import Token

ReadOne = Callable[[Sequence[Token]], Form]
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_CONDITION_WORDS = frozenset({"where", "for", "when", "if", "with", "whenever", "其中"})
_NAMING = frozenset(
    {"\\angle", "\\triangle", "\\overline", "\\vec", "\\bar", "\\overrightarrow", "\\hat", "m", "\\measuredangle"}
)
_FUNCTION_NAMES = frozenset(
    {"\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "sin", "cos", "tan", "\\max", "\\min", "max", "min"}
)


def without_condition(tokens: Sequence[Token]) -> tuple[Sequence[Token], str]:
    r"""The tokens before a trailing condition such as `(n \in \mathbb{N})`, `, n \ge 1` or `where n is odd`."""
    depth = depths(tokens)
    for position in range(1, len(tokens)):
        token = tokens[position]
        if depth[position] == 0 and token.value in _CONDITION_WORDS and token.kind == "w":
            return tokens[:position], _spelled(tokens[position + 1 :])
    if tokens and tokens[-1].value == ")":
        start = max(
            position for position in range(len(tokens)) if depth[position] == 0 and tokens[position].value in OPENING
        )
        inner = tokens[start + 1 : -1]
        if start and _is_condition(inner) and tokens[start - 1].value != "\\in":
            return _without_comma(tokens[:start]), _spelled(inner)
    commas = [position for position in range(len(tokens)) if depth[position] == 0 and tokens[position].value == ","]
    if commas:
        before, after = tokens[: commas[-1]], tokens[commas[-1] + 1 :]
        if _is_condition(after) and not _is_bound(before) and _names(after) & _names(before):
            return _without_comma(before), _spelled(after)
    return tokens, ""


def _without_comma(tokens: Sequence[Token]) -> Sequence[Token]:
    return tokens[:-1] if tokens and tokens[-1].value == "," else tokens


def _is_condition(tokens: Sequence[Token]) -> bool:
    """Whether it starts with a name and says where that lies."""
    values = [token.value for token in tokens]
    return (
        len(tokens) >= 3
        and tokens[0].kind in "lc"
        and any(value in ("\\in", "<", ">", "\\le", "\\ge", "\\ne") for value in values)
    )


def _is_bound(tokens: Sequence[Token]) -> bool:
    return any(SIGNS.get(token.value) in ("<", ">", "<=", ">=", "!=", "in") for token in tokens)


def _names(tokens: Sequence[Token]) -> set[str]:
    return {token.value for token in tokens if token.kind == "l"}


def _spelled(tokens: Sequence[Token]) -> str:
    return "".join(token.value for token in tokens if token.value not in "{}")


def name_of(tokens: Sequence[Token]) -> str | None:
    """The name that the tokens are: a symbol, `f(x)`, `AB`, `|AB|`, `\\angle A`, words, or several of them."""
    values = [token.value for token in tokens]
    if not tokens:
        return None
    if values[0] in _FUNCTION_NAMES and len(tokens) > 1:
        rest = name_of(tokens[1:])
        return None if rest is None else values[0].lstrip("\\") + rest
    if values[0] == "(" and values[-1] == ")" and len(tokens) > 2:
        names = [name_of(part) for part in _at(tokens[1:-1], (",",))]
        return None if None in names else "(" + ",".join(str(name) for name in names) + ")"
    if ":" in values:
        names = [name_of(part) for part in _at(tokens, (":",))]
        return None if None in names else ":".join(str(name) for name in names)
    if values[0] == values[-1] == "|" and len(tokens) > 2:
        inner = tokens[1:-1]
        known = len(inner) > 1 or inner[0].value in ("z", "w") or inner[0].value.isupper() or inner[0].kind == "w"
        return f"|{name_of(inner)}|" if known and name_of(inner) else None
    if all(token.kind == "w" or token.value in ("'", "-", ",") for token in tokens) and _are_words(tokens):
        return " ".join(values).lower()
    if all(_is_capital(token) or token.value in ("\\frac", "{", "}", ":", "/") for token in tokens):
        return _spelled(tokens) if any(_is_capital(token) for token in tokens) else None
    return _symbol_name(tokens)


def _are_words(tokens: Sequence[Token]) -> bool:
    if any(
        token.value.lower() in ("pi", "e", "i", "sin", "cos", "tan", "sqrt", "log", "ln", "exp") for token in tokens
    ):
        return False
    if len(tokens) > 1 or tokens[0].upright:
        return True
    return len(tokens[0].value) >= 3 or tokens[0].value.isupper() or not tokens[0].value.isascii()


def _is_capital(token: Token) -> bool:
    return token.kind in "lw" and token.value.isupper() and token.value.isascii()


def _at(tokens: Sequence[Token], signs: tuple[str, ...]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    depth = depths(tokens)
    for token, level in zip(tokens, depth, strict=True):
        if level == 0 and token.value in signs:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _symbol_name(tokens: Sequence[Token]) -> str | None:
    """A letter with accents before it, and subscript, primes and arguments after it."""
    start = 0
    while start < len(tokens) and tokens[start].value in _NAMING and start + 1 < len(tokens):
        start += 1
    rest = [token for token in tokens[start:]]
    if not rest:
        return None
    if start and all(_is_capital(token) or token.value in "{}" for token in rest):
        return _spelled(tokens)
    if start and rest[0].value == "{" and rest[-1].value == "}":
        rest = rest[1:-1]
    first = rest[0] if rest else None
    if first is None or not (
        first.kind == "l"
        or (first.kind == "c" and first.value[1:].isalpha() and len(first.value) > 2)
        or _is_capital(first)
    ):
        return None
    if first.kind == "c" and first.value[1:] not in _GREEK or first.value in ("e", "i") and len(rest) == 1:
        return None
    values, at = [token.value for token in rest], 1
    while at < len(values):
        if values[at] == "_" and at + 1 < len(values):
            at += 1
            if values[at] == "{":
                at = _end_of_group(values, at)
            at += 1
        elif values[at] in ("'", "^") and (values[at] == "'" or values[at + 1 : at + 2] in (["'"], ["*"])):
            at += 1 if values[at] == "'" else 2
        elif values[at] == "(" and _end_of_group(values, at) == len(values) - 1:
            return _spelled(tokens) if _is_call(rest, at) else None
        else:
            return None
    return _spelled(tokens)


def _is_call(tokens: Sequence[Token], at: int) -> bool:
    """Whether the letter before the parenthesis at `at` reads as a function and not as a factor."""
    inner = tokens[at + 1 : -1]
    if tokens[0].value in (
        "f",
        "g",
        "h",
        "F",
        "G",
        "H",
        "P",
        "p",
        "q",
        "Q",
        "W",
        "T",
        "V",
        "S",
        "E",
        "N",
        "R",
        "y",
        "u",
        "v",
    ):
        return True
    return len(inner) == 1


_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell".split()
)


def _end_of_group(values: Sequence[str], start: int) -> int:
    depth = 0
    for position in range(start, len(values)):
        depth += (values[position] in OPENING) - (values[position] in CLOSING)
        if depth == 0:
            return position
    return len(values)


def read_relation(sides: list[list[Token]], signs: list[str], read_one: ReadOne) -> Form:
    """The form of sides joined by signs of relations."""
    if "in" in signs:
        return _membership(sides, signs, read_one)
    if set(signs) <= {"=", "~"}:
        return _equation(sides, signs, read_one)
    if not set(signs) <= {"<", "<=", ">", ">=", "!="}:
        raise Unreadable("equations and inequalities in one chain")
    return _inequality(sides, signs)


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
    if name is None and len(sides) == 2 and name_of(sides[1]) is not None:
        if not any(token.kind == "l" for token in sides[0]):
            name, sides = name_of(sides[1]), [sides[1], sides[0]]
    if name is not None:
        values = [read_one(side) for side in sides[1:]]
        _check_equal(values)
        return Named(name, values[-1])
    forms = [read_one(side) for side in sides]
    nodes = [form.node for form in forms if isinstance(form, Number)]
    if len(nodes) != len(forms):
        raise Unreadable("an equation of no formulas")
    if not any(numerics.variables(node) for node in nodes):
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
    for one, other in zip(forms, forms[1:], strict=False):
        if one == other:
            continue
        if not isinstance(one, Number) or not isinstance(other, Number):
            raise Unreadable("a chain of different things")
        if one.node[0] == other.node[0] == "n":
            if one.node != other.node and one.unit == other.unit:
                raise Unreadable("a chain of different numbers")
        elif numerics.differ(one.node, other.node):
            raise Unreadable("a chain of different values")


def _inequality(sides: list[list[Token]], signs: list[str]) -> Form:
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
    from mrt_verl.grading.numbers_with_units import read_number

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
        value = numerics.real_value(node)
        if value is None or value < 0 or sign == "!=":
            raise Unreadable("a bound of an absolute value")
        closed = "=" in sign
        if sign[0] == "<":
            cut = [Span(negate(node), node, closed, closed)]
        else:
            cut = [Span(None, negate(node), False, closed), Span(node, None, closed, False)]
        from mrt_verl.grading.sets import intersection

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
    names = frozenset().union(*(numerics.variables(node) for node in nodes))
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

r"""Tuples, intervals, sets and matrices in brackets."""

from collections.abc import Callable, Sequence

from mrt_verl.grading.forms.matrices import matrix_of
from mrt_verl.grading.forms.real_sets import interval, joined, split_infinity
from mrt_verl.grading.forms.types import EMPTY, REALS, FiniteSet, Form, Listing, Number, RealSet, Text, Tuple
from mrt_verl.grading.formulas.nodes import Node, Unreadable
from mrt_verl.grading.formulas.parser import parse
from mrt_verl.grading.text.splitting import at_commas, depths, is_enclosed, split
from mrt_verl.grading.text.tokens import Token

ReadOne = Callable[[Sequence[Token]], Form]


def read_container(tokens: Sequence[Token], read_one: ReadOne, read_tokens: ReadOne) -> Form | None:
    """A tuple, an interval, a set, or what stands inside of parentheses; None for a bracket around a formula."""
    opened, closed, inner = tokens[0].value, tokens[-1].value, tokens[1:-1]
    if opened in ("\\lfloor", "\\lceil", "\\begin"):
        return None
    if opened == "\\{" or (opened == "{" and closed == "}"):
        return _braces(inner, read_one, opened == "{")
    parts, used = at_commas(inner)
    if len(parts) == 1:
        return _single(tokens, inner, read_tokens)
    if not all(parts):
        if opened == "(" and len(parts) == 2 and parts[0]:
            parts = parts[:1]
        else:
            raise Unreadable("an empty part")
    rows = _spaced_rows(parts) if opened == "[" and used == {";"} else None
    if rows is not None:
        return matrix_of(rows)
    items = [_item(part, read_one) for part in parts]
    if opened == "\\langle":
        return Tuple(tuple(items), "<")
    if any(isinstance(item, Text) for item in items):
        return Tuple(tuple(items), "...")
    if _nested(items) and opened == "[":
        return matrix_of([[_number_node(entry) for entry in item.items] for item in items if isinstance(item, Tuple)])
    if opened == "[" and used == {";"} and len(parts) != 2:
        return matrix_of([[_number_node(item)] for item in items])
    if (opened, closed) in (("(", ")"), ("[", "]")):
        if _unbounded(items):
            return interval(_number_node(items[0]), _number_node(items[1]), opened == "[", closed == "]")
        return Tuple(tuple(items), opened)
    if len(items) == 2 and {opened, closed} <= {"(", ")", "[", "]"}:
        low, high = _number_node(items[0]), _number_node(items[1])
        return interval(low, high, opened == "[", closed == "]")
    raise Unreadable("brackets that do not fit")


def _spaced_rows(parts: Sequence[Sequence[Token]]) -> list[list[Node]] | None:
    """The rows of `[1 2; 3 4]`: numerals between spaces; None without any."""
    rows = []
    for part in parts:
        cells: list[list[Token]] = []
        for token in part:
            if token.kind != "n" and token.value != "-":
                return None
            if not cells or token.spaced:
                cells.append([])
            cells[-1].append(token)
        rows.append([parse(cell)[0] for cell in cells])
    return rows if len(rows[0]) > 1 else None


def _unbounded(items: Sequence[Form]) -> bool:
    return len(items) == 2 and any(isinstance(item, Number) and split_infinity(item.node) is None for item in items)


def _item(part: Sequence[Token], read_one: ReadOne) -> Form:
    if len(part) == 1 and part[0].value == "\\ldots":
        return Text("...")
    form = read_one(part)
    if isinstance(form, Listing):
        raise Unreadable("two signs in a tuple")
    return form


def _number_node(form: Form) -> Node:
    if not isinstance(form, Number) or form.unit is not None:
        raise Unreadable("an end or an entry that is no number")
    return form.node


def _nested(items: Sequence[Form]) -> bool:
    return all(isinstance(item, Tuple) and item.bracket == "[" for item in items)


def _single(tokens: Sequence[Token], inner: Sequence[Token], read_tokens: ReadOne) -> Form | None:
    """Brackets around one thing: a formula is read with them, anything else without."""
    while len(inner) > 2 and inner[0].value in ("(", "[") and is_enclosed(inner, depths(inner)):
        tokens, inner = inner, inner[1:-1]
    try:
        parse(tokens)
        return None
    except Unreadable:
        form = read_tokens(inner)
        if tokens[0].value == "[" and isinstance(form, Tuple) and form.bracket == "[":
            return matrix_of([[_number_node(entry) for entry in form.items]])
        return form


def _braces(inner: Sequence[Token], read_one: ReadOne, is_plain: bool) -> Form | None:
    if not inner:
        return EMPTY
    depth = depths(inner)
    bar = next(
        (n for n, token in enumerate(inner) if depth[n] == 0 and token.value in ("|", ":", "\\colon") and n), None
    )
    if bar is not None and not is_plain:
        built = _built(inner[:bar], inner[bar + 1 :], read_one)
        if built is not None:
            return built
    parts, _ = at_commas(inner)
    if len(parts) == 1 and is_plain:
        return None
    if not all(parts):
        raise Unreadable("an empty element")
    items: list[Form] = []
    for part in parts:
        form = Text("...") if len(part) == 1 and part[0].value == "\\ldots" else read_one(part)
        items += form.items if isinstance(form, Listing) else [form]
    if any(isinstance(item, Text) for item in items):
        return Tuple(tuple(items), "{...}")
    return FiniteSet(tuple(items))


def _built(before: Sequence[Token], after: Sequence[Token], read_one: ReadOne) -> Form | None:
    r"""`\{x \mid x < 3\}` as the set that its condition describes."""
    names = [token.value for token in before if token.kind == "l"]
    if not names or len(before) not in (1, 3):
        return None
    parts, joint = split(after)
    forms = [read_one(part) for part in parts]
    forms = [form for form in forms if form != RealSet(REALS.spans, names[0])]
    united = joined(forms, joint) if len(forms) > 1 else forms[0] if forms else REALS
    return united if isinstance(united, RealSet) and united.variable in (names[0], "") else None

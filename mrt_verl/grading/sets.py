r"""Sets, intervals, tuples and matrices in their usual spellings."""

from collections.abc import Callable, Sequence
from math import isfinite

from mrt_verl.grading import numerics
from mrt_verl.grading.expressions import Node, Unreadable, negate, parse, rational
from mrt_verl.grading.forms import (
    EMPTY,
    REALS,
    FiniteSet,
    Form,
    Listing,
    Matrix,
    Number,
    RealSet,
    Relation,
    Span,
    Text,
    Tuple,
)
from mrt_verl.grading.splitting import CLOSING, OPENING, at_commas, depths, is_enclosed
from mrt_verl.grading.tokens import Token

ReadOne = Callable[[Sequence[Token]], Form]
_UNION = frozenset({"\\cup", "U", "∪"})
_MATRICES = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"})
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
    low = float("-inf") if span.low is None else numerics.real_value(span.low)
    high = float("inf") if span.high is None else numerics.real_value(span.high)
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
            if start < end and not _same(start, end) or (_same(start, end) and has_low and has_high):
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
        if numerics.real_value(point) is None:
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


def read_union(tokens: Sequence[Token], depth: Sequence[int], read_one: ReadOne) -> Form | None:
    r"""Sets joined by `\cup` or with points taken out by `\setminus`; None without such a sign."""
    pieces: list[tuple[str, list[Token]]] = [("", [])]
    for position, token in enumerate(tokens):
        is_sign = depth[position] == 0 and 0 < position < len(tokens) - 1
        between = is_sign and tokens[position - 1].value in {*CLOSING, "\\mathbb{R}"}
        if is_sign and (
            token.value in ("\\cup", "\\cap", "\\setminus") or (between and token.value in ("U", "u", "-"))
        ):
            pieces.append((token.value, []))
        else:
            pieces[-1][1].append(token)
    if len(pieces) == 1:
        return None
    if any(sign == "-" for sign, _ in pieces) and tokens[0].value != "\\mathbb{R}":
        return None
    total: RealSet | None = None
    finite: list[Form] = []
    for sign, piece in pieces:
        form = _set_of(piece, read_one)
        if isinstance(form, FiniteSet) and sign in ("", "\\cup", "U", "u"):
            finite += form.items
        real = as_real_set(form)
        if real is None:
            raise Unreadable("a union of what are no sets")
        total = _combined(total, sign, real, form)
    assert total is not None
    if finite and len(finite) == len(total.spans) and all(span.low == span.high and span.low for span in total.spans):
        return FiniteSet(tuple(finite))
    return total


def _set_of(piece: Sequence[Token], read_one: ReadOne) -> Form:
    if len(piece) == 1 and piece[0].value == "\\mathbb{R}":
        return REALS
    return read_one(piece)


def _combined(total: RealSet | None, sign: str, real: RealSet, form: Form) -> RealSet:
    if total is None:
        return real
    if sign == "\\cap":
        return RealSet(intersection(total.spans, real.spans))
    if sign in ("\\setminus", "-"):
        if not isinstance(form, FiniteSet):
            raise Unreadable("a set without more than points")
        return minus(total, [item.node for item in form.items if isinstance(item, Number)])
    return RealSet(merged([*total.spans, *real.spans]))


def read_matrix(tokens: Sequence[Token]) -> Form | None:
    r"""A matrix between `\begin` and `\end`, brackets around it or not; None for anything else."""
    values = [token.value for token in tokens]
    while len(values) > 4 and values[0] in ("(", "[") and values[-1] in (")", "]") and values[1] == "\\begin":
        tokens, values = tokens[1:-1], values[1:-1]
    if values[:1] != ["\\begin"] or values[-2:-1] != ["\\end"] or values.count("\\begin") != 1:
        return None
    if values[1][0:] not in _MATRICES:
        raise Unreadable(f"the environment {values[1]}")
    inner = tokens[2:-2]
    rows: list[list[list[Token]]] = [[[]]]
    for token, level in zip(inner, depths(inner), strict=True):
        if level == 0 and token.value == "\\\\":
            rows.append([[]])
        elif level == 0 and token.value == "&":
            rows[-1].append([])
        else:
            rows[-1][-1].append(token)
    rows = [row for row in rows if any(row)]
    return _matrix([[_cell(cell) for cell in row] for row in rows])


def _cell(tokens: Sequence[Token]) -> Node:
    nodes = parse(tokens)
    if len(nodes) != 1:
        raise Unreadable("two signs in a matrix")
    return nodes[0]


def _matrix(rows: list[list[Node]]) -> Matrix:
    if not rows or len({len(row) for row in rows}) != 1:
        raise Unreadable("rows of different lengths")
    return Matrix(tuple(tuple(row) for row in rows))


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
    items = [_item(part, read_one) for part in parts]
    if opened == "\\langle":
        return Tuple(tuple(items), "<")
    if any(isinstance(item, Text) for item in items):
        return Tuple(tuple(items), "...")
    if _nested(items) and opened == "[":
        return _matrix([[_number_node(entry) for entry in item.items] for item in items if isinstance(item, Tuple)])
    if opened == "[" and used == {";"} and len(parts) != 2:
        return _matrix([[_number_node(item)] for item in items])
    if (opened, closed) in (("(", ")"), ("[", "]")):
        if _unbounded(items):
            return interval(_number_node(items[0]), _number_node(items[1]), opened == "[", closed == "]")
        return Tuple(tuple(items), opened)
    if len(items) == 2 and {opened, closed} <= {"(", ")", "[", "]"}:
        low, high = _number_node(items[0]), _number_node(items[1])
        return interval(low, high, opened == "[", closed == "]")
    raise Unreadable("brackets that do not fit")


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
    rows = _matlab(tokens)
    if rows is not None:
        return rows
    while len(inner) > 2 and inner[0].value in ("(", "[") and is_enclosed(inner, depths(inner)):
        tokens, inner = inner, inner[1:-1]
    try:
        parse(tokens)
        return None
    except Unreadable:
        form = read_tokens(inner)
        if tokens[0].value == "[" and isinstance(form, Tuple) and form.bracket == "[":
            return _matrix([[_number_node(entry) for entry in form.items]])
        return form


def _matlab(tokens: Sequence[Token]) -> Matrix | None:
    """`[1 2; 3 4]` is told by its parts in `read_container`; a single row without commas is no matrix."""
    return None


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
    from mrt_verl.grading.splitting import split

    names = [token.value for token in before if token.kind == "l"]
    if not names or len(before) not in (1, 3):
        return None
    parts, joint = split(after)
    forms = [read_one(part) for part in parts]
    forms = [form for form in forms if form != RealSet(REALS.spans, names[0])]
    united = joined(forms, joint) if len(forms) > 1 else forms[0] if forms else REALS
    return united if isinstance(united, RealSet) and united.variable in (names[0], "") else None



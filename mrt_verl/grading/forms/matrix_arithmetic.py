r"""Sums, products, multiples, powers and transposes of matrices, worked out: `A + B`, `\frac12 A B`, `A^2`, `A^T`."""

from collections.abc import Sequence
from fractions import Fraction

from mrt_verl.grading.forms.matrices import matrix_of, read_matrix
from mrt_verl.grading.forms.types import Matrix
from mrt_verl.grading.formulas.nodes import Node, Unreadable, add, multiply
from mrt_verl.grading.formulas.parser import parse
from mrt_verl.grading.text.splitting import depths
from mrt_verl.grading.text.tokens import Token

Rows = list[list[Node]]
_TIMES = frozenset({"*", "\\cdot", "\\times"})
_TRANSPOSED = frozenset({"T", "\\top", "t", "\\intercal", "\\mathsf{T}"})
MAX_POWER = 10
MAX_CELLS = 64
MAX_NODES = 100
"""Of an entry that is multiplied: products of products of formulas grow without bound."""
ONE: Node = ("n", Fraction(1))


def read_matrix_formula(tokens: Sequence[Token]) -> Matrix | None:
    """The value of a formula of matrices; None for anything else, and if the shapes do not fit."""
    values = [token.value for token in tokens]
    if "\\begin" not in values or "\\end" not in values:
        return None
    if values[0] == "\\begin" and values.index("\\end") == len(values) - 2:
        return None
    try:
        return matrix_of(_total(tokens))
    except Unreadable:
        return None


def _total(tokens: Sequence[Token]) -> Rows:
    total: Rows | None = None
    for sign, term in _terms(tokens):
        rows = _multiple(("n", Fraction(sign)), _product(term))
        total = rows if total is None else _sum(total, rows)
    if total is None:
        raise Unreadable("no term")
    return total


def _terms(tokens: Sequence[Token]) -> list[tuple[int, list[Token]]]:
    """The parts between signs outside of brackets, each with its sign."""
    terms: list[tuple[int, list[Token]]] = [(1, [])]
    for token, level in zip(tokens, depths(tokens), strict=True):
        if level or token.value not in "+-":
            terms[-1][1].append(token)
        elif terms[-1][1]:
            terms.append((-1 if token.value == "-" else 1, []))
        else:
            terms[-1] = (-terms[-1][0] if token.value == "-" else terms[-1][0], [])
    return terms


def _product(term: Sequence[Token]) -> Rows:
    """One term: numbers and matrices side by side or with signs of multiplication between them."""
    factor, product = ONE, None
    plain: list[Token] = []
    for piece in _pieces(term):
        if not any(token.value == "\\begin" for token in piece):
            plain += piece
            continue
        factor, plain = multiply(factor, _scalar(plain)), []
        rows = _powered(piece)
        is_cross = product is not None and len(product[0]) == len(rows[0]) == 1
        if is_cross:
            raise Unreadable("a product of two columns")
        product = rows if product is None else _times(product, rows)
    if product is None:
        raise Unreadable("a number beside a matrix")
    return _multiple(multiply(factor, _scalar(plain)), product)


def _pieces(term: Sequence[Token]) -> list[list[Token]]:
    r"""Matrices with the brackets and exponents that belong to them, and what stands between them."""
    pieces: list[list[Token]] = [[]]
    depth = depths(term)
    at = 0
    while at < len(term):
        end = _end_of_group(term, depth, at)
        if end is None or not any(token.value == "\\begin" for token in term[at:end]):
            pieces[-1].append(term[at])
            at += 1
            continue
        end = _end_of_exponent(term, depth, end)
        pieces += [list(term[at:end]), []]
        at = end
    return [piece for piece in pieces if piece]


def _end_of_group(term: Sequence[Token], depth: Sequence[int], at: int) -> int | None:
    """After the bracket or environment that opens at `at`; None if none does."""
    if depth[at] or term[at].value not in ("(", "[", "{", "\\begin"):
        return None
    closing = next(position for position in range(at + 1, len(term)) if depth[position] == 0)
    return closing + (2 if term[at].value == "\\begin" else 1)


def _end_of_exponent(term: Sequence[Token], depth: Sequence[int], at: int) -> int:
    if at + 1 >= len(term) or term[at].value != "^":
        return at
    return _end_of_group(term, depth, at + 1) or at + 2


def _scalar(tokens: Sequence[Token]) -> Node:
    """What stands between two matrices, without the signs of multiplication around it."""
    start, end = 0, len(tokens)
    while start < end and tokens[start].value in _TIMES:
        start += 1
    while end > start and tokens[end - 1].value in _TIMES:
        end -= 1
    if start == end:
        return ONE
    nodes = parse(tokens[start:end])
    if len(nodes) != 1:
        raise Unreadable("two signs before a matrix")
    return nodes[0]


def _powered(piece: Sequence[Token]) -> Rows:
    """A matrix with its exponent."""
    depth = depths(piece)
    caret = next((n for n, token in enumerate(piece) if token.value == "^" and depth[n] == 0), len(piece))
    base, exponent = piece[:caret], [token.value for token in piece[caret + 1 :] if token.value not in "{}"]
    inside = base[1:-1] if base[0].value in ("(", "[", "{") else base
    matrix = read_matrix(inside) or read_matrix_formula(inside)
    if not isinstance(matrix, Matrix):
        raise Unreadable("no matrix")
    rows = [list(row) for row in matrix.rows]
    if not exponent:
        return rows
    if len(exponent) == 1 and exponent[0] in _TRANSPOSED:
        return [list(column) for column in zip(*rows, strict=True)]
    if len(exponent) != 1 or not exponent[0].isdecimal() or not 1 <= int(exponent[0]) <= MAX_POWER:
        raise Unreadable("a power of a matrix")
    power = rows
    for _ in range(int(exponent[0]) - 1):
        power = _times(power, rows)
    return power


def _times(one: Rows, other: Rows) -> Rows:
    if len(one[0]) != len(other) or len(one) * len(other[0]) > MAX_CELLS:
        raise Unreadable("matrices whose shapes do not fit")
    if any(_size(cell) > MAX_NODES for rows in (one, other) for row in rows for cell in row):
        raise Unreadable("entries too long to be multiplied")
    columns = list(zip(*other, strict=True))
    return [[add([multiply(a, b) for a, b in zip(row, column, strict=True)]) for column in columns] for row in one]


def _size(node: Node) -> int:
    return 1 + sum(_size(part) for part in node if isinstance(part, tuple))


def _sum(one: Rows, other: Rows) -> Rows:
    if (len(one), len(one[0])) != (len(other), len(other[0])):
        raise Unreadable("matrices of different shapes")
    return [[add([a, b]) for a, b in zip(left, right, strict=True)] for left, right in zip(one, other, strict=True)]


def _multiple(factor: Node, rows: Rows) -> Rows:
    return rows if factor == ONE else [[multiply(factor, cell) for cell in row] for row in rows]

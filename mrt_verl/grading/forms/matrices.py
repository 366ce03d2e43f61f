"""Matrices between `\\begin` and `\\end`, and as lists of rows."""

from collections.abc import Sequence

from mrt_verl.grading.forms.types import Form, Matrix
from mrt_verl.grading.formulas.nodes import Node, Unreadable
from mrt_verl.grading.formulas.parser import parse
from mrt_verl.grading.text.splitting import depths
from mrt_verl.grading.text.tokens import Token

_MATRICES = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"})


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
    return matrix_of([[_cell(cell) for cell in row] for row in rows])


def _cell(tokens: Sequence[Token]) -> Node:
    nodes = parse(tokens)
    if len(nodes) != 1:
        raise Unreadable("two signs in a matrix")
    return nodes[0]


def matrix_of(rows: list[list[Node]]) -> Matrix:
    if not rows or len({len(row) for row in rows}) != 1:
        raise Unreadable("rows of different lengths")
    return Matrix(tuple(tuple(row) for row in rows))

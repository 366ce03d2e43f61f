r"""Sets joined by `\cup` and `\cap`, or with points taken out by `\setminus`."""

from collections.abc import Sequence

from mrt_verl.grading.forms.containers import ReadOne
from mrt_verl.grading.forms.real_sets import as_real_set, intersection, merged, minus
from mrt_verl.grading.forms.types import REALS, FiniteSet, Form, Number, RealSet
from mrt_verl.grading.formulas.nodes import Unreadable
from mrt_verl.grading.text.splitting import CLOSING
from mrt_verl.grading.text.tokens import Token


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

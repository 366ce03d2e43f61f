"""The form of tokens: several parts joined by commas and words, or one."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from mrt_verl.grading.forms.containers import read_container
from mrt_verl.grading.forms.equations import read_relation
from mrt_verl.grading.forms.matrices import read_matrix
from mrt_verl.grading.forms.quantities import read_number
from mrt_verl.grading.forms.real_sets import joined
from mrt_verl.grading.forms.residues import read_residue
from mrt_verl.grading.forms.types import (
    EMPTY,
    REALS,
    Form,
    InBase,
    Listing,
    Named,
    Number,
    RealSet,
    Span,
    Text,
    Tuple,
    integer,
)
from mrt_verl.grading.forms.unions import read_union
from mrt_verl.grading.formulas.nodes import Unreadable
from mrt_verl.grading.text.numerals import number_word, read_base
from mrt_verl.grading.text.splitting import depths, is_enclosed, split, split_relations
from mrt_verl.grading.text.tokens import Token

_WORDS: dict[str, Form] = {
    **dict.fromkeys(("no solution", "no solutions", "empty set", "the empty set", "no real solution"), EMPTY),
    **dict.fromkeys(("no real solutions", "there is no solution", "there are no solutions", "null set"), EMPTY),
    **dict.fromkeys(("all real numbers", "all reals", "the real numbers", "real numbers", "all real x"), REALS),
    **dict.fromkeys(("all real values", "any real number", "all real number"), REALS),
    **dict.fromkeys(("does not exist", "dne", "d n e", "undefined", "not defined"), Text("does not exist")),
}


def read_tokens(tokens: Sequence[Token]) -> Form:
    """The form of tokens that may hold several parts.

    Raises:
        Unreadable: no rule knows them.
        TooBig: an exact value passes the limits.
    """
    tokens = _trimmed(tokens)
    if not tokens:
        raise Unreadable("nothing")
    words = _read_words(tokens)
    if words is not None:
        return words
    parts, joint = split(tokens)
    if len(parts) > 1:
        return _several(parts, joint)
    return read_one(tokens)


def _trimmed(tokens: Sequence[Token]) -> Sequence[Token]:
    start, end = 0, len(tokens)
    while end > start and tokens[end - 1].value in (",", ";", ".", "$"):
        end -= 1
    while start < end and tokens[start].value in (",", ";"):
        start += 1
    return tokens[start:end]


def _read_words(tokens: Sequence[Token]) -> Form | None:
    if len(tokens) == 1:
        if tokens[0].value == "\\emptyset":
            return EMPTY
        if tokens[0].value == "\\mathbb{R}":
            return REALS
    if [token.value for token in tokens if token.value not in "{}"] == ["\\mathbb{R}", "^", "+"]:
        return RealSet((Span(("n", Fraction(0)), None),))
    if not all(token.kind in "wl" for token in tokens) or any(token.value in ("and", "or") for token in tokens):
        return None
    words = " ".join(token.value for token in tokens).lower()
    if words in _WORDS:
        return _WORDS[words]
    number = number_word(words)
    if number is not None:
        return integer(number)
    return Text(words) if _is_a_word(tokens) else None


def _is_a_word(tokens: Sequence[Token]) -> bool:
    """Letters without any sign are a word and no product, unless a constant or a function is among them."""
    if len(tokens) == 1 and len(tokens[0].value) == 1 and tokens[0].value.isascii():
        return False
    return any(token.kind == "w" for token in tokens) and not any(
        token.value in ("pi", "sin", "cos", "tan", "ln", "log", "exp", "sqrt", "oo", "inf", "infinity")
        for token in tokens
    )


def _several(parts: list[list[Token]], joint: str) -> Form:
    """Parts that stood between commas, semicolons, "and" or "or"."""
    if any(part and part[0].value == "\\ldots" for part in parts):
        return Tuple(tuple(_element(part) for part in parts), "...")
    items: list[Form] = []
    for part in parts:
        form = read_tokens(part) if joint == ";" else read_one(part)
        if isinstance(form, Listing) and joint == ";" and all(isinstance(item, Named) for item in form.items):
            form = Tuple(form.items)
        items += form.items if isinstance(form, Listing) else [form]
    united = joined(items, joint)
    if united is not None:
        return united
    gathered = _gathered(items)
    if (
        isinstance(gathered, Listing)
        and joint == "and"
        and "," not in [token.value for part in parts for token in part]
    ):
        return replace(gathered, sum_of_mixed=_sum_of_mixed(items))
    return gathered


def _sum_of_mixed(items: list[Form]) -> Fraction | None:
    """The value of `26 and 1/6` as a mixed number: an integer and a proper fraction."""
    values = [item.node[1] for item in items if isinstance(item, Number) and item.node[0] == "n" and item.unit is None]
    if len(values) != 2 or len(items) != 2 or values[0].denominator != 1 or not 0 < values[1] < 1 or values[0] < 1:
        return None
    return values[0] + values[1] if getattr(items[1], "decimals", None) is None else None


def _element(part: Sequence[Token]) -> Form:
    if len(part) == 1 and part[0].value == "\\ldots":
        return Text("...")
    return read_one(part)


def _gathered(items: list[Form]) -> Form:
    """`a = 4, -8, -10` and `x = 1 or x = 2` give one name with several values."""
    solutions = _solutions(items)
    if solutions is not None:
        return Listing(solutions)
    first = items[0]
    if isinstance(first, Named):
        later = items[1:]
        values = [item.value for item in later if isinstance(item, Named) and item.name == first.name]
        if len(values) == len(later):
            return Named(first.name, Listing(_flat([first.value, *values])))
        if not any(isinstance(item, Named) for item in later):
            return Named(first.name, Listing(_flat([first.value, *later])))
    return Listing(tuple(items))


def _solutions(items: list[Form]) -> tuple[Form, ...] | None:
    """`p=5, q=2 and p=7, q=2` as two solutions; None unless several names come back."""
    names = [item.name for item in items if isinstance(item, Named)]
    if len(names) != len(items) or not 1 < len(set(names)) < len(names):
        return None
    groups: list[list[Form]] = []
    seen: set[str] = set()
    for item, name in zip(items, names, strict=True):
        if not groups or name in seen:
            groups.append([])
            seen = set()
        groups[-1].append(item)
        seen.add(name)
    return tuple(Tuple(tuple(group)) for group in groups)


def _flat(items: list[Form]) -> tuple[Form, ...]:
    flat: list[Form] = []
    for item in items:
        flat += item.items if isinstance(item, Listing) else [item]
    return tuple(flat)


def read_one(tokens: Sequence[Token]) -> Form:
    """The form of tokens that are one part."""
    if not tokens:
        raise Unreadable("nothing")
    words = _read_words(tokens) if len(tokens) == 1 or tokens[0].value == "\\mathbb{R}" else None
    if words is not None:
        return words
    tokens = _without_transposition(tokens)
    depth = depths(tokens)
    residue = read_residue(tokens)
    if residue is not None:
        return residue
    sides, signs = split_relations(tokens, depth)
    if signs:
        return read_relation(sides, signs, read_one)
    contained = _contained(tokens, depth)
    if contained is not None:
        return contained
    based = read_base(tokens)
    if based is not None:
        return integer(based[0]) if based[1] == 10 else InBase(*based)
    ratio = _ratio(tokens, depth)
    if ratio is not None:
        return ratio
    forms = read_number(tokens)
    return forms[0] if len(forms) == 1 else Listing(tuple(forms))


def _without_transposition(tokens: Sequence[Token]) -> Sequence[Token]:
    """`(1, 2)^T` as the vector (1, 2)."""
    values = [token.value for token in tokens if token.value not in "{}"]
    if len(values) < 5 or values[-2] != "^" or values[-1] not in ("T", "\\top", "t", "\\intercal"):
        return tokens
    vector = tokens[: max(n for n, token in enumerate(tokens) if token.value == "^")]
    return vector if is_enclosed(vector, depths(vector)) and any(one.value == "," for one in vector) else tokens


def _contained(tokens: Sequence[Token], depth: Sequence[int]) -> Form | None:
    """Sets, intervals, tuples, matrices, and parentheses around something else."""
    united = read_union(tokens, depth, read_one)
    if united is not None:
        return united
    matrix = read_matrix(tokens)
    if matrix is not None:
        return matrix
    if not is_enclosed(tokens, depth):
        return None
    return read_container(tokens, read_one, read_tokens)


def _ratio(tokens: Sequence[Token], depth: Sequence[int]) -> Form | None:
    parts, start = [], 0
    for position, token in enumerate(tokens):
        if token.value == ":" and depth[position] == 0:
            parts.append(tokens[start:position])
            start = position + 1
    if not parts:
        return None
    parts.append(tokens[start:])
    last = parts[-1][-1:] and parts[-1][-1].value.lower()
    if last in ("am", "pm", "m") or any(len(part) == 1 and re.fullmatch("0[0-9]+", part[0].value) for part in parts):
        raise Unreadable("a time of day")
    return Tuple(tuple(read_one(part) for part in parts), ":")

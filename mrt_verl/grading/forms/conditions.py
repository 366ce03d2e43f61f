r"""Conditions after an answer: `(n \in \mathbb{N})`, `, n \ge 1`, `where n is odd`."""

from collections.abc import Sequence

from mrt_verl.grading.forms.names import spelled
from mrt_verl.grading.text.splitting import OPENING, SIGNS, depths
from mrt_verl.grading.text.tokens import Token

_CONDITION_WORDS = frozenset({"where", "for", "其中"})


def without_condition(tokens: Sequence[Token]) -> tuple[Sequence[Token], str]:
    r"""The tokens before a trailing condition such as `(n \in \mathbb{N})`, `, n \ge 1` or `where n is odd`."""
    depth = depths(tokens)
    for position in range(1, len(tokens)):
        token = tokens[position]
        if (
            depth[position] == 0
            and token.value in _CONDITION_WORDS
            and _share_a_name(tokens[:position], tokens[position:])
        ):
            return tokens[:position], spelled(tokens[position + 1 :])
    if tokens and tokens[-1].value == ")":
        start = max(
            position for position in range(len(tokens)) if depth[position] == 0 and tokens[position].value in OPENING
        )
        inner = tokens[start + 1 : -1]
        if start and _is_condition(inner) and _share_a_name(tokens[:start], inner):
            return _without_comma(tokens[:start]), spelled(inner)
    commas = [position for position in range(len(tokens)) if depth[position] == 0 and tokens[position].value == ","]
    if commas:
        before, after = tokens[: commas[-1]], tokens[commas[-1] + 1 :]
        if _is_condition(after) and not _is_bound(before) and _share_a_name(before, after):
            return _without_comma(before), spelled(after)
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


def _share_a_name(before: Sequence[Token], after: Sequence[Token]) -> bool:
    """Whether the condition is about a variable of the answer; `5 for x < 0` is one piece of an answer."""
    return bool(_names(after) & _names(before)) and before[-1].value != "\\in"

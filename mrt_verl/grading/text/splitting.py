"""Where tokens can be split: brackets, commas, words that join, signs of relations."""

from collections.abc import Sequence

from mrt_verl.grading.formulas.nodes import Unreadable
from mrt_verl.grading.text.tokens import Token

OPENING = frozenset({"(", "[", "{", "\\{", "\\langle", "\\lfloor", "\\lceil", "\\begin"})
CLOSING = frozenset({")", "]", "}", "\\}", "\\rangle", "\\rfloor", "\\rceil", "\\end"})
SIGNS = {
    **{"=": "=", "<": "<", ">": ">", "\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\approx": "~", "\\in": "in"},
    **{"\\equiv": "=", "\\cong": "~", "\\sim": "~", "\\triangleq": "=", "\\to": "=", "\\rightarrow": "="},
}
_AND = frozenset({"and", "\\wedge", "&", "和", "与", "且"})
_OR = frozenset({"or", "\\vee", "或", "OR", "Or"})
_BREAKS = frozenset({"\\\\", "\\newline"})


def depths(tokens: Sequence[Token]) -> list[int]:
    """Brackets that are open around each token; an opening and a closing one count as outside of themselves.

    Raises:
        Unreadable: they do not balance.
    """
    depth, found = 0, []
    for token in tokens:
        if token.value in CLOSING:
            depth -= 1
            if depth < 0:
                raise Unreadable("a bracket closes that was never opened")
        found.append(depth)
        if token.value in OPENING:
            depth += 1
    if depth:
        raise Unreadable("a bracket is never closed")
    return found


def is_enclosed(tokens: Sequence[Token], depth: Sequence[int]) -> bool:
    """Whether the first bracket closes with the last token."""
    return (
        len(tokens) >= 2
        and tokens[0].value in OPENING
        and tokens[-1].value in CLOSING
        and all(depth[position] > 0 for position in range(1, len(tokens) - 1))
    )


def split(tokens: Sequence[Token]) -> tuple[list[list[Token]], str]:
    """The parts between separators outside of brackets, and what joins them: `;`, `or`, `and` or `,`."""
    depth = depths(tokens)
    joints = {_joint(token) for token, level in zip(tokens, depth, strict=True) if level == 0} - {""}
    for joint in (";", "or", "and", ","):
        if joint in joints:
            break
    else:
        return [list(tokens)], ""
    splitters = {";"} if joint == ";" else {"or", "and", ","}
    parts: list[list[Token]] = [[]]
    for token, level in zip(tokens, depth, strict=True):
        if level == 0 and _joint(token) in splitters:
            parts.append([])
        else:
            parts[-1].append(token)
    parts = [part for part in parts if part]
    if not parts:
        raise Unreadable("separators and nothing else")
    return parts, joint


def _joint(token: Token) -> str:
    if token.value in (",", ";"):
        return token.value
    if token.value in _BREAKS:
        return ","
    if token.value.lower() in _AND:
        return "and"
    return "or" if token.value in _OR else ""


def at_commas(tokens: Sequence[Token]) -> tuple[list[list[Token]], set[str]]:
    """The parts between commas and semicolons outside of brackets, empty ones too, and which of the two there were."""
    depth = depths(tokens)
    parts: list[list[Token]] = [[]]
    used = set()
    for token, level in zip(tokens, depth, strict=True):
        if level == 0 and token.value in (",", ";"):
            used.add(token.value)
            parts.append([])
        else:
            parts[-1].append(token)
    return parts, used


def split_relations(tokens: Sequence[Token], depth: Sequence[int]) -> tuple[list[list[Token]], list[str]]:
    """The sides of `=`, `<` and the like outside of brackets, and the signs between them."""
    sides: list[list[Token]] = [[]]
    signs = []
    angled = tokens[0].value == "<" and tokens[-1].value == ">"
    for position, token in enumerate(tokens):
        if depth[position] == 0 and token.value in SIGNS and not (angled and position in (0, len(tokens) - 1)):
            signs.append(SIGNS[token.value])
            sides.append([])
        else:
            sides[-1].append(token)
    return sides, signs

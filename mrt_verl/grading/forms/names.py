r"""Left sides that are names: `x`, `a_n`, `f(x)`, `AB`, `|AB|`, `\angle A`, words."""

from collections.abc import Sequence

from mrt_verl.grading.text.splitting import CLOSING, OPENING, depths
from mrt_verl.grading.text.tokens import Token
from mrt_verl.grading.text.words import words

_NAMING = frozenset(
    {"\\angle", "\\triangle", "\\overline", "\\vec", "\\bar", "\\overrightarrow", "\\hat", "m", "\\measuredangle"}
)
_FUNCTION_NAMES = frozenset(
    {"\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "sin", "cos", "tan", "\\max", "\\min", "max", "min"}
)


def spelled(tokens: Sequence[Token]) -> str:
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
        return spelled(tokens) if any(_is_capital(token) for token in tokens) else None
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
        return spelled(tokens)
    if start and rest[0].value == "{" and rest[-1].value == "}":
        rest = rest[1:-1]
    first = rest[0] if rest else None
    if first is None or not (
        first.kind == "l"
        or (first.kind == "c" and first.value[1:].isalpha() and len(first.value) > 2)
        or _is_capital(first)
    ):
        return None
    if (first.kind == "c" and first.value[1:] not in _GREEK) or (first.value in ("e", "i") and len(rest) == 1):
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
            return spelled(tokens) if _is_call(rest, at) else None
        else:
            return None
    return spelled(tokens)


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


_GREEK = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell"
)


def _end_of_group(values: Sequence[str], start: int) -> int:
    depth = 0
    for position in range(start, len(values)):
        depth += (values[position] in OPENING) - (values[position] in CLOSING)
        if depth == 0:
            return position
    return len(values)

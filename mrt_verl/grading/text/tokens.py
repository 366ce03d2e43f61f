r"""Tokens of a folded answer: numbers, words, single letters, LaTeX commands and signs."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mrt_verl.grading.text.words import words


class Token(NamedTuple):
    r"""One token.

    kind: `n` number, `w` word (two letters or more, or one inside `\text`), `l` single letter, `c` LaTeX command with
    its backslash, `o` anything else. `spaced`: white space before it. `upright`: it stood inside a font command.
    """

    kind: str
    value: str
    spaced: bool = False
    upright: bool = False


_FONTS = (
    "text|textbf|textit|textrm|textsf|texttt|textsc|textup|textnormal|mathrm|mathbf|mathsf|mathit|mathtt|mathnormal"
    "|boldsymbol|bm|pmb|mbox|hbox|emph|underline|operatorname\\*?|operatorname|mathop|ensuremath|mathscr"
)
_FONT = re.compile(rf"\\(?:{_FONTS})\s*\{{")
_UPRIGHT = re.compile(r"\\(?:text|mathrm|mbox|hbox|mathop)")
_IGNORED = words(
    "left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle displaystyle textstyle "
    "scriptstyle limits nolimits rm bf it tt sf large Large quad qquad boldmath noindent nonumber checkmark "
    "square blacksquare hfill allowbreak thinspace hspace space enspace null relax scriptscriptstyle hline "
)
_SYNONYMS = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac", "sfrac", "nicefrac"), "\\frac"),
    **dict.fromkeys(("dbinom", "tbinom"), "\\binom"),
    **dict.fromkeys(("leq", "leqslant", "leqq"), "\\le"),
    **dict.fromkeys(("geq", "geqslant", "geqq"), "\\ge"),
    **{"lt": "<", "gt": ">", "neq": "\\ne", "div": "/", "ast": "*", "cdotp": "\\cdot", "bullet": "\\cdot"},
    **dict.fromkeys(("varnothing", "O", "empty"), "\\emptyset"),
    **dict.fromkeys(("dots", "cdots", "dotsc", "dotsb", "dotsm", "dotso", "hdots", "ldotp"), "\\ldots"),
    **dict.fromkeys(("lbrace", "lbraces"), "\\{"),
    **dict.fromkeys(("rbrace", "rbraces"), "\\}"),
    **{"lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")", "colon": ":", "vert": "|", "lvert": "|"},
    **{
        "rvert": "|",
        "Vert": "\\|",
        "lVert": "\\|",
        "rVert": "\\|",
        "mid": "|",
        "bigcup": "\\cup",
        "degree": "\\degree",
    },
    **{"backslash": "\\setminus", "smallsetminus": "\\setminus", "simeq": "\\approx", "approxeq": "\\approx"},
    **{
        "doteq": "\\approx",
        "lor": "\\vee",
        "land": "\\wedge",
        "bmod": "\\bmod",
        "Z": "\\mathbb{Z}",
        "R": "\\mathbb{R}",
    },
    **{"N": "\\mathbb{N}", "Q": "\\mathbb{Q}", "arctg": "\\arctan", "tg": "\\tan", "ctg": "\\cot", "cosec": "\\csc"},
    **{"varphi": "\\phi", "vartheta": "\\theta", "varepsilon": "\\epsilon", "varrho": "\\rho", "infin": "\\infty"},
    **{"dotplus": "+", "eqcolon": "=", "coloneqq": "=", "iff": "\\iff", "Leftrightarrow": "\\iff", "prime": "'"},
    **{"widehat": "\\hat", "overrightarrow": "\\vec", "ne": "\\ne", "imath": "i", "Alpha": "A", "exponentialE": "e"},
}
_TOKEN = re.compile(
    r"""(?P<space>(?:\s|~|\\[,;:!\ ]|\\\\(?=\s*$))+)
      | (?P<n>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+(?![0-9.]))?(?:\.(?![0-9.]))?)
      | (?P<c>\\[A-Za-z]+\*?|\\.)
      | (?P<w>[A-Za-z]+|[^\W\d_A-Za-z]+)
      | (?P<o>\*\*|<=|>=|!=|<>|==|=>|->|\.\.\.+|.)""",
    re.VERBOSE | re.DOTALL,
)
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([A-Za-z]+\*?)\}(?:\s*\{[clr|\s]*\})?")
_DOLLAR = re.compile(r"(?<!\\)\$")
_BLACKBOARD = re.compile(r"\\(?:mathbb|Bbb)\s*\{?\s*([A-Z])\s*\}?")
MAX_TOKENS = 4_000


def tokenize(text: str, upright: bool = False) -> list[Token]:
    """The tokens of the text, font commands dissolved into what they hold."""
    tokens: list[Token] = []
    _collect(text, upright, tokens)
    return tokens


def _collect(text: str, upright: bool, tokens: list[Token]) -> None:
    position, spaced = 0, False
    while position < len(text) and len(tokens) < MAX_TOKENS:
        if text[position] == "\\":
            special = _special(text, position, spaced, upright, tokens)
            if special is not None:
                position, spaced = special
                continue
        found = _TOKEN.match(text, position)
        assert found is not None  # the last alternative takes any character
        kind, value = found.lastgroup or "o", found.group()
        position = found.end()
        if kind == "space":
            spaced = True
            continue
        before = len(tokens)
        _add(kind, value, spaced, upright, tokens)
        spaced = spaced and len(tokens) == before


def _special(text: str, position: int, spaced: bool, upright: bool, tokens: list[Token]) -> tuple[int, bool] | None:
    """What a font command, an environment or a blackboard letter at `position` gives; where it ends and its space."""
    font = _FONT.match(text, position)
    if font:
        end = _closing(text, font.end())
        inner = text[font.end() : end]
        start = len(tokens)
        if spaced:
            inner = " " + inner
        _collect(_DOLLAR.sub(" ", inner), upright or _UPRIGHT.match(text, position) is not None, tokens)
        if len(tokens) == start and inner:
            return end + 1, True
        return end + 1, inner[-1:].isspace()
    environment = _ENVIRONMENT.match(text, position)
    if environment:
        tokens.append(Token("c", f"\\{environment.group(1)}", spaced))
        tokens.append(Token("c", environment.group(2)))
        return environment.end(), False
    board = _BLACKBOARD.match(text, position)
    if board:
        tokens.append(Token("c", f"\\mathbb{{{board.group(1)}}}", spaced))
        return board.end(), False
    return None


def _closing(text: str, start: int) -> int:
    depth = 1
    for position in range(start, len(text)):
        if text[position] == "\\" or text[position - 1] == "\\":
            continue
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position
    return len(text)


def _add(kind: str, value: str, spaced: bool, upright: bool, tokens: list[Token]) -> None:
    if kind == "n":
        if value.endswith("."):
            value = value[:-1]
        tokens.append(Token("n", value, spaced, upright))
    elif kind == "c":
        _add_command(value, spaced, upright, tokens)
    elif kind == "w":
        if len(value) == 1 and value.isascii() and not upright:
            tokens.append(Token("l", value, spaced))
        else:
            tokens.append(Token("w", value, spaced, upright))
    else:
        value = {"**": "^", "<=": "\\le", ">=": "\\ge", "!=": "\\ne", "<>": "\\ne", "==": "="}.get(value, value)
        value = "\\ldots" if value.startswith("..") else value
        tokens.append(Token("o", value, spaced, upright))


def _add_command(value: str, spaced: bool, upright: bool, tokens: list[Token]) -> None:
    name = value[1:].rstrip("*")
    if name in _IGNORED:
        return
    value = _SYNONYMS.get(name, "\\" + name)
    if name in ("$", "%", "#", "&", "_", "-", "/", "'"):
        tokens.append(Token("o", name if name != "&" else "&", spaced, upright))
    elif value.startswith("\\"):
        tokens.append(Token("c", value, spaced, upright))
    else:
        tokens.append(Token("l" if value.isalpha() else "o", value, spaced, upright))


def spell(tokens: Sequence[Token]) -> str:
    """One spelling for all ways to write these tokens, for comparing what is text."""
    return " ".join(token.value for token in tokens)

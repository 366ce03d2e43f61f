# ruff: noqa: RUF001  (characters that look alike are what is folded here)
r"""Multiple choice: `B`, `(B)`, `\textbf{(B)}\ 12`, `Option C`, `A, C`."""

import re

_FONT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|sc|up|normal)?|math(?:rm|bf|sf|it|tt|normal)|boldsymbol|bm|mbox|hbox|emph|underline"
    r"|operatorname)\s*\{([^{}]*)\}"
)
_SPACE = re.compile(r"\\[ ,;:!]|~|\\quad|\\qquad|\$|\\left(?![a-z])|\\right(?![a-z])")
_LEAD = re.compile(
    r"(?i)\s*(?:(?:the\s+)?(?:correct\s+|right\s+|final\s+)?(?:options?|choices?|answers?|letters?)(?:\s+(?:is|are))?"
    r"|选项?|选择|答案[是为]?|故选|应选)\s*[:：]?\s*(?=[(\[]?[A-J]\b)"
)
_ONE = re.compile(r"[(\[{]?\s*([A-J])\s*[)\]}]?[.):]{0,2}")
_LETTER = r"\(?[A-J]\)?"
_SEVERAL = re.compile(rf"{_LETTER}(?:\s*(?:,\s*and\b|,|;|&|\\&|\band\b|和|、)\s*{_LETTER})+")
_TOGETHER = re.compile(r"[A-J]{2,10}")
_MARKED = re.compile(r"(?:\(?[A-J][).]\s*)+(?:\(?[A-J][).]?\s*)")
_WITH_VALUE = re.compile(
    r"(?:\(([A-J])\)|([A-J])\)(?!\w)|([A-J])[.:](?=\s|\\|\$)|\[([A-J])\])\s*(?:[:.]|--?(?=\s+[A-Za-z]))?\s*(\S.*)",
    re.DOTALL,
)
_WITH_WORDS = re.compile(r"(?:\(([A-J])\)|([A-J]))\s*(?:--?|:|,|=>|→)\s*((?:[A-Za-z]{2,}|[(\"']).*)", re.DOTALL)
_CONFIRMED = re.compile(
    r"(?i:(?:option|choice|answer)\s+)?\(?([A-J])\)? is (?:the )?(?:correct|right|true)"
    r"(?: (?:answer|option|choice|one))?"
)
_ANOTHER = re.compile(r"\([A-J]\)|\b[A-J][).](?!\w)|\b(?:or|not)\s+\(?[A-J]\b")
_NO_VALUE = re.compile(r"[+*/=^<>_!'&,;]|\\cdot|\\times|\\le|\\ge|(?:and|or|but|not|is|to)\b")


def flatten(text: str) -> str:
    """The text without font commands and LaTeX spaces."""
    for _ in range(4):
        text, count = _FONT.subn(r"\1", text)
        if not count:
            break
    return _SPACE.sub(" ", text).strip()


def read_choice(text: str) -> tuple[frozenset[str], str] | None:
    """The letters that the text chooses and what stands after the letter; None if it is no choice."""
    if not re.search(r"(?<![A-Za-z\\])[A-J]", text):
        return None
    text = flatten(text)
    lead = _LEAD.match(text)
    if lead:
        text = text[lead.end() :].strip()
    one = _ONE.fullmatch(text)
    if one:
        return frozenset(one.group(1)), ""
    if _SEVERAL.fullmatch(text) or _MARKED.fullmatch(text):
        return frozenset(re.findall("[A-J]", text)), ""
    if _TOGETHER.fullmatch(text):
        return (frozenset(text), "") if "".join(sorted(set(text))) == text else None
    confirmed = _CONFIRMED.fullmatch(text)
    if confirmed:
        return frozenset(confirmed.group(1)), ""
    valued = _WITH_VALUE.fullmatch(text)
    if valued is None:
        valued = _WITH_WORDS.fullmatch(text)
    if valued is None:
        return None
    *letters, value = valued.groups()
    if _ANOTHER.search(value) or _NO_VALUE.match(value):
        return None
    return frozenset(next(letter for letter in letters if letter)), value

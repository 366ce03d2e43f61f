r"""From the text of an answer to its typed form: folding, wrappers, then what kind of thing it is."""

import logging
import re
from dataclasses import dataclass
from functools import lru_cache

from mrt_verl.grading.extraction import fallback_answer, phrase
from mrt_verl.grading.forms.bounds import read_bound
from mrt_verl.grading.forms.conditions import without_condition
from mrt_verl.grading.forms.parts import read_tokens
from mrt_verl.grading.forms.types import Choice, Form, Text
from mrt_verl.grading.formulas.nodes import REMEMBERED, Limits, TooBig, Unreadable
from mrt_verl.grading.text.choices import read_choice
from mrt_verl.grading.text.numerals import plain_numbers
from mrt_verl.grading.text.tokens import Token, spell, tokenize
from mrt_verl.grading.text.unicode import fold_unicode
from mrt_verl.grading.text.wrappers import strip_wrappers

logger = logging.getLogger(__name__)
MIN_SPACES = 5
"""Of a text that may be prose around an answer."""
MAX_LENGTH = 1_500
"""Characters of an answer that are read here; what is longer is compared as text."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A form, the condition that stood after it, and whether reading it ran into the limits."""

    form: Form
    condition: str = ""
    too_big: bool = False


_OUTWARD = re.compile(r"\s*(?:\][^\[\]()]+[\[\]]|[\[\]][^\[\]()]+\[)\s*")
"""Open ends as in `]a,b[`."""
_CALLED = re.compile(r"\s*(?:sympy\.|sp\.|numpy\.|np\.)?(Matrix|array|matrix|FiniteSet|set|tuple)\((.+)\)\s*")
"""Python's constructors."""
_REMAINDER = re.compile(r"([0-9]+) (?:,? ?with (?:a )?|,? ?)?r(?:em(?:ainder)?)?(?: of)? ([0-9]+)")
_SENTENCE = re.compile(
    r"(?:(?:[A-Za-z][A-Za-z ',]*)?\b(?:is|are|that|find|get|gives?|equals?|obtain|answer|so|therefore|thus|hence|have)"
    r"[:,]?\s+"
    r"|(?:therefore|thus|hence|so)\s+|[A-Za-z ]+:\s+)?"
    r"(?:\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\])"
    r"(?:\s*is (?:the|our) (?:final )?(?:solution|answer|result))?[.\s]*",
    re.IGNORECASE | re.DOTALL,
)
_CHANGES = re.compile(
    r"(?i)\b(?:not|no|nor|never|isn't|neither|either|twice|half|or|and|than|least|most|between|except|if)\b"
)
"""Words that change what the formula of a sentence says."""
_LOOKS_LIKE_FORMULA = re.compile(
    r"\\(?:int|sum|prod|lim|det|partial|nabla|mathcal|arg|sup|inf|max|min|gcd|iint|oint|log|frac|sqrt|dfrac|binom)(?![a-z])"
)


def read(text: str) -> Reading:
    """The form of an answer; what no rule knows is text."""
    if len(text) > MAX_LENGTH:
        return Reading(Text(" ".join(text.split())))
    return _read(text, Limits.bits)


@lru_cache(maxsize=REMEMBERED)
def _read(text: str, _limit: int) -> Reading:
    plain = strip_wrappers(fold_unicode(text))
    try:
        return _read_plain(plain)
    except TooBig:
        return Reading(_as_text(plain), too_big=True)
    except Exception as error:  # an answer must never end a run; what the reader trips over is text
        if not isinstance(error, RecursionError):
            logger.debug("the reader failed on %r", text, exc_info=True)
        return Reading(_as_text(plain))


def _read_plain(plain: str) -> Reading:
    chosen = read_choice(plain)
    if chosen is not None:
        letters, value = chosen
        return Reading(Choice(letters, read(value).form if value else None))
    bounded = read_bound(plain)
    if _OUTWARD.fullmatch(plain):
        plain = plain.strip()
        plain = ("(" if plain[0] == "]" else "[") + plain[1:-1] + (")" if plain[-1] == "[" else "]")
    called = _CALLED.fullmatch(plain)
    if called:
        plain = called.group(2) if called.group(1) != "FiniteSet" else f"\\{{{called.group(2)}\\}}"
    try:
        read_so_far = tokenize(plain_numbers(_without_dollars(bounded or plain)))
        tokens, condition = without_condition(_angled(read_so_far))
        form = read_tokens(tokens)
        return Reading(_as_text(plain)) if condition and isinstance(form, Text) else Reading(form, condition)
    except Unreadable:
        said = _formula_in(plain) or _value_of_prose(plain)
        return Reading(_as_text(plain)) if said is None else read(said)


def _formula_in(plain: str) -> str | None:
    """The only formula of a sentence such as `We find that $x < 3$.`"""
    sentence = _SENTENCE.fullmatch(plain)
    if sentence is None:
        return None
    formula = next(group for group in sentence.groups() if group is not None)
    return None if _CHANGES.search(plain.replace(formula, "")) else formula


def _value_of_prose(plain: str) -> str | None:
    """What a text of many words calls its answer."""
    if plain.count(" ") < MIN_SPACES:
        return None
    said = fallback_answer(plain, ("answer_phrase",)) if "answer" in plain.lower() else phrase(plain)
    return None if said is None or len(said) >= len(plain) or _CHANGES.search(said) else said


def _as_text(plain: str) -> Text:
    tokens = [token for token in tokenize(plain) if token.value not in "{}$"]
    if (
        len(tokens) > 2
        and tokens[0].value == "("
        and tokens[-1].value == ")"
        and "(" not in plain[plain.index("(") + 1 :]
    ):
        tokens = tokens[1:-1]
    words = _REMAINDER.sub(r"\1 r \2", spell(tokens).casefold().strip(" ."))
    return Text(words, _LOOKS_LIKE_FORMULA.search(plain) is not None)


def _without_dollars(text: str) -> str:
    """Math delimiters go; a lone dollar sign before a number is money."""
    if "$" not in text:
        return text
    bare = text.replace("\\$", "")
    if bare.count("$") == 1 and re.match(r"\s*-?\s*\$\s*[0-9.]", bare):
        return text
    return re.sub(r"(?<!\\)\$", " ", text)


def _angled(tokens: list[Token]) -> list[Token]:
    """`<1, 2>` as a vector."""
    values = [token.value for token in tokens]
    if values[:1] != ["<"] or values[-1:] != [">"] or "," not in values or len({"<", ">"} & set(values[1:-1])):
        return tokens
    return [Token("c", "\\langle"), *tokens[1:-1], Token("c", "\\rangle")]

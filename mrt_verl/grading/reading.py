r"""From the text of an answer to its typed form: folding, wrappers, then what kind of thing it is."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from mrt_verl.grading import relations, sets
from mrt_verl.grading.choices import flatten, read_choice
from mrt_verl.grading.expressions import Limits, Node, TooBig, Unreadable
from mrt_verl.grading.folding import fold_unicode, strip_wrappers
from mrt_verl.grading.forms import (
    EMPTY,
    REALS,
    Choice,
    FiniteSet,
    Form,
    InBase,
    Listing,
    Named,
    Number,
    Text,
    Tuple,
    integer,
)
from mrt_verl.grading.numbers_with_units import read_number
from mrt_verl.grading.numerals import number_word, plain_numbers, read_base
from mrt_verl.grading.residues import read_residue
from mrt_verl.grading.splitting import SIGNS, depths, is_enclosed, split, split_relations
from mrt_verl.grading.tokens import Token, spell, tokenize

logger = logging.getLogger(__name__)

MAX_LENGTH = 1_500
"""Characters of an answer that are read here; what is longer is compared as text."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A form, the condition that stood after it, and whether reading it ran into the limits."""

    form: Form
    condition: str = ""
    too_big: bool = False


_WORDS = {
    **dict.fromkeys(("no solution", "no solutions", "empty set", "the empty set", "no real solution"), EMPTY),
    **dict.fromkeys(("no real solutions", "there is no solution", "there are no solutions", "null set"), EMPTY),
    **dict.fromkeys(("all real numbers", "all reals", "the real numbers", "real numbers", "all real x"), REALS),
    **dict.fromkeys(("all real values", "any real number", "all real number"), REALS),
    **dict.fromkeys(("does not exist", "dne", "d n e", "undefined", "not defined"), Text("does not exist")),
}
_OR_MORE = re.compile(
    r"(.*?)[\s,]*\b(?:or|and)\s+(more|greater|above|higher|over|larger|up|less|fewer|below|under|smaller|lower)\b"
)
_OUTWARD = re.compile(r"\s*(?:\][^\[\]()]+[\[\]]|[\[\]][^\[\]()]+\[)\s*")
"""Open ends as in `]a,b[`."""
_REMAINDER = re.compile(r"([0-9]+) (?:,? ?with (?:a )?|,? ?)?r(?:em(?:ainder)?)?(?: of)? ([0-9]+)")
_SENTENCE = re.compile(
    r"(?:[A-Za-z][A-Za-z ',]*\b(?:is|are|that|find|get|gives?|equals?|obtain|answer|so|therefore|thus|hence|have)[:,]?\s+"
    r"|(?:therefore|thus|hence|so)\s+|[A-Za-z ]+:\s+)?"
    r"(?:\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\])(?:\s*is (?:the|our) (?:final )?(?:solution|answer|result))?[.\s]*",
    re.IGNORECASE | re.DOTALL,
)
_CHANGES = re.compile(r"(?i)\b(?:not|no|nor|never|isn't|neither|either|twice|half|or|and|than|least|most|between|except|if)\b")
"""Words that change what the formula of a sentence says."""
_BOUND = re.compile(
    r"(?i)(at least|no less than|no fewer than|not less than|minimum of|at most|no more than|not more than|up to"
    r"|maximum of|more than|greater than|larger than|less than|fewer than|smaller than|over|under|above|below)\s+(.+)"
)
_AT_LEAST = frozenset({"at least", "no less than", "no fewer than", "not less than", "minimum of"})
_AT_MOST = frozenset({"at most", "no more than", "not more than", "up to", "maximum of"})
_ABOVE = frozenset({"more than", "greater than", "larger than", "over", "above"})
_LOOKS_LIKE_FORMULA = re.compile(
    r"\\(?:int|sum|prod|lim|det|partial|nabla|mathcal|arg|sup|inf|max|min|gcd|iint|oint|log|frac|sqrt|dfrac|binom)(?![a-z])"
)


def read(text: str) -> Reading:
    """The form of an answer; what no rule knows is text."""
    return _read(text, Limits.bits)


@lru_cache(maxsize=16_384)
def _read(text: str, _limit: int) -> Reading:
    if len(text) > MAX_LENGTH:
        return Reading(Text(" ".join(text.split())))
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
        return Reading(Choice(letters, _read(value, Limits.bits).form if value else None))
    bounded = _bounded(plain)
    if _OUTWARD.fullmatch(plain):
        plain = plain.strip()
        plain = ("(" if plain[0] == "]" else "[") + plain[1:-1] + (")" if plain[-1] == "[" else "]")
    try:
        tokens = tokenize(plain_numbers(_without_dollars(bounded or plain)))
        tokens = _angled(tokens)
        tokens, condition = relations.without_condition(tokens)
        return Reading(read_tokens(tokens), condition)
    except Unreadable:
        formula = _formula_in(plain)
        return _read(formula, Limits.bits) if formula is not None else Reading(_as_text(plain))


def _formula_in(plain: str) -> str | None:
    """The only formula of a sentence such as `We find that $x < 3$.`"""
    sentence = _SENTENCE.fullmatch(plain)
    if sentence is None:
        return None
    formula = next(group for group in sentence.groups() if group is not None)
    return None if _CHANGES.search(plain.replace(formula, "")) else formula


def _as_text(plain: str) -> Text:
    tokens = [token for token in tokenize(plain) if token.value not in "{}$"]
    if len(tokens) > 2 and tokens[0].value == "(" and tokens[-1].value == ")" and "(" not in plain[plain.index("(") + 1 :]:
        tokens = tokens[1:-1]
    words = _REMAINDER.sub(r"\1 r \2", spell(tokens).casefold().strip(" ."))
    return Text(words, _LOOKS_LIKE_FORMULA.search(plain) is not None)


def _bounded(plain: str) -> str | None:
    """`5 or more` and `at least 5` as inequalities without a left side."""
    if not plain[-1:].isalpha() and not plain[:1].isalpha() and "text" not in plain:
        return None
    flat = flatten(plain)
    more = _OR_MORE.fullmatch(flat)
    if more:
        up = more.group(2) in ("more", "greater", "above", "higher", "over", "larger", "up")
        return f"{'>=' if up else '<='} {more.group(1)}"
    bound = _BOUND.fullmatch(flat)
    if bound is None:
        return None
    words = bound.group(1).lower()
    sign = ">=" if words in _AT_LEAST else "<=" if words in _AT_MOST else ">" if words in _ABOVE else "<"
    return f"{sign} {bound.group(2)}"


def _without_dollars(text: str) -> str:
    """Math delimiters go; a lone dollar sign before a number is money."""
    if "$" not in text:
        return text
    bare = text.replace("\\$", "")
    if bare.count("$") == 1 and re.match(r"\s*-?\s*\$\s*[0-9.]", bare):
        return text
    return re.sub(r"(?<!\\)\$", " ", text)


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


def _angled(tokens: list[Token]) -> list[Token]:
    """`<1, 2>` as a vector."""
    values = [token.value for token in tokens]
    if values[:1] != ["<"] or values[-1:] != [">"] or "," not in values or len({"<", ">"} & set(values[1:-1])):
        return tokens
    return [Token("c", "\\langle"), *tokens[1:-1], Token("c", "\\rangle")]


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
    united = sets.joined(items, joint)
    if united is not None:
        return united
    gathered = _gathered(items)
    if isinstance(gathered, Listing) and joint == "and" and "," not in [token.value for part in parts for token in part]:
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
    words = _read_words(tokens) if len(tokens) == 1 else None
    if words is not None:
        return words
    depth = depths(tokens)
    residue = read_residue(tokens)
    if residue is not None:
        return residue
    sides, signs = split_relations(tokens, depth)
    if signs:
        return relations.read_relation(sides, signs, read_one)
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


def _contained(tokens: Sequence[Token], depth: Sequence[int]) -> Form | None:
    """Sets, intervals, tuples, matrices, and parentheses around something else."""
    united = sets.read_union(tokens, depth, read_one)
    if united is not None:
        return united
    matrix = sets.read_matrix(tokens)
    if matrix is not None:
        return matrix
    if not is_enclosed(tokens, depth):
        return None
    return sets.read_container(tokens, read_one, read_tokens)


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
    if last in ("am", "pm", "m") or any(
        len(part) == 1 and re.fullmatch("0[0-9]+", part[0].value) for part in parts
    ):
        raise Unreadable("a time of day")
    return Tuple(tuple(read_one(part) for part in parts), ":")



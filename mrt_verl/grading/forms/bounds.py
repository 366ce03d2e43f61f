r"""`5 or more` and `at least 5` as inequalities."""

import re

from mrt_verl.grading.text.choices import flatten

_OR_MORE = re.compile(
    r"(.*?)[\s,]*\b(?:or|and)\s+(more|greater|above|higher|over|larger|up|less|fewer|below|under|smaller|lower)\b"
)
_BOUND = re.compile(
    r"(?i)(at least|no less than|no fewer than|not less than|minimum of|at most|no more than|not more than|up to"
    r"|maximum of|more than|greater than|larger than|less than|fewer than|smaller than|over|under|above|below)\s+(.+)"
)
_AT_LEAST = frozenset({"at least", "no less than", "no fewer than", "not less than", "minimum of"})
_AT_MOST = frozenset({"at most", "no more than", "not more than", "up to", "maximum of"})
_ABOVE = frozenset({"more than", "greater than", "larger than", "over", "above"})


def read_bound(plain: str) -> str | None:
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

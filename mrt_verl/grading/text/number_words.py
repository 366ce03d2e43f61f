"""Numbers in words: `three`, `twenty-one`, `one hundred and twenty`, `two million`."""

from collections.abc import Sequence

_SPELLED_OUT = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety
"""
_UNITS, _TENS = tuple(_SPELLED_OUT.split()[:20]), tuple(_SPELLED_OUT.split()[20:])
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
MAX_WORDS = 40
UP_TO_TWENTY = (*_UNITS, "twenty")


def number_in_words(words: Sequence[str]) -> int | None:
    """The value of words that are one number and nothing else; None for others, such as "two three" or "one twenty"."""
    if not words or len(words) > MAX_WORDS:
        return None
    total, limit, rest = 0, 10**15, list(words)
    for scale, size in reversed(_SCALES.items()):
        if scale in rest and size < limit:
            at = rest.index(scale)
            count = _below_thousand(rest[:at])
            if not count:
                return None
            total, limit, rest = total + count * size, size, _without_and(rest[at + 1 :])
            if not rest:
                return total
    value = _below_thousand(rest)
    return None if value is None or (total and not value) else total + value


def _without_and(words: list[str]) -> list[str]:
    return words[1:] if words[:1] == ["and"] and len(words) > 1 else words


def _below_thousand(words: list[str]) -> int | None:
    if "hundred" not in words:
        return _below_hundred(words)
    at = words.index("hundred")
    hundreds = 1 if words[:at] == ["a"] else _below_hundred(words[:at])
    if not hundreds or hundreds > 9:
        return None
    rest = _without_and(words[at + 1 :])
    below = _below_hundred(rest) if rest else 0
    return None if below is None or (rest and not below) else 100 * hundreds + below


def _below_hundred(words: list[str]) -> int | None:
    if len(words) == 1 and words[0] in _UNITS:
        return _UNITS.index(words[0])
    if not words or words[0] not in _TENS or len(words) > 2:
        return None
    tens = 10 * (2 + _TENS.index(words[0]))
    if len(words) == 1:
        return tens
    unit = _UNITS.index(words[1]) if words[1] in _UNITS else 0
    return tens + unit if 0 < unit < 10 else None

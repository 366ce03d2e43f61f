"""The final answer inside a response: pure text work in linear time, no mathematics."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

FALLBACKS: dict[str, re.Pattern[str]] = {
    "hashes": re.compile(r"####[ \t]*([^\n]+)"),
    "answer_phrase": re.compile(r"(?i)\banswer(?:[ \t]+is\b|[ \t]*[:=])[ \t:]*([^\n]+)"),
    "last_number": re.compile(r"(?<![\w.])(-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)(?![\w])"),
    "last_line": re.compile(r"([^\n]*\S[^\n]*)\s*\Z"),
}
"""What may stand for a missing box, by name; the last match counts, its first group is the answer."""

DEFAULT_FALLBACKS = ("hashes", "answer_phrase")
FALLBACK_WINDOW = 4_000
"""Characters from the end in which fall-backs search: an answer stands at the end, and the time stays bounded."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_NUMBER_AND_STOP = re.compile(r"-?[0-9]+(?:[.,][0-9]+)*\.")
# invisible characters and lone surrogates carry no meaning and break parsers; models do write the typographic minus
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2060-\u2064\ufeff\ud800-\udfff]")
_MINUS = str.maketrans("\u2212\u2010\u2011", "---")


@dataclass(frozen=True, slots=True)
class Thinking:
    """Tags of the thinking block. Text inside it is never an answer.

    `expected`: a response without `close` has not finished thinking and has no answer, even if it never wrote `open`
    (chat templates often write it in the prompt). Otherwise such a response counts as one without thinking block.
    """

    open: str = "<think>"
    close: str = "</think>"
    expected: bool = False


DEFAULT_THINKING = Thinking()


def extract_answer(
    text: str,
    *,
    stop_text: str = "",
    thinking: Thinking | None = DEFAULT_THINKING,
    finished: bool = False,
    fallbacks: Sequence[str | re.Pattern[str]] = DEFAULT_FALLBACKS,
) -> str | None:
    r"""The final answer of a response, or None.

    Args:
        text: what the policy wrote, behind `stop_text` for a forced answer. A forced answer may also be passed as one
            text, stop text included; then the last box counts as in any response.
        stop_text: the text written for the policy to force the answer. If it leaves a `\boxed{` open, the answer is
            what closes that box, whatever follows.
        thinking: the answer stands behind the last closing tag; None searches everything.
        finished: whether the text ended by itself (end of sequence or stop string). A last box that is never closed
            holds an answer only then: cut off by the token limit, `\boxed{4` may have been on the way to 42.
        fallbacks: names in `FALLBACKS`, or patterns of one group, tried in order if no box is there.
    """
    opened = _open_box(stop_text)
    if opened is not None:
        return tidy(_box_content(opened + text, 0, finished) or "") or None
    answer_part = _outside_thinking(stop_text + text, thinking)
    if answer_part is None:
        return None
    boxes = list(_BOX.finditer(answer_part))
    for box in reversed(boxes):
        content = _box_content(answer_part, box.end(), finished)
        if content is None:
            return None
        if tidy(content):
            return tidy(content)
    return None if boxes else _fallback(answer_part[-FALLBACK_WINDOW:], fallbacks)


def tidy(answer: str) -> str:
    """The answer without invisible characters, outer spaces, outer `$` and a full stop after a number."""
    answer = _DROPPED.sub("", answer.translate(_MINUS)).strip()
    if _NUMBER_AND_STOP.fullmatch(answer):
        answer = answer[:-1]
    if len(answer) > 1 and answer[0] == answer[-1] == "$" and "$" not in answer.strip("$"):
        answer = answer.strip("$").strip()
    return answer


def _outside_thinking(text: str, thinking: Thinking | None) -> str | None:
    if thinking is None:
        return text
    _, close, after = text.rpartition(thinking.close)
    if thinking.open in after or (not close and thinking.expected):
        return None
    return after


def _open_box(stop_text: str) -> str | None:
    """What stands behind the box that `stop_text` leaves open."""
    boxes = list(_BOX.finditer(stop_text))
    if not boxes or _closing_brace(stop_text, boxes[-1].end()) is not None:
        return None
    return stop_text[boxes[-1].end() :]


def _box_content(text: str, start: int, finished: bool) -> str | None:
    end = _closing_brace(text, start)
    if end is None:
        return text[start:] if finished else None
    return text[start:end]


def _closing_brace(text: str, start: int) -> int | None:
    depth = 1
    for brace in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return brace.start()
    return None


def _fallback(text: str, fallbacks: Sequence[str | re.Pattern[str]]) -> str | None:
    for fallback in fallbacks:
        pattern = FALLBACKS[fallback] if isinstance(fallback, str) else fallback
        found = [match.group(1) for match in pattern.finditer(text)]
        answer = tidy(found[-1].strip("* ").removesuffix(".").strip("* ")) if found else ""
        if answer:
            return answer
    return None

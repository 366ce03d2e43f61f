"""The final answer inside a response: pure text work in linear time, no mathematics."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mrt_verl.grading.text.boxes import BOX, box_content_start, open_box, without_box
from mrt_verl.grading.text.words import words
from mrt_verl.grading.text.wrappers import closing_brace

FALLBACKS: dict[str, re.Pattern[str]] = {
    "hashes": re.compile(r"####[ \t]*([^\n]+)"),
    "answer_phrase": re.compile(
        r"(?i)(?:\b(?:answer|result)(?:[ \t]+is\b|[ \t*]*[:=\uff1a])|\u7b54\u6848[ \t]*[\u662f\u4e3a\u70ba:\uff1a])"
        r"[ \t:\uff1a*]*\n?[ \t]*([^\n]+)"
    ),
    "bold": re.compile(r"\*\*([^*\n]*[^*\n:\uff1a])\*\*[\s.!]*\Z"),
    "last_formula": re.compile(r"(?<![\\$])\$\$?([^$]+)\$|\\[(\[](.+?)\\[)\]]", re.DOTALL),
    "last_number": re.compile(r"(?<![\w.])(-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)(?![\w])"),
    "last_line": re.compile(r"([^\n]*\S[^\n]*)\s*\Z"),
}
"""What may stand for a missing box, by name; the last match counts, its first group is the answer."""
DEFAULT_FALLBACKS = ("hashes", "answer_phrase", "bold")
FALLBACK_WINDOW = 4_000
"""Characters from the end in which fall-backs search: an answer stands at the end, and the time stays bounded."""
_BARE_CONTENT = re.compile(r"\s*(-?[0-9][0-9.,/]*(?<![.,])|(?<=\s)[A-Za-z])(?![A-Za-z0-9])")
"""What stands in a box without braces, after `\\boxed`."""
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s+(-?[0-9][0-9.,/]*(?<![.,])|[A-Za-z])(?![A-Za-z])")
_TAG = re.compile(r"<answer>(.*?)(?:</answer>|(\Z))", re.DOTALL | re.IGNORECASE)
_MATH_MARKS = re.compile(r"\\[()\[\] ,;:]|\\q?quad|\$|\\(?:text|mathrm|textbf|mbox)\s*\{|\}")
_NAME = re.compile(r"([A-Za-z](?:_(?:\w|\{\w+\}))?)\s*=\s*\Z")
_CONNECTING = re.compile(r"[\s,;&]*|(?=.*(?:\b(?:and|or)\b|[,;&]))[\w\s,;&()]*")
_NO_CONNECTION = words(
    "then no not wait but so hence thus therefore instead rather actually hmm because since we which answer "
    "answers result final is are was gives give get yields equals next now check verify also finally first or "
    "i it that this "
)
_STATED = re.compile(
    r"(?i)\bfinal answer(?:[ \t]+is\b|[ \t*]*:)[ \t:*]*(\$[^$\n]+\$|-?[0-9][0-9.,/]*(?<![.,])(?![\w(]))"
)
"""A final answer after the last box, if it is plainly one."""
_SENTENCE = re.compile(
    r"(?:The|There)\b(?:(?!\b(?:is|are|not|or)\b).)*\s(?:is|are|equals)\s+((?!not\b|no\b)(?:(?!\bis\b|\bor\b).)*)"
)
"""`The largest n is 34`."""
_REASON = re.compile(
    r"(?i)[,;]?\s+(?:because|since|which|so|but|as|therefore|thus|hence|due)\b.*|[.!?\u3002\uff0e](?=\s|\Z).*|\u3002.*"
    r"|\s+(?:in total|altogether|overall)\b.*",
    re.DOTALL,
)
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
        text: what the policy wrote, after `stop_text` for a forced answer. A forced answer may also be passed as one
            text, stop text included; then the last box counts as in any response.
        stop_text: the text written for the policy to force the answer. If it leaves a `\boxed{` open or ends in
            `\boxed`, the answer is what closes that box, whatever follows.
        thinking: the answer stands after the last closing tag; None searches everything.
        finished: whether the text ended by itself (end of sequence or stop string). A last box that is never closed
            holds an answer only then: cut off by the token limit, `\boxed{4` may have been on the way to 42.
        fallbacks: names in `FALLBACKS`, or patterns of one group, tried in order if no box is there.
    """
    opened = open_box(stop_text)
    if opened is not None:
        start = box_content_start(stop_text, text)
        if start is not None:
            return tidy(_box_content(opened + text[start:], 0, finished) or "") or None
        naked = _BARE_CONTENT.match(text)
        if naked is not None:
            return naked.group(1) if finished or naked.end() < len(text) else None
        stop_text = without_box(stop_text)  # what stands there is no box's content
    answer_part = _outside_thinking(stop_text + text, thinking)
    if answer_part is None:
        return None
    tagged = _tagged(answer_part, finished)
    if tagged is not None:
        answer_part = tagged
    boxes = list(BOX.finditer(answer_part))
    if boxes:
        stated = list(_STATED.finditer(answer_part, boxes[-1].end()))
        if stated and "answer_phrase" in fallbacks:
            return tidy(stated[-1].group(1))
        return _last_boxes(answer_part, boxes, finished)
    bare = _BARE_BOX.findall(answer_part)
    if bare:
        return bare[-1] if tidy(bare[-1]) else None
    if tagged is not None:
        return tidy(tagged) or None
    return fallback_answer(answer_part[-FALLBACK_WINDOW:], fallbacks)


def _tagged(text: str, finished: bool) -> str | None:
    """What the last `<answer>` tag holds, unless a box follows it; one that never closes counts in a finished text."""
    if "<answer>" not in text and "<ANSWER>" not in text:
        return None
    tags = list(_TAG.finditer(text))
    if not tags or BOX.search(text, tags[-1].end()):
        return None
    last = tags[-1]
    if last.group(2) is not None and not text.lower().rstrip().endswith("</answer>") and not finished:
        return None
    return last.group(1) if last.group(1).strip() else None


def _last_boxes(text: str, boxes: list[re.Match[str]], finished: bool) -> str | None:
    """The last box that is not empty, with those before it that it is joined to by a comma or an "and"."""
    found: list[tuple[str, str]] = []
    start = len(text)
    for box in reversed(boxes):
        content = _box_content(text, box.end(), finished)
        if content is None:
            return None
        if found:
            end = box.end() + len(content) + 1
            if end > start or not _are_joined(text[end:start]):
                break
        if tidy(content):
            name = _NAME.search(_MATH_MARKS.sub(" ", text[max(0, box.start() - 40) : box.start()]).rstrip())
            found.append((name.group(1) if name else "", tidy(content)))
            start = box.start()
        elif found:
            break
    if len({content for _, content in found}) <= 1:
        return found[0][1] if found else None
    return tidy(
        ", ".join(f"{name} = {content}" if name and "=" not in content else content for name, content in found[::-1])
    )


def _are_joined(gap: str) -> bool:
    """Whether what stands between two boxes makes them one answer: a comma or an "and", with a few words at most."""
    if len(gap) > 80 or "\n\n" in gap:
        return False
    plain = _MATH_MARKS.sub(" ", gap).strip()
    plain = _NAME.sub("", plain + " ").strip() if "=" in plain else plain
    if not plain and "\n" in gap:
        return False
    spoken = re.findall("[a-z]+", plain.lower())
    joined = _CONNECTING.fullmatch(plain) is not None and len(spoken) <= 5
    return joined and (spoken == ["or"] or _NO_CONNECTION.isdisjoint(spoken))


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


def _box_content(text: str, start: int, finished: bool) -> str | None:
    end = closing_brace(text, start)
    if end is None:
        return text[start:] if finished else None
    return text[start:end]


def fallback_answer(text: str, fallbacks: Sequence[str | re.Pattern[str]]) -> str | None:
    """What the first of the fall-backs that finds anything takes for the answer."""
    for fallback in fallbacks:
        pattern = FALLBACKS[fallback] if isinstance(fallback, str) else fallback
        found = [match.group(match.lastindex or 0) for match in pattern.finditer(text)]
        last = found[-1] if found else ""
        if fallback == "answer_phrase":
            last = phrase(last)
        answer = tidy(last.strip("* ").removesuffix(".").strip("* "))
        if answer:
            return answer
    return None


def phrase(text: str) -> str:
    """What a sentence calls the answer, without markdown, reasons and further sentences."""
    text = text.replace("**", "").strip()
    said = _REASON.sub("", " " + text, count=1).strip() or text
    sentence = _SENTENCE.fullmatch(said)
    return sentence.group(1) if sentence else said

r"""Where a forced answer stands: the `\boxed` that its stop text ends in or leaves open, and where that box closes.

A stop text may end in `\boxed{`, or in `\boxed` so that the policy writes the brace itself: on real vocabularies `{\`,
`{(` and `{-` are tokens, which a policy can no longer write after a lone `{`.
"""

import re
from collections.abc import Sequence

from mrt_verl.grading.text.wrappers import closing_brace

BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_NAMED = re.compile(r"\\(?:boxed|fbox)\s*\Z")


def open_box(stop_text: str) -> str | None:
    r"""What already stands in the box that a stop text leaves open; None if it leaves none.

    Of a stop text that ends in `\boxed` that is nothing, and the brace is the answer's to write (`box_brace`).
    """
    boxes = list(BOX.finditer(stop_text))
    if boxes and closing_brace(stop_text, boxes[-1].end()) is None:
        return stop_text[boxes[-1].end() :]
    return "" if box_brace(stop_text) else None


def box_brace(stop_text: str) -> str:
    r"""The brace with which an answer must begin to stand in its stop text's box: `{` after `\boxed`, else none."""
    return "{" if _NAMED.search(stop_text) else ""


def without_box(stop_text: str) -> str:
    r"""A stop text without the `\boxed` that it ends in."""
    return _NAMED.sub("", stop_text)


def in_box(stop_text: str, answer: str) -> str | None:
    """An answer as it is written after a stop text, its box closed; None if the stop text opens no box."""
    return None if open_box(stop_text) is None else f"{box_brace(stop_text)}{answer}}}"


def box_content_start(stop_text: str, text: str) -> int | None:
    """The character of `text`, which follows a stop text, where the content of its box begins; None without a box."""
    if open_box(stop_text) is None:
        return None
    if not box_brace(stop_text):
        return 0
    written = text[: len(text) - len(text.lstrip())] + "{"
    return len(written) if text.startswith(written) else None


def box_end(stop_text: str, text: str) -> int | None:
    """Characters of `text`, which follows a stop text, up to and with the brace that closes its box; None if none."""
    start = box_content_start(stop_text, text)
    if start is None:
        return None
    already = open_box(stop_text) or ""
    close = closing_brace(already + text[start:], 0)
    return None if close is None else close - len(already) + start + 1


def answer_end(stop_text: str, text: str, stops: Sequence[str]) -> int | None:
    """Characters of a forced answer in `text`: up to its box's close, or to the first stop string; None if it goes on.

    A stop string that begins with a closing brace leaves that brace to the answer.
    """
    found = ((text.find(stop), stop) for stop in stops)
    stopped = min((at + stop.startswith("}") for at, stop in found if at >= 0), default=None)
    closed = box_end(stop_text, text)
    return min((end for end in (stopped, closed) if end is not None), default=None)


def after_context(context: str, stop_text: str, think_close: str | None = None) -> str:
    r"""A stop text as it follows a context.

    Where the context already closes the thinking, only what stands after the stop text's own close. Where it ends in a
    line break, without the stop text's leading ones: no policy writes the tokens `.\n\n` and `\n\n` in a row.
    """
    if think_close and think_close in stop_text and context.rstrip().endswith(think_close):
        stop_text = stop_text.rpartition(think_close)[2]
    return stop_text.lstrip("\n") if context.endswith("\n") else stop_text

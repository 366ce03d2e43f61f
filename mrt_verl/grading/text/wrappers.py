# ruff: noqa: RUF001  (characters that look alike are what is folded here)
r"""What stands around an answer and says nothing: boxes, fonts, markdown, quotes, `$`, leading words, a full stop."""

import re

_COLOR = re.compile(r"\\(?:textcolor|color|colorbox|cellcolor)\s*\{[^{}]*\}")
_BOX = re.compile(r"\\(?:boxed|fbox|ensuremath|underline)\s*\{")
_LEAD = re.compile(
    r"""(?xi)^\s*(?:
        (?:(?:so|thus|hence|therefore|and|then)\b[,:]?\s*)?(?:the\ |my\ |our\ )?
            (?:final\ |correct\ |right\ )?(?:answer|result|solution|value)
            (?:\s*(?:is|are|:|=|：|equals)(?!\s*(?:not|no|un)\b))+[\s:]*(?:that\s+)?
      | (?:the\ )?final\s*[:：]\s*
      | ans\.?\s*[:=]\s*
      | 答案\s*(?:是|为|為|:)*\s*
      | (?:approximately|approx\.?|about|roughly|around|exactly|equals|equal\s+to)\s+
      | (?:\\approx|\\simeq|\\sim|~|=|\\therefore|\\implies|\\Rightarrow|\\to|\\colon|:)(?![A-Za-z=])\s*
    )"""
)
_BOLD_LEAD = re.compile(r"\*\*([^*]{1,40}[:：]?)\*\*\s*[:：]?\s*(?=\S)")
_LEAD_IN_TEXT = re.compile(r"^\\(?:text(?:bf|it|rm|sf)?|math(?:rm|bf|sf)|mbox)\s*\{([^{}]*)\}(?=\s*\S)")
_NUMBER_IN_TEXT = re.compile(r"\\(?:text|math)(?:bf|rm|it|sf|tt|normal)?\s*\{([^{}A-Za-z\\]*[0-9][^{}A-Za-z\\]*)\}")
_HTML = re.compile(r"</?(?:b|i|em|strong|p|span|div|code|u|sub|answer|br|center)\s*/?>", re.IGNORECASE)
_ENTITIES = {"&nbsp;": " ", "&lt;": "<", "&gt;": ">", "&le;": "\\le ", "&ge;": "\\ge ", "&pi;": "\\pi ", "&amp;": "&"}


def strip_wrappers(text: str) -> str:
    """Without what stands around an answer and says nothing: boxes, fonts, markdown, quotes, `$`, a full stop."""
    text = _HTML.sub(" ", text) if "<" in text else text
    for entity, plain in _ENTITIES.items():
        if entity in text:
            text = text.replace(entity, plain)
    text = _spelling(text)
    for _ in range(12):
        before = text
        text = _strip_once(text.strip())
        if text == before:
            break
    return text


_DOUBLED = re.compile(
    r"\\\\(?=(?:left|right|frac|dfrac|sqrt|boxed|text|mathrm|le|ge|leq|geq|pi|infty|cup|in|cdot|times)(?![a-z]))"
)
_GLUED = re.compile(r"(?<=[\d)\]}])(or|and)(?=[A-Z(\[\\\d-])")


def _spelling(text: str) -> str:
    """Backslashes that were escaped once too often, `{:}`, and words that lost the spaces around them."""
    if "\\\\" in text and "\\begin" not in text:
        text = _DOUBLED.sub(lambda _: "\\", text)
    if "\\quad" in text:
        text = re.sub(r"\\q?quad", " \\\\quad ", text)
    if "{:}" in text or "{=}" in text or "{.}" in text:
        text = re.sub(r"(?<![A-Za-z])\{([:=.])\}", r"\1", text)
    return _GLUED.sub(r" \1 ", text) if "or" in text or "and" in text else text


def _strip_once(text: str) -> str:
    text = _strip_ends(text)
    pairs = (("**", "**"), ("__", "__"), ("`", "`"), ('"', '"'), ("'", "'"), ("``", "''"), ("*", "*"), ("$$", "$$"))
    for opened, closed in (*pairs, ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("\\{}", ""), ("_", "_")):
        inner = text[len(opened) : len(text) - len(closed)]
        long_enough = len(text) > len(opened) + len(closed)
        if long_enough and text.startswith(opened) and text.endswith(closed) and opened not in inner and inner.strip():
            if opened == "'" and "'" in inner:
                continue
            text = inner.strip()
    text = _unwrap_command(text)
    bare = _NUMBER_IN_TEXT.fullmatch(text)
    text = bare.group(1).strip() if bare else text
    text = _BOLD_LEAD.sub(_without_lead, text, count=1) if text.startswith("**") else text
    text = _LEAD_IN_TEXT.sub(_without_lead, text, count=1)
    lead = _LEAD.match(text)
    if lead and lead.end() and text[lead.end() :].strip():
        text = text[lead.end() :].strip()
    return text


def _without_lead(found: re.Match[str]) -> str:
    """Nothing for `\\text{The answer is }`, the group itself for other words."""
    lead = _LEAD.match(found.group(1) + " ")
    return "" if lead and not (found.group(1) + " ")[lead.end() :].strip() else found.group()


def _strip_ends(text: str) -> str:
    """Trailing punctuation and halves of math delimiters."""
    while text:
        before = text
        text = _without_half(text)
        for space in _SPACES_AROUND:
            text = text.removeprefix(space).removesuffix(space if space != "~" else "\\\\").strip()
        if text.endswith("$") and text.count("$") == 1 and not re.fullmatch(r"[\d.,\s]+\\?\$", text):
            text = text[:-1].rstrip()
        if text[-1:] in (",", ";", ":", "!") and not _is_factorial(text):
            text = text[:-1].rstrip()
        if text.endswith(".") and not text.endswith(("..", "\\right.")):
            text = text[:-1].rstrip()
        if text.endswith("\\"):
            text = text[:-1].rstrip()
        if text.count("**") == 1:
            text = text.removeprefix("**").removesuffix("**").strip()
        text = text.removeprefix("# ")
        if text == before:
            return text
    return text


_SPACES_AROUND = ("\\,", "\\;", "\\!", "\\:", "\\quad", "\\qquad", "\\ ", "~")


def _without_half(text: str) -> str:
    """Without a math delimiter whose other half is missing."""
    for opened, closed in (("\\(", "\\)"), ("\\[", "\\]")):
        if text.endswith(closed) and opened not in text:
            text = text.removesuffix(closed).rstrip()
        if text.startswith(opened) and closed not in text:
            text = text.removeprefix(opened).lstrip()
    return text


def _is_factorial(text: str) -> bool:
    return text.endswith("!") and re.search(r"[\w)}\]]\s*!+$", text) is not None


def _unwrap_command(text: str) -> str:
    """`\\boxed{X}`, `{X}` and font commands around the whole text give X."""
    text = _COLOR.sub("", text) if "color" in text or "color" in text else text
    box = _BOX.match(text)
    if box is None and text.startswith("{") and not text.startswith("{}"):
        end = closing_brace(text, 1)
        inner = text[1:end]
        if end == len(text) - 1 and not has_top_comma(inner):
            return inner.strip()
    if box:
        end = closing_brace(text, box.end())
        if end is not None:
            return (text[: box.start()] + text[box.end() : end] + text[end + 1 :]).strip()
    return text


_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)


def closing_brace(text: str, start: int) -> int | None:
    """Where the brace group that is open at `start` closes."""
    depth = 1
    for brace in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return brace.start()
    return None


def has_top_comma(text: str) -> bool:
    """Whether a comma or colon stands outside of all brackets."""
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character in ",:|;":
            return True
    return False

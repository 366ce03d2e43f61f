r"""Text folding: Unicode to the LaTeX and ASCII that the reader knows, and wrappers off. Pure, in linear time."""

import re
import unicodedata
from functools import lru_cache

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau upsilon "
    "phi chi psi omega"
).split()
_CAPITALS = {"Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi"}
_COMMANDS = {
    **{chr(0x3B1 + number): name for number, name in enumerate(_GREEK)},
    **_CAPITALS,
    **{"Ψ": "Psi", "Ω": "Omega", "ϕ": "phi", "ϵ": "epsilon", "×": "times", "⋅": "cdot", "·": "cdot", "∙": "cdot"},
    **{"•": "cdot", "∗": "cdot", "✕": "times", "≤": "le", "≦": "le", "⩽": "le", "≥": "ge", "≧": "ge", "⩾": "ge"},
    **{"≠": "ne", "∞": "infty", "∪": "cup", "⋃": "cup", "∩": "cap", "∈": "in", "∉": "notin", "∅": "emptyset"},
    **{"⌀": "emptyset", "±": "pm", "∓": "mp", "≈": "approx", "≃": "approx", "≅": "cong", "≡": "equiv"},
    **{"→": "to", "∠": "angle", "△": "triangle", "√": "sqrt", "∖": "setminus", "∣": "mid", "∧": "wedge", "∨": "vee"},
    **{"⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil", "⟨": "langle", "⟩": "rangle", "〈": "langle"},
    **{"〉": "rangle", "…": "ldots", "⋯": "cdots", "∑": "sum", "∏": "prod", "∫": "int", "ℝ": "mathbb{R}"},
    **{"ℤ": "mathbb{Z}", "ℕ": "mathbb{N}", "ℚ": "mathbb{Q}", "ℂ": "mathbb{C}", "∛": "sqrt[3]", "∜": "sqrt[4]"},
}
_PLAIN = {
    **dict.fromkeys("−‐‑‒–—―﹣－", "-"),
    **dict.fromkeys("“”„«»〝〞＂《》「」『』", '"'),
    **dict.fromkeys("‘’‚ʼ′＇", "'"),
    **dict.fromkeys("÷∕⁄", "/"),
    **dict.fromkeys("、，٬﹐", ","),
    **dict.fromkeys("。．｡", "."),
    **dict.fromkeys("【〔［", "["),
    **dict.fromkeys("】〕］", "]"),
    **{
        "；": ";",
        "：": ":",
        "∶": ":",
        "٫": ".",
        "〜": "~",
        "～": "~",
        "°": "^\\circ ",
        "º": "^\\circ ",
        "˚": "^\\circ ",
    },
    **{"℃": "^\\circ C", "℉": "^\\circ F", "′": "'", "″": "''", "％": "%", "٪": "%", "‰": "\\permil ", "∥": "\\|"},
    **{"度": "^\\circ ", "≪": "<", "≫": ">", "﹤": "<", "﹥": ">", "₽": "\\text{ rubles}", "✓": "", "✔": ""},
    **{"€": "\\text{ euro }", "£": "\\text{ pound }", "₹": "\\text{ rupee }", "¥": "\\text{ yuan }"},
    **{"￥": "\\text{ yuan }", "¢": "\\text{ cents}", "µ": "\\mu ", "Å": "\\text{ angstrom}"},
}
_SUPERSCRIPTS = {
    **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣʸᵃᵇᵏᵐ", "0123456789+-=()nixyabkm", strict=True)),
}
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₖₙₘᵢⱼ", "0123456789+-=()aeoxknmij", strict=True))
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
_OVERLINED = re.compile("(?:[0-9]\u0305)+")
_DOTTED = re.compile("([0-9])\u0307")
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2060-\u2064\ufe0e\ufe0f\ufeff\ud800-\udfff]")
_CURRENCY_TEXT = {"€": "euro", "£": "pound", "¥": "yuan", "￥": "yuan", "₹": "rupee"}


def fold_unicode(text: str) -> str:
    """The text in ASCII as far as it has a meaning there; letters of other scripts stay."""
    if text.isascii():
        return _DROPPED.sub("", text) if not text.isprintable() else text
    text = _OVERLINED.sub(lambda found: "\\overline{" + found.group().replace("\u0305", "") + "}", text)
    text = _DOTTED.sub(r"\\dot{\1}", text)
    text = _RAISED.sub(lambda found: "^{" + "".join(map(_SUPERSCRIPTS.__getitem__, found.group())) + "}", text)
    text = _LOWERED.sub(lambda found: "_{" + "".join(map(_SUBSCRIPTS.__getitem__, found.group())) + "}", text)
    folded = "".join(character if character < "\x7f" else _fold(character) for character in text)
    return _DROPPED.sub("", folded)


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    if character in _COMMANDS:
        return f"\\{_COMMANDS[character]} "
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category == "Zs":
        return " "
    decomposition = unicodedata.decomposition(character)
    if decomposition.startswith("<fraction>"):
        top, _, bottom = unicodedata.normalize("NFKC", character).partition("\u2044")
        return f"\\frac{{{top}}}{{{bottom}}}" if bottom else character
    if decomposition.startswith("<square>"):
        plain = unicodedata.normalize("NFKC", character).replace("\u2215", "/")
        return "\\text{ " + re.sub(r"([23])", r"^\1", plain) + "}"
    if decomposition.startswith(("<wide>", "<font>", "<compat>", "<narrow>", "<circle>")):
        plain = unicodedata.normalize("NFKC", character)
        if plain != character and len(plain) == 1:
            return plain if plain < "\x7f" else _fold(plain)
    return character


_SPACES = r"(?:\\[,;:! ]|~|\s|\\quad\b|\\qquad\b)"
_STYLE = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?|middle|displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it|tt|sf|large|Large"
    r"|huge|normalsize|small|boldmath|bold|noindent|centering|hfill|allowbreak|nonumber|tfrac(?!\s*[\d{\\a-zA-Z])"
    r"|checkmark|square|blacksquare)(?![A-Za-z])\s*\.?(?<!\\right\.)"
)
_FONT = re.compile(
    r"\\(?:mathrm|mathbf|mathsf|mathit|mathtt|mathnormal|boldsymbol|bm|pmb|symbf|symrm|mathscr|mathcal|mathfrak|operatorname\*?"
    r"|textup|textnormal|textbf|textit|textsf|texttt|textrm|textsc|mbox|hbox|emph|underline|uline|text)\s*(?=\{)"
)
_WRAPPERS = ("boxed", "fbox", "displaystyle", "ensuremath", "underline", "framebox", "phantom")
_COLOR = re.compile(r"\\(?:textcolor|color|colorbox|cellcolor)\s*\{[^{}]*\}")
_BOX = re.compile(r"\\(?:boxed|fbox|ensuremath|underline)\s*\{")
_DELIMITERS = re.compile(r"\\[()\[\]]|(?<!\\)\$+")
_LEAD = re.compile(
    r"""(?xi)^\s*(?:
        (?:(?:so|thus|hence|therefore|and|then)\b[,:]?\s*)?(?:the\ |my\ |our\ )?(?:final\ |correct\ |right\ )?(?:answer|result|solution|value)
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
        for end in ("\\)", "\\]", "\\\\", "\\,", "\\;", "\\!", "\\quad", "\\ "):
            if text.endswith(end) and not (end in ("\\)", "\\]") and "\\" + {")": "(", "]": "["}[end[1]] in text):
                if end == "\\ " or end != "\\quad" or len(text) > 5:
                    text = text[: -len(end)].rstrip()
        if text.endswith("$") and text.count("$") == 1 and not re.fullmatch(r"[\d.,\s]+\\?\$", text):
            text = text[:-1].rstrip()
        for start in ("\\,", "\\;", "\\!", "\\:", "\\quad", "\\qquad", "~", "\\ "):
            if text.startswith(start):
                text = text[len(start) :].lstrip()
        for start in ("\\(", "\\["):
            if text.startswith(start) and "\\" + {"(": ")", "[": "]"}[start[1]] not in text:
                text = text[2:].lstrip()
        if text[-1:] in (",", ";", ":", "!") and not _is_factorial(text) and not text.endswith("\\" + text[-1]):
            text = text[:-1].rstrip()
        if text.endswith(".") and not text.endswith("..") and not text.endswith("\\right."):
            text = text[:-1].rstrip()
        if text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1].rstrip()
        if text.startswith("**") and text.count("**") == 1 or text.startswith("# "):
            text = text[2:].lstrip()
        if text.endswith("**") and text.count("**") == 1:
            text = text[:-2].rstrip()
        if text == before:
            return text
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

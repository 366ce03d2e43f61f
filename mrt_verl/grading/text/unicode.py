# ruff: noqa: RUF001  (characters that look alike are what is folded here)
r"""Unicode folded to the LaTeX and ASCII that the reader knows."""

import re
import unicodedata
from functools import lru_cache

_GREEK = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau upsilon phi
chi psi omega
"""
_CAPITALS = {"Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi"}
_COMMANDS = {
    **{chr(0x3B1 + number): name for number, name in enumerate(_GREEK.split())},
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

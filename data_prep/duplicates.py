"""Problems that are the same text up to layout."""

import re
import unicodedata
from hashlib import blake2b

_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|textstyle|quad|qquad|[,;:! ()\[\]])|[\s$~{}]+")
_LARGE_FRACTION = re.compile(r"\\[dt]frac")


def normalised(text: str) -> str:
    """The text without case, white space, LaTeX layout, braces and a full stop: equal for the same problem."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = _LARGE_FRACTION.sub(r"\\frac", text.casefold())
    return _LAYOUT.sub("", text).rstrip(".?!:")


def digest(text: str) -> bytes:
    """16 bytes that stand for a normalised text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class SeenProblems:
    """Every problem counts once; 1 M of them take some 150 MB."""

    def __init__(self) -> None:
        self._answers: dict[bytes, int] = {}
        self._splits: list[str] = []

    def find(self, question: str, answer: str, split: str) -> str | None:
        """Why the problem is a repetition, or None; a new one is remembered."""
        if split not in self._splits:
            self._splits.append(split)
        number = self._splits.index(split)
        # the low bits tell the split, the others a hash of the answer: one small number per problem
        entry = hash(normalised(answer)) << 1 | number
        before = len(self._answers)
        known = self._answers.setdefault(digest(normalised(question)), entry)
        if len(self._answers) > before:
            return None
        if known & 1 != number:
            return f"duplicate of a {self._splits[known & 1]} problem"
        return "duplicate" if known == entry else "duplicate with another answer"

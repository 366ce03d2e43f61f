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
        """Why the problem is a repetition of one that was added, or None."""
        known = self._answers.get(digest(normalised(question)))
        if known is None:
            return None
        number = self._number(split)
        if known & 1 != number:
            return f"duplicate of a {self._splits[known & 1]} problem"
        return "duplicate" if known == self._entry(answer, number) else "duplicate with another answer"

    def add(self, question: str, answer: str, split: str) -> None:
        """Remember a problem. One that was left out for its answer is not added: a later copy may have a good one."""
        self._answers[digest(normalised(question))] = self._entry(answer, self._number(split))

    def _number(self, split: str) -> int:
        if split not in self._splits:
            self._splits.append(split)
        return self._splits.index(split)

    def _entry(self, answer: str, number: int) -> int:
        # the low bit tells the split, the others a hash of the answer: one small number per problem
        return hash(normalised(answer)) << 1 | number

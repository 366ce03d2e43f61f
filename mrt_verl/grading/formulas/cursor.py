"""A place in a token list, and what the parts of the parser ask of each other."""

from collections.abc import Sequence

from mrt_verl.grading.formulas.nodes import Node, Unreadable
from mrt_verl.grading.text.tokens import Token


class Cursor:
    """A place in a token list; `sign` is what a `\\pm` stands for, `saw_sign` whether there was one."""

    def __init__(self, tokens: Sequence[Token], sign: int = 1) -> None:
        self.tokens, self.at, self.sign, self.saw_sign, self.depth = tokens, 0, sign, False, 0
        self.bars: list[int] = []

    def _peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place].value if place < len(self.tokens) else ""

    def _take(self, value: str) -> bool:
        if self._peek() == value:
            self.at += 1
            return True
        return False

    def _expect(self, value: str) -> None:
        if not self._take(value):
            raise Unreadable(f"{value!r} is missing")

    def _next(self) -> Token:
        if self.at >= len(self.tokens):
            raise Unreadable("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _raw(self) -> str:
        """The text of a subscript."""
        if self._peek() != "{":
            return self._next().value
        depth, text = 0, ""
        while True:
            value = self._next().value
            depth += (value == "{") - (value == "}")
            if depth == 0:
                return text
            text += "" if value == "{" and depth == 1 else value

    def _primes(self) -> str:
        primes = ""
        while self._take("'"):
            primes += "'"
        return primes

    def _sum(self) -> Node:
        raise NotImplementedError

    def _factor(self) -> Node:
        raise NotImplementedError

    def _exponent(self) -> Node:
        raise NotImplementedError

    def _argument(self) -> Node:
        raise NotImplementedError

    def _group(self, opening: str) -> Node:
        raise NotImplementedError

    def _atom(self) -> Node:
        raise NotImplementedError

    def _starts_factor(self) -> bool:
        raise NotImplementedError

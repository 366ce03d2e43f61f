"""Numerals, symbols, words and commands."""

from fractions import Fraction

from mrt_verl.grading.formulas.calls import absolute, permutations, rounded
from mrt_verl.grading.formulas.functions import ALIASES, FUNCTIONS, GREEK, Functions
from mrt_verl.grading.formulas.nodes import Node, Unreadable, choose, divide, number, rational
from mrt_verl.grading.text.tokens import Token

_CONSTANTS = {"\\pi": "pi", "pi": "pi", "Pi": "pi", "PI": "pi", "e": "e", "i": "i", "\\infty": "oo"}
_INFINITY_WORDS = frozenset({"oo", "inf", "infinity", "infty", "Infinity"})


class Atoms(Functions):
    """Numerals, symbols, words and commands."""

    def _atom(self) -> Node:
        if self.at >= len(self.tokens):
            raise Unreadable("it ends too early")
        token = self.tokens[self.at]
        if token.kind == "n":
            return self._numeral()
        if token.kind == "l":
            return self._symbol()
        if token.kind == "w":
            return self._word(token)
        if token.kind == "c":
            return self._command(token.value)
        if token.value in ("(", "[", "{"):
            return self._group(token.value)
        if token.value == "|":
            return self._bars()
        raise Unreadable(f"{token.value!r} starts nothing")

    def _bars(self) -> Node:
        self.at += 1
        self.bars.append(self.at)
        node = self._sum()
        self.bars.pop()
        self._expect("|")
        return absolute(node)

    def _numeral(self) -> Node:
        value = number(self._next().value)
        mixed = self._mixed_part(value)
        if mixed is not None:
            return ("n", value + mixed)
        return ("n", value)

    def _mixed_part(self, whole: Fraction) -> Fraction | None:
        """The fraction of a mixed number such as `3 1/2` or `3\\frac12`."""
        if whole.denominator != 1 or self.at >= len(self.tokens):
            return None
        start, tokens = self.at, self.tokens
        token = tokens[start]
        if token.kind == "n" and token.spaced and token.value.isdigit():
            values = [one.value for one in tokens[start : start + 3]]
            if len(values) == 3 and values[1] == "/" and values[2].isdigit() and "." not in tokens[start - 1].value:
                self.at += 3
                return self._proper(int(values[0]), int(values[2]))
            raise Unreadable("two numbers side by side")
        if token.value == "\\frac":
            self.at += 1
            try:
                top, bottom = rational(self._argument()), rational(self._argument())
            except Unreadable:
                top = bottom = None
            if (
                top is not None
                and bottom is not None
                and top.denominator == bottom.denominator == 1
                and "." not in tokens[start - 1].value
            ):
                return self._proper(int(top), int(bottom))
            self.at, self.tokens = start, tokens
        return None

    @staticmethod
    def _proper(top: int, bottom: int) -> Fraction:
        if not 0 < top < bottom:
            raise Unreadable("no proper fraction in a mixed number")
        return Fraction(top, bottom)

    def _symbol(self) -> Node:
        name = self._next().value
        if name == "I" and self._is_python_imaginary():
            name = "i"
        if name in ("C", "P") and self._peek() == "(" and not self.tokens[self.at].spaced:
            pair = self._pair()
            if pair is not None:
                return choose(*pair) if name == "C" else permutations(*pair)
        if name in ("f", "g", "h") and self._peek() == "(":
            return ("f", "call", ("s", name + self._primes()), self._group("("))
        return self._named(name)

    def _is_python_imaginary(self) -> bool:
        """Whether the `I` just taken stands after a number and a `*`, as Python's tools write i."""
        before = self.tokens[max(0, self.at - 3) : self.at - 1]
        return len(before) == 2 and before[0].kind == "n" and before[1].value == "*"

    def _pair(self) -> tuple[Node, Node] | None:
        """`(n, k)` if that follows."""
        start = self.at
        self.at += 1
        try:
            one = self._sum()
            if self._take(","):
                other = self._sum()
                if self._take(")"):
                    return one, other
        except Unreadable:
            pass
        self.at = start
        return None

    def _named(self, name: str) -> Node:
        """A symbol with what belongs to its name: subscript and primes."""
        subscript = ""
        if self._peek() == "_":
            self.at += 1
            subscript = "_" + self._raw()
        primes = self._primes()
        if not subscript and not primes and name in ("e", "i"):
            return ("c", name)
        if name in ("pi", "oo") and not subscript and not primes:
            return ("c", name)
        return ("s", name + subscript + primes)

    def _word(self, token: Token) -> Node:
        name = ALIASES.get(token.value, token.value)
        if name in _INFINITY_WORDS:
            self.at += 1
            return ("c", "oo")
        if name in _CONSTANTS:
            self.at += 1
            return self._named(_CONSTANTS[name])
        if name in FUNCTIONS or name in ("binom", "factorial", "lb"):
            self.at += 1
            return self._function(name)
        if len(name) == 1 and name.isascii():
            self.at += 1
            return self._named(name)
        if token.upright or len(name) > 3 or not name.isascii():
            if not token.upright and name in GREEK:
                self.at += 1
                return self._named(name)
            raise Unreadable(f"the word {name!r}")
        if name in GREEK:
            self.at += 1
            return self._named(name)
        # letters side by side are a product; the last one takes what follows, an exponent for example
        letters = [Token("l", letter) for letter in name]
        self.tokens = [*self.tokens[: self.at], *letters, *self.tokens[self.at + 1 :]]
        return self._symbol()

    def _command(self, value: str) -> Node:
        name = value[1:]
        self.at += 1
        if value == "\\frac":
            top = self._argument()
            return divide(top, self._argument())
        if value == "\\sqrt":
            return self._root()
        if value == "\\binom":
            top = self._argument()
            return choose(top, self._argument())
        if value in _CONSTANTS:
            return self._named(_CONSTANTS[value])
        if name in FUNCTIONS:
            return self._function(name)
        if name in GREEK:
            return self._named(name)
        if name in ("lfloor", "lceil"):
            self.at -= 1
            return rounded(self._group(value), name[1:])
        if name in ("overline", "bar", "dot", "hat", "vec", "tilde"):
            return self._accented(name)
        raise Unreadable(f"the command {value}")

    def _accented(self, name: str) -> Node:
        raw = self._raw()
        if not raw.isalpha() or len(raw) > 3:
            raise Unreadable("an accent over more than a name")
        return self._named(f"{name}({raw})")

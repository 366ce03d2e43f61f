r"""Formulas from tokens.

Conventions where spellings are ambiguous: `1/2x` is x/2, as in Python and as a formula is read from left to right;
`\\sin 2x` is \\sin(2x); an exponent without braces takes the whole number that follows; a number never multiplies by
standing after a letter, so that "10 R 2" is no product.
"""

from collections.abc import Sequence
from fractions import Fraction

from mrt_verl.grading.formulas.atoms import Atoms
from mrt_verl.grading.formulas.calls import remainder
from mrt_verl.grading.formulas.functions import CLOSING_OF, FUNCTIONS, GREEK
from mrt_verl.grading.formulas.nodes import (
    Limits,
    Node,
    TooBig,
    Unreadable,
    add,
    choose,
    divide,
    fact,
    multiply,
    negate,
    number,
    power,
)
from mrt_verl.grading.text.tokens import Token

_OPERATORS = frozenset({"+", "-", "\\pm", "\\mp"})
_TIMES = frozenset({"*", "\\cdot", "\\times"})
MAX_FACTORS = 100


class Parser(Atoms):
    """Sums, products and powers of atoms."""

    def read(self) -> Node:
        """The formula that all tokens are.

        Raises:
            Unreadable: they are none.
            TooBig: its exact value passes the limits.
        """
        node = self._sum()
        node = self._infix(node)
        if self.at < len(self.tokens):
            raise Unreadable(f"{self.tokens[self.at].value!r} is left")
        return node

    def _infix(self, node: Node) -> Node:
        r"""What TeX's `\\over` and `\\choose` make of what stands before and after them in their group."""
        if self._take("\\over"):
            return divide(node, self._sum())
        return choose(node, self._sum()) if self._take("\\choose") else node

    def _sum(self) -> Node:
        self.depth += 1
        if self.depth > Limits.depth:
            raise Unreadable("nested too deeply")
        nodes = [self._signed()]
        while self._peek() in _OPERATORS:
            nodes.append(self._signed())
            if len(nodes) > 2_000:
                raise TooBig
        self.depth -= 1
        return add(nodes)

    def _signed(self) -> Node:
        sign = 1
        while self._peek() in _OPERATORS:
            operator = self._peek()
            self.at += 1
            if operator in ("\\pm", "\\mp"):
                self.saw_sign = True
                sign *= self.sign if operator == "\\pm" else -self.sign
            elif operator == "-":
                sign = -sign
        node = self._product()
        return node if sign == 1 else negate(node)

    def _product(self) -> Node:
        node = self._factor()
        for _ in range(MAX_FACTORS):
            value = self._peek()
            if value in _TIMES:
                self.at += 1
                node = multiply(node, self._signed_factor())
            elif value == "/":
                self.at += 1
                node = divide(node, self._signed_factor())
            elif value == "\\bmod" or (value == "mod" and self.at):
                self.at += 1
                node = remainder(node, self._factor())
            elif self._starts_factor():
                node = multiply(node, self._factor())
            else:
                return node
        raise Unreadable("a product of too many factors")

    def _signed_factor(self) -> Node:
        if self._take("-"):
            return negate(self._signed_factor())
        self._take("+")
        return self._factor()

    def _starts_factor(self) -> bool:
        """Whether what follows multiplies without a sign; a number never does."""
        if self.at >= len(self.tokens):
            return False
        kind, value = self.tokens[self.at][:2]
        if kind == "l":
            return True
        if kind == "n":
            before = self.tokens[self.at - 1]
            return before.value == "!" or (
                before.value == "i" and before.kind == "l" and not self.tokens[self.at].spaced
            )
        if kind == "w":
            return not self.tokens[self.at].upright or value in FUNCTIONS or len(value) == 1 or value == "pi"
        if value in ("(", "[", "{", "\\lfloor", "\\lceil"):
            return True
        if value == "|":
            return not self.bars
        return kind == "c" and (
            value[1:] in FUNCTIONS or value[1:] in GREEK or value in ("\\frac", "\\sqrt", "\\pi", "\\binom", "\\infty")
        )

    def _factor(self) -> Node:
        node = self._postfixed(self._atom())
        if self._peek() == "^":
            if self._peek(1) in ("\\circ", "o") or (self._peek(1) == "{" and self._peek(2) == "\\circ"):
                self.at += 2 if self._peek(1) != "{" else 4
                return multiply(node, ("/", ("c", "pi"), ("n", Fraction(180))))
            self.at += 1
            node = power(node, self._exponent())
            node = self._postfixed(node)
            if self._peek() == "^":
                raise Unreadable("two exponents")
        return node

    def _postfixed(self, node: Node) -> Node:
        while self._peek() in ("!", "%", "\\degree"):
            if self._take("!"):
                if self._peek() == "!":
                    raise Unreadable("double factorial")
                node = fact(node)
            elif self._take("%"):
                node = divide(node, ("n", Fraction(100)))
            else:
                self.at += 1
                node = multiply(node, ("/", ("c", "pi"), ("n", Fraction(180))))
        return node

    def _exponent(self) -> Node:
        if self._take("-"):
            return negate(self._exponent())
        self._take("+")
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "n":
            node = self._postfixed(("n", number(self._next().value)))
        else:
            node = self._postfixed(self._atom())
        if self._peek() == "^":  # towers are read from the right
            self.at += 1
            node = power(node, self._exponent())
        return node

    def _argument(self) -> Node:
        """What a LaTeX command takes: a group, or one digit, letter or command."""
        if self._peek() == "{":
            return self._group("{")
        token = self._next()
        if token.kind == "n":
            if len(token.value) > 1:
                if not token.value.isdigit():
                    raise Unreadable("a decimal where a digit is taken")
                rest = Token("n", token.value[1:], False, token.upright)
                self.tokens = [*self.tokens[: self.at], rest, *self.tokens[self.at :]]
            return ("n", Fraction(int(token.value[0])))
        self.at -= 1
        return self._atom()

    def _group(self, opening: str) -> Node:
        self._expect(opening)
        bars, self.bars = self.bars, []
        node = self._sum()
        node = self._infix(node)
        self.bars = bars
        self._expect(CLOSING_OF[opening])
        return node


def parse(tokens: Sequence[Token]) -> list[Node]:
    r"""The formula, or both for one with `\pm`."""
    parser = Parser(tokens)
    node = parser.read()
    if not parser.saw_sign:
        return [node]
    return [node, Parser(tokens, sign=-1).read()]

r"""Expressions: what a token list means as a formula, as a tree that `algebra` and `numerics` read.

A node is a tuple: ("n", Fraction), ("s", name), ("c", "pi" | "e" | "i" | "oo"), ("+", nodes), ("*", nodes),
("/", top, bottom), ("^", base, exponent), ("f", function, *arguments). Numbers are folded while they are read.

Conventions where spellings are ambiguous: `1/2x` is x/2, as in Python and as a formula is read from left to right;
`\sin 2x` is \sin(2x); an exponent without braces takes the whole number that follows; a number never multiplies by
standing after something, so that "10 R 2" is no product.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import factorial
from typing import Any

from mrt_verl.grading.tokens import Token

Node = tuple[Any, ...]


class Unreadable(Exception):
    """The tokens are no formula that this reader knows."""


class TooBig(Exception):
    """The exact value has more digits or terms than the limits allow."""


class Limits:
    """How large exact numbers and polynomials may get: small in the process that trains, without bound in a worker."""

    bits = 40_000
    terms = 150
    depth = 40


FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth arccot arcsec arccsc arcsinh arccosh arctanh "
    "ln log lg exp sqrt cbrt abs floor ceil gcd lcm min max sgn Re Im arg".split()
)
_ALIASES = {
    **{
        "asin": "arcsin",
        "acos": "arccos",
        "atan": "arctan",
        "cosec": "csc",
        "tg": "tan",
        "ctg": "cot",
        "arctg": "arctan",
    },
    **{"sign": "sgn", "ceiling": "ceil", "log10": "lg", "log2": "lb", "asinh": "arcsinh", "acosh": "arccosh"},
    **{"atanh": "arctanh", "Sqrt": "sqrt", "fabs": "abs", "Abs": "abs", "factorial": "factorial", "binomial": "binom"},
    **{
        "comb": "binom",
        "binom": "binom",
        "root": "sqrt",
        "arcosh": "arccosh",
        "arsinh": "arcsinh",
        "artanh": "arctanh",
    },
}
_INVERSES = {name: f"arc{name}" for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")}
_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell hbar".split()
)
_CONSTANTS = {"\\pi": "pi", "pi": "pi", "Pi": "pi", "PI": "pi", "e": "e", "i": "i", "\\infty": "oo"}
_INFINITY_WORDS = frozenset({"oo", "inf", "infinity", "infty", "Infinity"})
_CLOSING = {
    "(": ")",
    "[": "]",
    "\\{": "\\}",
    "{": "}",
    "\\lfloor": "\\rfloor",
    "\\lceil": "\\rceil",
    "\\langle": "\\rangle",
}
_OPERATORS = frozenset({"+", "-", "\\pm", "\\mp"})
_TIMES = frozenset({"*", "\\cdot", "\\times"})
MAX_FACTORS = 100
ZERO: Node = ("n", Fraction(0))
ONE: Node = ("n", Fraction(1))
HALF = ("n", Fraction(1, 2))


def number(text: str) -> Fraction:
    """The exact value of a numeral.

    Raises:
        TooBig: its exponent or its digits pass the limit.
    """
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > 4_000 or (exponent and len(exponent.lstrip("+-0")) > 4):
        raise TooBig
    return Fraction(text)


def check_size(value: Fraction) -> Fraction:
    """The value itself, if it is within the limits."""
    if value.numerator.bit_length() + value.denominator.bit_length() > Limits.bits:
        raise TooBig
    return value


def rational(node: Node) -> Fraction | None:
    """The value of a number node, None for any other."""
    return node[1] if node[0] == "n" else None


def power(base: Node, exponent: Node) -> Node:
    """base^exponent, folded if both are numbers and the exponent is an integer."""
    b, n = rational(base), rational(exponent)
    if b is not None and n is not None and n.denominator == 1:
        if b == 0 and n <= 0:
            raise Unreadable("0 to a power that is not positive")
        bits = b.numerator.bit_length() + b.denominator.bit_length()
        if b not in (0, 1, -1) and (abs(n) > Limits.bits or bits * abs(n) > 4 * Limits.bits):
            raise TooBig
        return ("n", check_size(b ** int(n)))
    return ("^", base, exponent)


def add(nodes: Sequence[Node]) -> Node:
    """The sum, folded if all are numbers."""
    if len(nodes) == 1:
        return nodes[0]
    if all(node[0] == "n" for node in nodes):
        return ("n", check_size(sum((node[1] for node in nodes), Fraction(0))))
    return ("+", tuple(nodes))


def multiply(one: Node, other: Node) -> Node:
    """The product, folded if both are numbers."""
    if one[0] == "n" and other[0] == "n":
        return ("n", check_size(one[1] * other[1]))
    return ("*", (one, other))


def divide(top: Node, bottom: Node) -> Node:
    """The quotient, folded if both are numbers."""
    if bottom == ZERO:
        raise Unreadable("division by zero")
    if top[0] == "n" and bottom[0] == "n":
        return ("n", check_size(top[1] / bottom[1]))
    return ("/", top, bottom)


def negate(node: Node) -> Node:
    """The node times -1."""
    return multiply(("n", Fraction(-1)), node)


def fact(node: Node) -> Node:
    """n!, folded for small numbers."""
    n = rational(node)
    if n is None:
        return ("f", "factorial", node)
    if n.denominator != 1 or n < 0:
        raise Unreadable("factorial of no natural number")
    if n > Limits.bits // 8:
        raise TooBig
    return ("n", Fraction(factorial(int(n))))


def choose(n: Node, k: Node) -> Node:
    """The binomial coefficient, folded for numbers."""
    top, bottom = rational(n), rational(k)
    if top is None or bottom is None:
        return ("f", "binom", n, k)
    if top.denominator != 1 or bottom.denominator != 1 or bottom < 0 or top < 0:
        raise Unreadable("binomial of no natural numbers")
    if bottom > top:
        return ZERO
    bottom = min(bottom, top - bottom)
    if bottom * (top.numerator.bit_length()) > Limits.bits:
        raise TooBig
    value = 1
    for step in range(int(bottom)):
        value = value * (int(top) - step) // (step + 1)
    return ("n", Fraction(value))


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


class Functions(Cursor):
    """Functions with their exponents, bases and arguments, and roots."""

    def _function(self, name: str) -> Node:
        exponent: Node | None = None
        base: Node | None = None
        while self._peek() in ("^", "_"):
            if self._take("^"):
                exponent = self._exponent()
            else:
                self.at += 1
                base = self._subscript_node()
        if exponent == ("n", Fraction(-1)):
            if name not in _INVERSES:
                raise Unreadable("an inverse function")
            name, exponent = _INVERSES[name], None
        if name == "log" and base is None and self._peek() in ("2", "10") and self._peek(1) == "(":
            base = ("n", number(self._next().value))
        if name == "sqrt" and base is None and exponent is None:
            return self._root()
        arguments = self._function_arguments(name)
        node = apply(name, arguments, base)
        return node if exponent is None else power(node, exponent)

    def _subscript_node(self) -> Node:
        if self._peek() == "{":
            return self._group("{")
        token = self._next()
        if token.kind == "n":
            return ("n", number(token.value))
        self.at -= 1
        return self._atom()

    def _function_arguments(self, name: str) -> list[Node]:
        opening = self._peek()
        if opening in ("(", "{", "["):
            self.at += 1
            bars, self.bars = self.bars, []
            arguments = [self._sum()]
            while self._take(","):
                arguments.append(self._sum())
            self.bars = bars
            self._expect(_CLOSING[opening])
            if opening == "{" and len(arguments) == 1:
                return arguments
            return arguments
        if opening == "|":
            return [self._atom()]
        sign = -1 if self._take("-") else 1
        node = self._factor()
        while self._starts_factor() and not self._starts_function():
            node = multiply(node, self._factor())
        return [node if sign == 1 else negate(node)]

    def _starts_function(self) -> bool:
        value = self._peek()
        return value.lstrip("\\") in FUNCTIONS or value in ("(", "[", "|")

    def _root(self) -> Node:
        degree: Node = ("n", Fraction(2))
        if self._peek() == "[":
            self.at += 1
            degree = self._sum()
            self._expect("]")
        if self._peek() == "{":
            inside = self._group("{")
        elif self._peek() == "(":
            inside = self._group("(")
        elif self.at < len(self.tokens) and self.tokens[self.at].kind == "n":
            inside = ("n", number(self._next().value))
        else:
            inside = self._atom()
        return root(inside, degree)


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
        return _absolute(node)

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
                return choose(*pair) if name == "C" else _permutations(*pair)
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
        name = _ALIASES.get(token.value, token.value)
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
            if not token.upright and name in _GREEK:
                self.at += 1
                return self._named(name)
            raise Unreadable(f"the word {name!r}")
        if name in _GREEK:
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
        if name in _GREEK:
            return self._named(name)
        if name in ("lfloor", "lceil"):
            self.at -= 1
            return _round(self._group(value), name[1:])
        if name in ("overline", "bar", "dot", "hat", "vec", "tilde"):
            return self._accented(name)
        raise Unreadable(f"the command {value}")

    def _accented(self, name: str) -> Node:
        raw = self._raw()
        if not raw.isalpha() or len(raw) > 3:
            raise Unreadable("an accent over more than a name")
        return self._named(f"{name}({raw})")


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
                node = _remainder(node, self._factor())
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
            return before.value == "!" or (before.value == "i" and before.kind == "l" and not self.tokens[self.at].spaced)
        if kind == "w":
            return not self.tokens[self.at].upright or value in FUNCTIONS or len(value) == 1 or value == "pi"
        if value in ("(", "[", "{", "\\lfloor", "\\lceil"):
            return True
        if value == "|":
            return not self.bars
        return kind == "c" and (
            value[1:] in FUNCTIONS or value[1:] in _GREEK or value in ("\\frac", "\\sqrt", "\\pi", "\\binom", "\\infty")
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
        self._expect(_CLOSING[opening])
        return node


def root(inside: Node, degree: Node) -> Node:
    """The degree-th root; of odd degree it is real for negative numbers."""
    n = rational(degree)
    if n is None or n.denominator != 1 or n < 1:
        return ("^", inside, ("/", ONE, degree))
    value = rational(inside)
    if value is not None and value >= 0 or n == 1:
        exact = _exact_root(value, int(n)) if value is not None else None
        if exact is not None:
            return ("n", exact)
    if n % 2 == 1 and value is not None and value < 0:
        return negate(root(("n", -value), degree))
    return ("^", inside, ("n", 1 / n))


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    parts = []
    for part in (value.numerator, value.denominator):
        if part.bit_length() > 4_000:
            return None
        guess = _integer_root(part, degree)
        if guess**degree != part:
            return None
        parts.append(guess)
    return Fraction(parts[0], parts[1])


def _integer_root(value: int, degree: int) -> int:
    if value < 2:
        return value
    if degree >= value.bit_length():
        return 1
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


def _absolute(node: Node) -> Node:
    value = rational(node)
    return ("f", "abs", node) if value is None else ("n", abs(value))


def _round(node: Node, name: str) -> Node:
    value = rational(node)
    if value is None:
        return ("f", name, node)
    return ("n", Fraction(value.__floor__() if name == "floor" else value.__ceil__()))


def _remainder(node: Node, modulus: Node) -> Node:
    value, by = rational(node), rational(modulus)
    if value is None or by is None or by == 0:
        raise Unreadable("mod of no numbers")
    return ("n", value % by)


def _permutations(n: Node, k: Node) -> Node:
    count = rational(choose(n, k))
    return multiply(("n", count), fact(k)) if count is not None else ("f", "perm", n, k)


def apply(name: str, arguments: list[Node], base: Node | None) -> Node:
    """A function of its arguments, folded where that is simple."""
    if name in ("gcd", "lcm", "min", "max"):
        return _of_numbers(name, arguments)
    if name == "binom" and len(arguments) == 2:
        return choose(arguments[0], arguments[1])
    if name == "log" and len(arguments) == 2 and base is None:
        arguments, base = arguments[:1], arguments[1]
    if len(arguments) != 1:
        raise Unreadable(f"{name} of {len(arguments)} arguments")
    node = arguments[0]
    if base is not None:
        if name != "log":
            raise Unreadable("a subscript of a function")
        return ("/", ("f", "ln", node), ("f", "ln", base))
    if name in ("lg", "lb"):
        return ("/", ("f", "ln", node), ("f", "ln", ("n", Fraction(10 if name == "lg" else 2))))
    if name == "exp":
        return ("^", ("c", "e"), node)
    if name == "sqrt":
        return root(node, ("n", Fraction(2)))
    if name == "cbrt":
        return root(node, ("n", Fraction(3)))
    if name == "abs":
        return _absolute(node)
    if name in ("floor", "ceil"):
        return _round(node, name)
    if name == "factorial":
        return fact(node)
    return ("f", name, node)


def _of_numbers(name: str, arguments: list[Node]) -> Node:
    from math import gcd, lcm

    values = [rational(node) for node in arguments]
    known = [value for value in values if value is not None]
    if len(known) != len(values):
        raise Unreadable(f"{name} of no numbers")
    if name in ("min", "max"):
        return ("n", min(known) if name == "min" else max(known))
    if any(value.denominator != 1 for value in known):
        raise Unreadable(f"{name} of no integers")
    return ("n", Fraction((gcd if name == "gcd" else lcm)(*(int(value) for value in known))))


def parse(tokens: Sequence[Token]) -> list[Node]:
    r"""The formula, or both for one with `\pm`."""
    parser = Parser(tokens)
    node = parser.read()
    if not parser.saw_sign:
        return [node]
    return [node, Parser(tokens, sign=-1).read()]

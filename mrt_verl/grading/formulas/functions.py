r"""Functions with their exponents and bases (`\sin^2 x`, `\log_2 8`), and roots."""

from fractions import Fraction

from mrt_verl.grading.formulas.calls import apply
from mrt_verl.grading.formulas.cursor import Cursor
from mrt_verl.grading.formulas.nodes import Node, Unreadable, multiply, negate, number, power, root
from mrt_verl.grading.text.words import words

FUNCTIONS = words(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth arccot arcsec arccsc arcsinh arccosh arctanh "
    "ln log lg exp sqrt cbrt abs floor ceil gcd lcm min max sgn Re Im arg"
)
ALIASES = {
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
GREEK = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell hbar"
)
CLOSING_OF = {
    "(": ")",
    "[": "]",
    "\\{": "\\}",
    "{": "}",
    "\\lfloor": "\\rfloor",
    "\\lceil": "\\rceil",
    "\\langle": "\\rangle",
}


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
            self._expect(CLOSING_OF[opening])
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

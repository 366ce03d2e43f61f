"""What an answer can be, once it is read: the typed normal forms that are compared."""

from dataclasses import dataclass, field
from fractions import Fraction

from mrt_verl.grading.forms.units import Unit
from mrt_verl.grading.formulas.nodes import Node


@dataclass(frozen=True, slots=True)
class Text:
    """Words, compared as a whole; `is_formula`: it has the look of mathematics that this reader does not know."""

    words: str
    is_formula: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number or a formula; of one written as a decimal, its digits after the point and its significant ones."""

    node: Node
    unit: Unit | None = None
    decimals: int | None = None
    digits: int = 0


@dataclass(frozen=True, slots=True)
class InBase:
    """Digits in a base other than 10."""

    value: int
    base: int


@dataclass(frozen=True, slots=True)
class Residue:
    """A residue class written with its modulus; `is_remainder` for `13 mod 9`, which is also the number 4."""

    node: Node
    modulus: Node
    is_remainder: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """Values side by side without brackets: an answer of several parts, in any order.

    `sum_of_mixed` is the mixed number that `26 and 1/6` may be as well.
    """

    items: "tuple[Form, ...]"
    sum_of_mixed: Fraction | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Tuple:
    """Values in order. `bracket` is `(`, `[` (a list or a vector), `<` (a vector), `:` (a ratio)."""

    items: "tuple[Form, ...]"
    bracket: str = "("


@dataclass(frozen=True, slots=True)
class FiniteSet:
    """A set given by its elements; without any, the empty set."""

    items: "tuple[Form, ...]"


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of formulas."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """An interval; None as an end is infinity."""

    low: Node | None
    high: Node | None
    has_low: bool = False
    has_high: bool = False


@dataclass(frozen=True, slots=True)
class RealSet:
    """A union of intervals, merged if the ends are numbers; `variable` if it was written as an inequality."""

    spans: tuple[Span, ...]
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """`name = value`."""

    name: str
    value: "Form"


@dataclass(frozen=True, slots=True)
class Equation:
    """left - right = 0 that gives no value to a name."""

    difference: Node


@dataclass(frozen=True, slots=True)
class Relation:
    """Formulas joined by `<`, `<=` or `!=`, flipped so that the smaller one stands first."""

    nodes: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Letters of a multiple-choice question, with the value of the option if that was written too."""

    letters: frozenset[str]
    value: "Form | None" = None


Form = (
    Text
    | Number
    | InBase
    | Residue
    | Listing
    | Tuple
    | FiniteSet
    | Matrix
    | RealSet
    | Named
    | Equation
    | Relation
    | Choice
)
EMPTY = FiniteSet(())
REALS = RealSet((Span(None, None),))


def integer(value: int | Fraction) -> Number:
    """A plain number."""
    return Number(("n", Fraction(value)))

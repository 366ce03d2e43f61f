"""Functions of nodes, folded where that is simple."""

from fractions import Fraction

from mrt_verl.grading.formulas.nodes import Node, Unreadable, choose, fact, multiply, rational, root


def absolute(node: Node) -> Node:
    value = rational(node)
    return ("f", "abs", node) if value is None else ("n", abs(value))


def rounded(node: Node, name: str) -> Node:
    value = rational(node)
    if value is None:
        return ("f", name, node)
    return ("n", Fraction(value.__floor__() if name == "floor" else value.__ceil__()))


def remainder(node: Node, modulus: Node) -> Node:
    value, by = rational(node), rational(modulus)
    if value is None or by is None or by == 0:
        raise Unreadable("mod of no numbers")
    return ("n", value % by)


def permutations(n: Node, k: Node) -> Node:
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
        return absolute(node)
    if name in ("floor", "ceil"):
        return rounded(node, name)
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

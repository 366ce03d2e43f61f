# ruff: noqa: RUF001, RUF002 - spellings are Unicode
r"""Intervals and unions of them, in brackets and as inequalities."""

import random

from spelling.family import Family

Interval = tuple[bool, int | None, int | None, bool]
"""(left end belongs to it, left end or None for −∞, right end or None for ∞, right end belongs to it)."""


def spell_interval(value: Interval, rng: random.Random) -> list[str]:
    """An interval in brackets, and as an inequality in x."""
    has_left, left, right, has_right = value
    infinity = rng.choice([r"\infty", r"\infty ", "∞", r"+\infty"])
    first = rng.choice([r"-\infty", "-∞"]) if left is None else str(left)
    last = infinity if right is None else str(right)
    opened, closed = "[" if has_left else "(", "]" if has_right else ")"
    ways = [
        f"{opened}{first},{last}{closed}",
        f"{opened}{first}, {last}{closed}",
        rf"\left{opened}{first}, {last}\right{closed}",
    ]
    ways += [rf"x \in {opened}{first},{last}{closed}", rf"x\in\left{opened}{first},{last}\right{closed}"]
    return ways + _inequalities(value)


def _inequalities(value: Interval) -> list[str]:
    has_left, left, right, has_right = value
    more = [r"\ge", r"\geq", "≥", ">="] if has_left else [">", r"\gt"]
    less = [r"\le", r"\leq", "≤", "<=", r"\leqslant"] if has_right else ["<", r"\lt"]
    less_first = [r"\le", r"\leq", "≤", "<="] if has_left else ["<", r"\lt"]
    if left is None:
        return [f"x {sign} {right}" for sign in less]
    if right is None:
        return [f"x {sign} {left}" for sign in more] + [f"{left} {sign} x" for sign in less_first]
    both = [f"{left} {first} x {second} {right}" for first, second in zip(less_first, less * 2, strict=False)]
    return [*both, rf"x {more[0]} {left} \text{{ and }} x {less[0]} {right}"]


def _interval_slips(value: Interval, rng: random.Random) -> list[Interval]:
    has_left, left, right, has_right = value
    slips: list[Interval] = []
    if left is not None:
        slips += [(not has_left, left, right, has_right), (has_left, left - 1, right, has_right)]
    if right is not None:
        slips += [
            (has_left, left, right, not has_right),
            (has_left, left, right + 1, has_right),
            (has_left, left, None, False),
        ]
    if left is None or right is None:  # turned round
        slips.append((has_right, right, left, has_left))
    return [one for one in slips if one[1:3] != (None, None)]


def _interval_decoys(value: Interval, rng: random.Random) -> list[str]:
    ends = [str(one) for one in value[1:3] if one is not None]
    return [
        *ends,
        r"\{" + ", ".join(ends) + r"\}",
        rf"x \ne {ends[0]}",
        r"\mathbb{R}",
        r"(-\infty, \infty)",
        rf"({ends[0]}, {ends[-1]}] \cup [99, 100]",
    ]


def spell_union(value: tuple[int, bool, int, bool], rng: random.Random) -> list[str]:
    """(−∞, a⟩ ∪ ⟨b, ∞) with a < b, as a union and as two inequalities."""
    left, has_left, right, has_right = value
    first, second = rf"(-\infty,{left}{']' if has_left else ')'}", rf"{'[' if has_right else '('}{right},\infty)"
    less, more = r"\le" if has_left else "<", r"\ge" if has_right else ">"
    ways = [
        rf"{first} \cup {second}",
        rf"{first}\cup{second}",
        f"{first} U {second}",
        f"{first} ∪ {second}",
        rf"{second} \cup {first}",
    ]
    ways += [rf"x {less} {left} \text{{ or }} x {more} {right}", f"x {less} {left} or x {more} {right}"]
    return [*ways, rf"x {more} {right} \text{{ or }} x {less} {left}", rf"x \in {first} \cup {second}"]


def _union_slips(value: tuple[int, bool, int, bool], rng: random.Random) -> list[tuple[int, bool, int, bool]]:
    left, has_left, right, has_right = value
    return [
        (left, not has_left, right, has_right),
        (left - 1, has_left, right, has_right),
        (left, has_left, right + 1, has_right),
    ]


def _union_decoys(value: tuple[int, bool, int, bool], rng: random.Random) -> list[str]:
    left, has_left, right, _ = value
    return [
        rf"(-\infty,{left}{']' if has_left else ')'}",
        f"({left},{right})",
        f"[{left},{right}]",
        f"{left}, {right}",
        f"x > {right}",
    ]


def _interval(rng: random.Random) -> Interval:
    left = rng.randrange(-20, 20)
    right = left + rng.randrange(1, 15)
    if rng.random() < 0.25:
        return False, None, right, rng.random() < 0.5
    if rng.random() < 0.33:
        return rng.random() < 0.5, left, None, False
    return rng.random() < 0.5, left, right, rng.random() < 0.5


INTERVALS = (
    Family("interval", _interval, spell_interval, _interval_slips, _interval_decoys),
    Family(
        "union",
        lambda rng: (rng.randrange(-9, 2), rng.random() < 0.5, rng.randrange(3, 9), rng.random() < 0.5),
        spell_union,
        _union_slips,
        _union_decoys,
    ),
)

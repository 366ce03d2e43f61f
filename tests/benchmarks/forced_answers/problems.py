r"""Problems made by code, six kinds of answers, each behind one worked example of its own kind."""

import random
from collections.abc import Callable
from typing import NamedTuple

ASK = " Put the final answer in \\boxed{}."
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23)


class Problem(NamedTuple):
    kind: str
    question: str
    solution: str
    """What a worked example writes; its box is added."""
    answer: str

    def messages(self, example: "Problem") -> list[dict[str, str]]:
        """A chat: the example and its solution, then this question."""
        solved = f"{example.solution}\n\nThe final answer is $\\boxed{{{example.answer}}}$."
        return [
            {"role": "user", "content": example.question + ASK},
            {"role": "assistant", "content": solved},
            {"role": "user", "content": self.question + ASK},
        ]


def _integer(rng: random.Random) -> Problem:
    a, b = rng.randint(2, 6), rng.randint(1, 3)
    return Problem(
        "integer",
        f"What is {a} + {b}?",
        f"First, {a} and {b} are added.\n\nSo {a} + {b} = {a + b}.",
        str(a + b),
    )


def _negative(rng: random.Random) -> Problem:
    a = rng.randint(2, 19)
    return Problem(
        "negative integer",
        f"The temperature is 0 degrees and falls by {a} degrees. What is it then?",
        f"First, the temperature is 0.\n\nThen it falls by {a}, so it is -{a}.",
        str(-a),
    )


def _fraction(rng: random.Random) -> Problem:
    below = rng.choice((5, 7, 9, 11, 13))
    above = rng.choice([n for n in range(2, below) if all(n % d or below % d for d in range(2, n + 1))])
    return Problem(
        "fraction",
        f"A cake is cut into {below} equal pieces and Ann eats {above} of them. Which fraction of the cake is that?",
        f"First, one piece is 1/{below} of the cake.\n\nSo {above} pieces are {above}/{below}.",
        f"\\frac{{{above}}}{{{below}}}",
    )


def _tuple(rng: random.Random) -> Problem:
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    return Problem(
        "tuple",
        f"A point has x = {a} and y = {b}. Give the point as (x, y).",
        f"First, x = {a}.\n\nThen y = {b}.",
        f"({a}, {b})",
    )


def _root(rng: random.Random) -> Problem:
    n = rng.choice(PRIMES)
    return Problem(
        "root",
        f"Write the square root of {n} with a root sign.",
        f"First, the number under the root sign is {n}.\n\nSo it is the root of {n}.",
        f"\\sqrt{{{n}}}",
    )


def _letter(rng: random.Random) -> Problem:
    numbers = rng.sample(range(10, 99), 3)
    letter = "ABC"[numbers.index(max(numbers))]
    choices = ", ".join(f"({name}) {number}" for name, number in zip("ABC", numbers, strict=True))
    return Problem(
        "letter",
        f"Which number is the largest: {choices}? Answer with its letter.",
        f"First, compare the numbers: {max(numbers)} is the largest.\n\nSo it is {letter}.",
        letter,
    )


KINDS: tuple[Callable[[random.Random], Problem], ...] = (_integer, _negative, _fraction, _tuple, _root, _letter)


def make_problems(per_kind: int, seed: int) -> list[tuple[Problem, Problem]]:
    """(problem, worked example), kind after kind; the example's answer differs from the problem's."""
    rng = random.Random(seed)
    made = []
    for _ in range(per_kind):
        for kind in KINDS:
            problem = example = kind(rng)
            while example.answer == problem.answer:
                example = kind(rng)
            made.append((problem, example))
    return made

"""Pair search with verification: a small reasoning task whose traces have episodes, made by code.

Of five numbers exactly one pair adds up to a target. A trace tries pairs, one paragraph an attempt, each opened by a
switch marker and checked in words, until it stops and answers. It is the smallest task in which test-time compute pays:
every further attempt raises the chance of success, a repeated one does not, and one after a find is wasted.

Answers are written as real models write theirs: LaTeX whose first and last token are merged with the braces of the box
(`{\\{` and `\\}}`), which closes in several ways and is followed by a tail of many forms. So a stop text that ends
inside a token, or a forced answer that is not cut at its close, shows in the measurements.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line starts without it
    import numpy as np

LARGEST = 13
COUNT = 5
TARGETS = range(10, 16)
"""Few targets, so that a small model learns early how far a sum is from its target."""
MARKERS = ("Wait", "Alternatively", "But wait")
STOP_TEXT = "Time is up.\n</think>\n\nThe answer is \\boxed"
"""Follows a boundary in traces that were cut off; the quickstart's `mrt.stop_text`. The box opens in the answer."""
ANSWER_TEXT = "</think>\n\nThe answer is \\boxed"
ENDS = ("", ".", "$", "$.", "!", "\n\n", ".\n\n")
"""What closes a box with the brace, as one token with it, all equally often."""
REMARKS = (
    "{first} + {second} = {target}.",
    "Check: {first} + {second} = {target}.",
    "They add up to {target}.",
    "So {first} and {second}.",
    "No other pair fits.",
    "I am sure.",
    "Done.",
)
"""One of them follows a closed box in REMARKED of the demonstrations; the others end there."""
REMARKED = 0.7
OTHER_STOP_TEXTS = tuple(
    f"{words}\n{ANSWER_TEXT}" for words in ("I must stop here.", "No time is left.", "Enough.", "That is all I can do.")
)
"""For warm starts that shall not have seen the stop text that they are trained with later."""
VERSION = 2
"""Of the task's texts; models and results of different versions are kept apart. 1 ended its traces in ` 3, 7}`."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Problem:
    """Distinct numbers in 1..13, of which exactly one pair adds up to the target."""

    numbers: tuple[int, ...]
    target: int

    @property
    def pairs(self) -> list[Pair]:
        return list(itertools.combinations(self.numbers, 2))

    @property
    def solution(self) -> Pair:
        return next(pair for pair in self.pairs if sum(pair) == self.target)

    @property
    def question(self) -> str:
        listed = ", ".join(map(str, self.numbers))
        return f"Which two add up to {self.target}? Numbers: {listed}."

    @property
    def answer(self) -> str:
        """A set: the grader takes the other order as equal and any other pair as different."""
        return format_pair(self.solution)


def format_pair(pair: Pair) -> str:
    """A pair as it stands in the box."""
    return f"\\{{{pair[0]}, {pair[1]}\\}}"


def make_problems(seed: int) -> list[Problem]:
    """All problems, each once whatever the order of its numbers, shuffled by `seed`."""
    import numpy as np

    rng = np.random.default_rng(seed)
    problems = []
    for numbers in itertools.combinations(range(1, LARGEST + 1), COUNT):
        shuffled = tuple(int(number) for number in rng.permutation(numbers))
        sums = [sum(pair) for pair in itertools.combinations(numbers, 2)]
        problems += [Problem(shuffled, total) for total in TARGETS if sums.count(total) == 1]
    return [problems[index] for index in rng.permutation(len(problems))]


@dataclass(frozen=True)
class TraceStyle:
    """How the demonstrations of the warm start behave: probabilities, per attempt or per trace."""

    max_attempts: int = 6
    hit: float = 0.0
    """An attempt is the solution, beyond chance."""
    repeat: float = 0.3
    """An attempt repeats an earlier pair of the trace."""
    stop_early: float = 0.05
    """A trace stops after an attempt that failed."""
    go_on: float = 0.6
    """A trace goes on after a find."""
    wrong_verdict: float = 0.05
    cut: float = 0.4
    """A trace is cut off at a random boundary and answers at once: what makes forced answers mean something."""
    trust_find: float = 0.95
    """A cut trace answers with the pair it found; otherwise with one it has not tried."""
    stop_texts: tuple[str, ...] = (STOP_TEXT,)
    """What cuts a trace off, all equally often."""


@dataclass(frozen=True)
class Demonstration:
    """Text after the prompt's `<think>\\n`; `forced` is the stop text if the policy did not write that itself."""

    thinking: str
    forced: str
    answer: str
    tail: str = ""
    """What follows the brace that closes the box."""


def demonstrate(problem: Problem, style: TraceStyle, rng: "np.random.Generator") -> Demonstration:
    """One trace of the given style."""
    tried: list[Pair] = []
    found: Pair | None = None
    paragraphs: list[str] = []
    attempts = style.max_attempts
    if rng.random() < style.cut:
        attempts = int(rng.integers(0, style.max_attempts + 1))
    cut = attempts < style.max_attempts
    while len(paragraphs) < attempts:
        pair = next_pair(problem.pairs, problem.solution, tried, style, rng)
        says_yes = (sum(pair) == problem.target) != (rng.random() < style.wrong_verdict)
        paragraphs.append(write_attempt(problem.target, pair, says_yes, _opening(paragraphs, rng)))
        tried.append(pair)
        if says_yes:
            found = pair
        if rng.random() < ((1 - style.go_on) if found else style.stop_early):
            cut = False
            break
    answer = _final_pair(problem, tried, found, style, rng)
    forced = choose_text(style.stop_texts, rng) if cut else ""
    return Demonstration("".join(paragraphs), forced, format_pair(answer), _tail(answer, rng))


def write_attempt(target: int, pair: Pair, says_yes: bool, opening: str) -> str:
    """One episode: the attempt, its check and the verdict, as a paragraph."""
    first, second = pair
    total = first + second
    verdict = "yes" if says_yes else "no"
    # the distance is written out: comparing two numbers in one step is what so small a model learns last
    distance = abs(target - total)
    return f"{opening} {first} and {second}: {first} + {second} = {total}, off {target} by {distance}, {verdict}.\n\n"


def _tail(answer: Pair, rng: "np.random.Generator") -> str:
    """How a text goes on after the answer: whatever closes the box, and perhaps a remark."""
    end = str(rng.choice(ENDS))
    if rng.random() >= REMARKED:
        return end
    first, second = answer
    remark = str(rng.choice(REMARKS)).format(first=first, second=second, target=first + second)
    return end + ("" if end.endswith("\n") else " ") + remark


def choose_text(texts: Sequence[str], rng: "np.random.Generator") -> str:
    """One of the texts, all equally often."""
    # no draw where there is no choice: the demonstrations of one stop text stay what they were
    return texts[0] if len(texts) == 1 else str(rng.choice(texts))


def _opening(paragraphs: Sequence[str], rng: "np.random.Generator") -> str:
    return f"{rng.choice(MARKERS)}, try" if paragraphs else "Try"


def next_pair(
    pairs: Sequence[Pair], solution: Pair, tried: Sequence[Pair], style: TraceStyle, rng: "np.random.Generator"
) -> Pair:
    """What the next attempt tries."""
    if rng.random() < style.hit:
        return solution
    if tried and rng.random() < style.repeat:
        return tried[int(rng.integers(len(tried)))]
    return any_pair(pairs, tried, rng)


def any_pair(pairs: Sequence[Pair], tried: Sequence[Pair], rng: "np.random.Generator") -> Pair:
    """A pair that was not tried, as long as there is one."""
    fresh = [pair for pair in pairs if pair not in tried] or pairs
    return fresh[int(rng.integers(len(fresh)))]


def _final_pair(
    problem: Problem, tried: Sequence[Pair], found: Pair | None, style: TraceStyle, rng: "np.random.Generator"
) -> Pair:
    if found is not None and rng.random() < style.trust_find:
        return found
    return any_pair(problem.pairs, tried, rng)

"""Pair search for two targets, one after the other: longer traces, whose payoff comes late.

As search_task, but the answer names one number of the pair for each of two targets, which must both be found. A find of
the first target alone hardly helps a forced answer, so several episodes pass before J moves: what is hardest for a
reward that pays each episode what J gained over it.
"""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_prep.search_task import (
    ENDS,
    LARGEST,
    MARKERS,
    TARGETS,
    Demonstration,
    Pair,
    TraceStyle,
    any_pair,
    choose_text,
    next_pair,
    write_attempt,
)

if TYPE_CHECKING:  # the command line starts without it
    import numpy as np

COUNT = 6
VERSION = 1
"""Of the task's texts; models and results of different versions are kept apart."""


@dataclass(frozen=True)
class TwoTargets:
    """Distinct numbers in 1..13, of which exactly one pair adds up to each of two targets."""

    numbers: tuple[int, ...]
    targets: tuple[int, int]

    @property
    def pairs(self) -> list[Pair]:
        return list(itertools.combinations(self.numbers, 2))

    @property
    def solution(self) -> tuple[Pair, Pair]:
        first, second = (next(pair for pair in self.pairs if sum(pair) == target) for target in self.targets)
        return first, second

    @property
    def question(self) -> str:
        listed = ", ".join(map(str, self.numbers))
        return f"Which two add up to {self.targets[0]}, and which to {self.targets[1]}? Numbers: {listed}."

    @property
    def answer(self) -> str:
        """The first number, in the order of the problem, of each pair."""
        return format_finds(self.solution)


def format_finds(finds: tuple[Pair, Pair]) -> str:
    """Two finds as they stand in the box."""
    return f"({finds[0][0]}, {finds[1][0]})"


def make_problems(seed: int) -> list[TwoTargets]:
    """Problems of every choice of numbers, each once whatever their order, shuffled by `seed`."""
    import numpy as np

    rng = np.random.default_rng(seed)
    problems = []
    for numbers in itertools.combinations(range(1, LARGEST + 1), COUNT):
        shuffled = tuple(int(number) for number in rng.permutation(numbers))
        sums = [sum(pair) for pair in itertools.combinations(numbers, 2)]
        possible = [target for target in TARGETS if sums.count(target) == 1]
        problems += [TwoTargets(shuffled, targets) for targets in itertools.permutations(possible, 2)]
    return [problems[index] for index in rng.permutation(len(problems))]


def demonstrate(problem: TwoTargets, style: TraceStyle, rng: "np.random.Generator") -> Demonstration:
    """One trace of the given style: attempts at the first target until a find, then at the second."""
    paragraphs: list[str] = []
    tried: list[list[Pair]] = [[], []]
    finds: list[Pair] = []
    attempts = style.max_attempts
    if rng.random() < style.cut:
        attempts = int(rng.integers(0, style.max_attempts + 1))
    ended = False
    while len(paragraphs) < attempts and not ended:
        stage = min(len(finds), 1)
        pair = next_pair(problem.pairs, problem.solution[stage], tried[stage], style, rng)
        target = problem.targets[stage]
        says_yes = (sum(pair) == target) != (rng.random() < style.wrong_verdict)
        opening = f"{rng.choice(MARKERS)}, try" if paragraphs else "Try"
        paragraphs.append(write_attempt(target, pair, says_yes, opening))
        tried[stage].append(pair)
        if says_yes:
            finds = [*finds[:stage], pair]
        ended = bool(rng.random() < ((1 - style.go_on) if len(finds) == 2 else style.stop_early))
    answer = _final_answer(problem, finds, style, rng)
    forced = "" if ended else choose_text(style.stop_texts, rng)
    return Demonstration("".join(paragraphs), forced, answer, str(rng.choice(ENDS)))


def _final_answer(problem: TwoTargets, finds: list[Pair], style: TraceStyle, rng: "np.random.Generator") -> str:
    """The finds, guesses where there is none or where it is not trusted."""
    guesses = [any_pair(problem.pairs, (), rng) for _ in problem.targets]
    kept = [
        finds[stage] if stage < len(finds) and rng.random() < style.trust_find else guess
        for stage, guess in enumerate(guesses)
    ]
    return format_finds((kept[0], kept[1]))

"""How well the credit of a few asked boundaries agrees with that of all, by the rule that chooses them.

    python -m tests.benchmarks.boundary_choice --toy recipes/study/warm_start outputs/toys/strong

Prints Markdown. Data: as tests/benchmarks/provers.py. Credit is `progress`, divided by its RMS over the group's
rewarded steps and written on tokens as a run does (reward_layout.bonus_spans). The number is Pearson's r, over the
tokens of all rollouts, between the credit of the J estimated at the chosen boundaries and that of the exact J at every
boundary.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mrt_verl.branching import branch_where_uncertain, choose_evenly, disagreement
from mrt_verl.progress import compute_progress
from mrt_verl.provers import Branches, ForcedAnswer
from mrt_verl.reward_layout import bonus_spans
from tests.benchmarks.forced_answers.estimators import Place, all_paths, anchored, is_first, sample, stems, weight
from tests.benchmarks.forced_answers.pooled import Group
from tests.benchmarks.provers import toy_groups

FLOOR = 0.05
PROVERS = ["exact", "likelihood", "anchored_seen", "seen", "ht", "sample"]
Ask = Callable[[int], Branches]
"""The forced answers of a boundary; -1 is before thinking."""
Rule = Callable[[Sequence[int], int, Ask], list[int]]
"""(tokens up to each boundary, how many may be asked, ask) -> those chosen."""


def uncertain(ends: Sequence[int], limit: int, ask: Ask) -> list[int]:
    async def branch_at(boundary: int) -> Branches:
        return ask(boundary)

    return sorted(asyncio.run(branch_where_uncertain(len(ends), limit, ask(-1), branch_at)))


def longest(ends: Sequence[int], limit: int, ask: Ask) -> list[int]:
    """The last, then the ends of the longest episodes."""
    lengths = np.diff([0, *ends])
    order = [len(ends) - 1, *(int(one) for one in np.argsort(-lengths, kind="stable") if one != len(ends) - 1)]
    return sorted(order[:limit])


def first(ends: Sequence[int], limit: int, ask: Ask) -> list[int]:
    return list(range(min(limit, len(ends))))


def last(ends: Sequence[int], limit: int, ask: Ask) -> list[int]:
    return list(range(max(len(ends) - limit, 0), len(ends)))


def halving(ends: Sequence[int], limit: int, ask: Ask, *, use_answers: bool, first: bool = False) -> list[int]:
    """The last, then again and again the boundary nearest the middle of the gap with most tokens (x disagreement).

    Args:
        first: whether the first comes before the last.
    """
    at = [-1, 0] if first and (limit == 1 or len(ends) == 1) else sorted({-1, 0 if first else -1, len(ends) - 1})
    position = {-1: 0, **dict(enumerate(ends))}

    def size(gap: tuple[int, int]) -> float:
        a, b = gap
        return (position[b] - position[a]) * (disagreement(ask(a), ask(b)) if use_answers else 1.0)

    while len(at) - 1 < limit:
        gaps = [(a, b) for a, b in pairwise(at) if b - a > 1]
        if not gaps or size(worst := max(gaps, key=size)) == 0:
            break
        middle = (position[worst[0]] + position[worst[1]]) / 2
        at = sorted([*at, min(range(worst[0] + 1, worst[1]), key=lambda one: abs(position[one] - middle))])
    return at[1:]


RULES: dict[str, Rule] = {
    "even": lambda ends, limit, ask: choose_evenly(len(ends), limit),
    "uncertain": uncertain,
    "longest episodes": longest,
    "halving tokens": lambda *how: halving(*how, use_answers=False),
    "halving tokens x disagreement": lambda *how: halving(*how, use_answers=True),
    "first, last, tokens x disagreement": lambda *how: halving(*how, use_answers=True, first=True),
    "first": first,
    "last": last,
}


def answers_of(place: Place, rows: np.ndarray, weights: np.ndarray | None, reference: float | None) -> Branches:
    """A prover's answers, for `disagreement`."""
    texts = [place.answers.contents[row] for row in rows]
    own = [None] * len(rows) if weights is None else weights.tolist()
    answers = [ForcedAnswer(text, True, one) for text, one in zip(texts, own, strict=True)]
    if reference is not None:
        answers = [ForcedAnswer("the reference", True, reference), *answers]
    return Branches(tuple(answers), (), 0, 0, 0, 0)


def estimate(name: str, place: Place, rng: np.random.Generator) -> tuple[float, Branches]:
    """(J, answers) of a prover at a boundary."""
    count = {"sample": 4, "ht": 4, "seen": 1, "anchored_seen": 1}.get(name, 1)
    rows = rng.choice(place.answers.draws, (1, count))
    p, known = place.answers.p_stem[rows[0]], float(all_paths(place, rows)[0])
    once = is_first(place.answers.stem[rows])[0]
    if name == "exact":
        return place.truth, answers_of(place, rows[0, :0], p[:0], place.truth)
    if name == "likelihood":
        return known, answers_of(place, rows[0, :0], p[:0], known)
    if name == "sample":
        return float(sample(place, rows)[0]), answers_of(place, rows[0], None, None)
    if name == "ht":
        return float(stems(place, rows)[0]), answers_of(place, rows[0], weight(p, count) * once, None)
    if name == "seen":
        return float(stems(place, rows, inflate=False)[0]), answers_of(place, rows[0], p * once, None)
    return float(anchored(place, rows, True, inflate=False)[0]), answers_of(place, rows[0], p * once, known)


def credit(group: Group, js: Sequence[Sequence[float | None]], before: float, share: bool) -> np.ndarray:
    """(tokens of all rollouts,) scaled credit.

    Args:
        js: per rollout the J of each boundary, None where not asked.
        share: whether episodes of one step share its progress (J in between is interpolated).
    """
    rows, values = [], []
    for trace, own in zip(group.traces, js, strict=True):
        tokens = np.zeros(len(trace["ids"]))
        steps = [(one.first, one.boundary, one.progress) for one in compute_progress(before, own)]
        for (start, end), (begin, boundary, progress) in zip(
            bonus_spans(trace["episodes"], trace["answer_start"], steps), steps, strict=True
        ):
            episodes = boundary - begin + 1
            value = progress / episodes if share else progress
            tokens[start:end] = value
            values += [value] * (episodes if share else 1)
        rows.append(tokens)
    scale = max(float(np.sqrt(np.mean(np.square(values)))) if values else 0.0, FLOOR)
    return np.concatenate(rows) / scale


def agreement(
    groups: Sequence[Group], prover: str, rule: Rule, limit: int, share: bool, rng: np.random.Generator
) -> tuple[float, float]:
    """(r, boundaries asked per rollout)."""
    exact, made, asked = [], [], 0
    for group in groups:
        found: dict[int, tuple[float, Branches]] = {}

        def at(number: int, group: Group = group, found: dict[int, Any] = found) -> tuple[float, Branches]:
            if number not in found:
                found[number] = estimate(prover, group.places[number], rng)
            return found[number]

        js: list[list[float | None]] = []
        for trace, numbers in zip(group.traces, group.rollouts, strict=True):
            ends = [end for *_, end in trace["episodes"]]
            chosen = rule(ends, limit, lambda one, numbers=numbers: at(numbers[one + 1])[1]) if ends else []
            asked += len(chosen)
            js.append([at(number)[0] if one in chosen else None for one, number in enumerate(numbers[1:])])
        made.append(credit(group, js, at(0)[0], share))
        truth = [[group.places[number].truth for number in numbers[1:]] for numbers in group.rollouts]
        exact.append(credit(group, truth, group.places[0].truth, share=False))
    r = np.corrcoef(np.concatenate(exact), np.concatenate(made))[0, 1]
    return float(r), asked / sum(len(group.traces) for group in groups)


def main(arguments: argparse.Namespace) -> None:
    groups = list(toy_groups(*arguments.toy, arguments.group))
    traces = [trace for group in groups for trace in group.traces]
    mean = np.mean([len(trace["episodes"]) for trace in traces])
    print(f"{len(traces)} traces of {np.mean([len(one['ids']) for one in traces]):.0f} tokens, {mean:.1f} episodes")
    titles = [f"{limit}{', shared' if share else ''}" for limit in arguments.limits for share in (False, True)]
    for prover in arguments.provers:
        print(f"\n| {prover} | " + " | ".join(titles) + " | asked |\n|" + "---|" * (len(titles) + 2))
        for name, rule in RULES.items():
            if arguments.rules and name not in arguments.rules:
                continue
            cells, asked = [], []
            for limit in arguments.limits:
                for share in (False, True):
                    rng = np.random.default_rng(limit)
                    found = [agreement(groups, prover, rule, limit, share, rng) for _ in range(arguments.replicates)]
                    cells.append(f"{np.mean([r for r, _ in found]):.3f}")
                asked.append(f"{np.mean([count for _, count in found]):.2f}")
            print(f"| {name} | " + " | ".join(cells) + " | " + ", ".join(asked) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", type=Path, nargs=2, metavar=("MODEL", "DATA"), required=True)
    parser.add_argument("--group", type=int, default=4)
    parser.add_argument("--limits", type=int, nargs="+", default=[1, 2, 3, 6])
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("--provers", nargs="+", default=PROVERS)
    parser.add_argument("--rules", nargs="+", help=f"of {', '.join(RULES)} (all)")
    main(parser.parse_args())

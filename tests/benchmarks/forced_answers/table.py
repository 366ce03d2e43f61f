"""Bias and RMSE of J and of progress, and tokens, of every prover from the collected answers; prints Markdown.

    python -m tests.benchmarks.forced_answers.table --model outputs/smollm2_cpu/model --data outputs/forced_answers

Many disjoint draws of G answers are taken from each prefix's 1,000. The truth is the Horvitz-Thompson sum over all
1,000, closing tokens merged, far less noisy than their mean. Stop text `old` ends in an open brace, `new` before it;
each is held against the truth after itself.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from mrt_verl.grading import Grader
from tests.benchmarks.forced_answers.drawing import Vocabulary
from tests.benchmarks.forced_answers.estimators import METHODS, Method, Place, path_probability
from tests.benchmarks.forced_answers.stored import Answers, load, read_lines

COUNTS = (1, 2, 3, 4, 8)
SHUFFLES = 20


def truth_of(answers: Answers) -> tuple[float, float]:
    """(J, its standard deviation) from all answers drawn."""
    rows = np.unique(answers.answer, return_index=True)[1]
    p = np.clip(answers.p_answer[rows][answers.right[rows]], 0, 1 - 1e-9)
    drawn = -np.expm1(len(answers.draws) * np.log1p(-p))
    return float((p / drawn).sum()), float(np.sqrt((p**2 * (1 - drawn) / drawn**2).sum()))


def load_places(
    data: Path, prefixes: Sequence[dict[str, Any]], tokenizer: Any, grader: Grader
) -> dict[str, dict[int, Place]]:
    """{stop text: {prefix: place}}."""
    vocabulary = Vocabulary(tokenizer, len(tokenizer))
    places: dict[str, dict[int, Place]] = {"old": {}, "new": {}}
    for line in read_lines(data / "answers.jsonl"):
        name, index, exact = line["stop"], line["prefix"], line["exact"]
        if name not in places:
            continue
        reference = prefixes[index]["reference"]
        answers = load(line, reference, vocabulary.texts, vocabulary.eos, grader, seed=index)
        text = f"{reference}}}" if name == "old" else f"{{{reference}}}"
        alone = tokenizer.encode(text, add_special_tokens=False)
        own = exact["joined"] if name == "new" else alone
        path = next((path for path in exact["paths"] if path["ids"] == own[:-1]), None)
        probability = float(np.exp(sum(exact["alone"])))
        places[name][index] = Place(answers, *truth_of(answers), tuple(alone), probability, path, exact["paths"])
    return places


def estimates(method: Method, place: Place, count: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """((n,) estimates of J from disjoint draws, mean generated tokens of one)."""
    pool = place.answers.line_draws if method.to_the_line else place.answers.draws
    usable = len(pool) // count * count
    draws = np.concatenate([rng.permutation(pool)[:usable].reshape(-1, count) for _ in range(SHUFFLES)])
    tokens = count * place.answers.tokens[method.rule] if method.draws else 0.0
    return method.estimate(place, draws), tokens + method.extra(place, draws)


def errors(js: np.ndarray, truth: np.ndarray, pairs: np.ndarray) -> list[float]:
    """Bias and RMSE of J, then of progress; js (prefixes, n)."""
    off = js - truth[:, None]
    before, after = pairs.T
    of_progress = off[after] - off[before]
    return [float(off.mean()), rms(off), float(of_progress.mean()), rms(of_progress)]


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def print_errors(name: str, places: dict[int, Place], pairs: np.ndarray) -> None:
    """One row for each method and G."""
    truth = np.array([place.truth for place in places.values()])
    print(f"\nStop text `{name}`\n\n| estimator | G | tokens | bias J | RMSE J | bias progress | RMSE progress |")
    print("|---|---|---|---|---|---|---|")
    for title, method in METHODS.items():
        for count in COUNTS if method.draws else (0,):
            rng = np.random.default_rng(count)
            made = [estimates(method, place, max(count, 1), rng) for place in places.values()]
            row = errors(np.array([js for js, _ in made]), truth, pairs)
            tokens = np.mean([tokens for _, tokens in made])
            print(f"| {title} | {count or ''} | {tokens:.1f} | " + " | ".join(f"{value:.3f}" for value in row) + " |")


def print_kinds(places: dict[str, dict[int, Place]], prefixes: Sequence[dict[str, Any]]) -> None:
    """Mean J by kind of answer, and how much of it the reference's token paths hold."""
    print(
        "\n| answers | prefixes | J, old | J, new | reference: `}` alone, old | one path, new | all paths, new", end=" "
    )
    print("| RMS of J - all paths |\n|---|---|---|---|---|---|---|---|")
    for kind in dict.fromkeys(prefix["kind"] for prefix in prefixes):
        mine = [index for index in places["new"] if prefixes[index]["kind"] == kind]
        if not mine:
            continue
        old, new = ([places[name][index] for index in mine] for name in ("old", "new"))
        row = [
            [place.truth for place in old],
            [place.truth for place in new],
            [place.alone for place in old],
            [path_probability(place.path) if place.path else 0.0 for place in new],
            [sum(map(path_probability, place.paths)) for place in new],
        ]
        off = rms(np.array(row[1]) - np.array(row[4]))
        print(f"| {kind} | {len(mine)} | " + " | ".join(f"{np.mean(values):.3f}" for values in row) + f" | {off:.3f} |")


def print_samples(name: str, places: dict[int, Place]) -> None:
    """Noise of the truth, what the answers look like, their lengths by stop rule."""
    answers = [place.answers for place in places.values()]
    js = np.array([place.truth for place in places.values()])
    plain = np.array([one.right[one.draws].mean() for one in answers])
    print(
        f"\nStop text `{name}`: {len(js)} prefixes; J in quartiles {np.quantile(js, [0, 0.25, 0.5, 0.75, 1]).round(3)}"
    )
    print(
        f"noise of the truth: {rms(np.array([place.noise for place in places.values()])):.4f}; mean of 1,000:", end=" "
    )
    print(f"{rms(np.sqrt(js * (1 - js) / 1000)):.4f}; the two differ by {rms(js - plain):.4f} (RMS)")
    for what in ("opened", "empty", "right"):
        print(f"share {what}: {np.mean([getattr(one, what)[one.draws].mean() for one in answers]):.3f}")
    for rule in ("old", "new", "close"):
        print(f"tokens to stop rule {rule}: {np.mean([one.tokens[rule] for one in answers]):.2f}", end="; ")
    print(
        "wrong cuts:",
        {rule: round(float(np.mean([one.wrong_cuts[rule] for one in answers])), 4) for rule in ("old", "new")},
    )
    for key in ("whole", "cut", "stem", "answer"):
        pool = "line_draws" if key == "whole" else "draws"
        mean = np.mean([np.mean(getattr(one, f"p_{key}")[getattr(one, pool)]) for one in answers])
        print(f"mean probability of a sample, {key}: {mean:.4f}", end="; ")
    print()


def main(arguments: argparse.Namespace) -> None:
    prefixes = read_lines(arguments.data / "prefixes.jsonl")
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    with Grader(thinking=None) as grader:
        places = load_places(arguments.data, prefixes, tokenizer, grader)
    rows = {index: row for row, index in enumerate(places["new"])}
    follows = [i for i in rows if prefixes[i]["episodes"] and i - 1 in rows]
    pairs = np.array([(rows[i - 1], rows[i]) for i in follows])
    print(f"{len(rows)} prefixes, {len(pairs)} episodes")
    print_kinds(places, prefixes)
    for name, found in places.items():
        print_samples(name, found)
        print_errors(name, found, pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    main(parser.parse_args())

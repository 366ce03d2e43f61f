"""Bias and RMSE of J and of progress, and tokens, of every prover, from stored forced answers; prints Markdown.

    python -m tests.benchmarks.provers --toy recipes/study/warm_start outputs/toys/strong
    python -m tests.benchmarks.provers --smol outputs/smollm2_cpu/model outputs/forced_answers

Toys: data of tests.benchmarks.forced_answers.groups. SmolLM2: those of its `collect`, one trace a problem; its groups
are that trace several times over, with answers drawn anew, so `pooled` is flattered there. Each estimate is made of G
of a place's 1,000 answers, `--replicates` times; the truth is as in tests.benchmarks.forced_answers.table. Nothing is
generated; provers_vllm.py runs the provers themselves on an engine.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer

from mrt_verl.grading import Grader
from tests.benchmarks.forced_answers.drawing import Vocabulary
from tests.benchmarks.forced_answers.estimators import Place, all_paths, anchored, sample, stems
from tests.benchmarks.forced_answers.groups import MAX_TOKENS
from tests.benchmarks.forced_answers.pooled import Draws, Group, filled, pooled, pooled_by_rollout
from tests.benchmarks.forced_answers.stored import load, read_lines
from tests.benchmarks.forced_answers.table import load_places, rms, truth_of

SCORED, FURTHER = 5.0, 3.0
"""Tokens generated for a scored reference, two of them to leave empty boxes out, and for each further spelling."""
INDEPENDENT = {
    "sample": (sample, (4,), 0.0),
    "ht": (stems, (2, 4), 0.0),
    "seen": (lambda p, d: stems(p, d, inflate=False), (1, 2, 4), 0.0),
    "likelihood": (all_paths, (0,), SCORED),
    "anchored": (lambda p, d: anchored(p, d, every=True), (1, 2), SCORED),
    "anchored_seen": (lambda p, d: anchored(p, d, True, inflate=False), (1, 2), SCORED),
}
"""Provers that see their own boundary: (estimate, G, tokens beside the answers')."""


def toy_groups(model: Path, data: Path, size: int) -> Iterator[Group]:
    """Groups of `size` rollouts."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    vocabulary = Vocabulary(tokenizer, len(tokenizer))
    traces = defaultdict(list)
    for trace in read_lines(data / "traces.jsonl"):
        traces[trace["problem"]].append(trace)
    places: dict[tuple[int, int | None, int], Place] = {}
    with Grader(thinking=None) as grader:
        for number, line in enumerate(read_lines(data / "answers.jsonl")):
            reference = traces[line["problem"]][0]["reference"]
            answers = load(line, reference, vocabulary.texts, vocabulary.eos, grader, number, MAX_TOKENS)
            place = Place(answers, *truth_of(answers), (), 0.0, None, line["exact"]["paths"])
            places[line["problem"], line["rollout"], line["boundary"]] = place
    for problem, rollouts in traces.items():
        for start in range(0, len(rollouts) - size + 1, size):
            kept = [places[problem, None, -1]]
            numbers = []
            for trace in (own := rollouts[start : start + size]):
                first = len(kept)
                kept += [places[problem, trace["rollout"], one] for one in range(len(trace["episodes"]))]
                numbers.append([0, *range(first, len(kept))])
            finals = [trace["final"] for trace in own if trace["right"]]
            yield Group(kept, numbers, finals, f"{own[0]['reference']}}}", own)


def smol_groups(model: Path, data: Path, size: int, rng: np.random.Generator) -> Iterator[Group]:
    """Groups made of one trace `size` times; a final answer is drawn where the trace ends."""
    prefixes = read_lines(data / "prefixes.jsonl")
    tokenizer = AutoTokenizer.from_pretrained(model)
    with Grader(thinking=None) as grader:
        places = load_places(data, prefixes, tokenizer, grader)["new"]
    of_trace = defaultdict(list)
    for index, place in places.items():
        of_trace[prefixes[index]["trace"]].append((index, place))
    for own in of_trace.values():
        first, *later = [place for _, place in own]
        kept, numbers, finals = [first], [], []
        for _ in range(size):
            numbers.append([0, *range(len(kept), len(kept) + len(later))])
            kept += later
            last = kept[-1].answers
            row = rng.choice(last.draws)
            finals += [last.contents[row]] if last.right[row] else []
        yield Group(kept, numbers, finals, f"{prefixes[own[0][0]]['reference']}}}")


def draw(places: list[Place], count: int, replicates: int, rng: np.random.Generator) -> Draws:
    """`count` of each place's answers, anew for each replicate."""
    return [rng.choice(place.answers.draws, (replicates, count)) for place in places]


def row(title: str, js: list[np.ndarray], groups: list[Group], tokens: float) -> str:
    """One line of the table; js of each group (places, replicates)."""
    by_rollout = [[made[one] for one in group.rollouts] for group, made in zip(groups, js, strict=True)]
    return row_by_rollout(title, by_rollout, groups, tokens)


def row_by_rollout(title: str, js: list[list[np.ndarray]], groups: list[Group], tokens: float) -> str:
    """One line of the table; js of each group's rollouts (boundaries, replicates)."""
    off = [
        made - np.array([group.places[one].truth for one in numbers])[:, None]
        for group, own in zip(groups, js, strict=True)
        for numbers, made in zip(group.rollouts, own, strict=True)
    ]
    flat, steps = np.concatenate(off), np.concatenate([np.diff(one, axis=0) for one in off])
    errors = [flat.mean(), rms(flat), steps.mean(), rms(steps)]
    cells = " | ".join(f"{value:.3f}" for value in errors)
    return f"| {title} | {tokens:.1f} | {cells} | {rms(steps) * tokens**0.5:.2f} |"


def table(groups: list[Group], replicates: int) -> Iterator[str]:
    """The rows: provers that see their own boundary, then those that see the group or the batch."""
    rng = np.random.default_rng(0)
    places = [place for group in groups for place in group.places]
    answer = float(np.mean([place.answers.tokens["new"] for place in places]))
    yield "| prover | tokens | bias J | RMSE J | bias progress | RMSE progress | x sqrt(tokens) |"
    yield "|---|---|---|---|---|---|---|"
    for name, (estimate, counts, extra) in INDEPENDENT.items():
        for count in counts:
            js = []
            for group in groups:
                drawn = draw(group.places, max(count, 1), replicates, rng)
                js.append(np.array([estimate(*one) for one in zip(group.places, drawn, strict=True)]))
            yield row(f"{name}, G = {count}", js, groups, count * answer + extra)
    for count in (2, 4):
        made = filled(places, draw(places, count, replicates, rng))
        ends = np.cumsum([len(group.places) for group in groups])[:-1]
        yield row(f"seen, unseen filled, G = {count}", np.split(made, ends), groups, count * answer)
    for count in (1, 2):
        found = [pooled_by_rollout(one, draw(one.places, count, replicates, rng), replicates) for one in groups]
        spellings = float(np.mean([scored for _, scored in found]))
        tokens = count * answer + SCORED + FURTHER * (spellings - 1)
        yield row_by_rollout(f"pooled over the rollout, G = {count}", [js for js, _ in found], groups, tokens)
    for count, reference in ((0, True), (0, False), (1, True), (1, False), (2, True)):
        js, scored = [], []
        for group in groups:
            drawn = draw(group.places, count, replicates, rng) if count else None
            one, spellings = pooled(group, drawn, replicates, reference)
            js.append(one)
            scored.append(np.where(spellings > 0, SCORED + FURTHER * (spellings - 1), 0))
        tokens = count * answer + float(np.concatenate(scored).mean())
        yield row(f"pooled{'' if reference else ', no reference'}, G = {count}", js, groups, tokens)


def main(arguments: argparse.Namespace) -> None:
    for size in arguments.groups:
        rng = np.random.default_rng(size)
        if arguments.toy:
            groups = list(toy_groups(*arguments.toy, size))
        else:
            groups = list(smol_groups(*arguments.smol, size, rng))
        places = [place for group in groups for place in group.places]
        said = np.mean([len(group.spellings) for group in groups])
        js = np.array([place.truth for place in places])
        print(f"\n{len(groups)} groups of {size}, {len(places)} boundaries, mean J {js.mean():.3f}", end=", ")
        print(f"noise of the truth {rms(np.array([place.noise for place in places])):.4f}", end=", ")
        print(f"{said:.1f} right spellings a group")
        for line in table(groups, arguments.replicates):
            print(line, flush=True)
        print(json.dumps({"mean final answers right": np.mean([len(one.finals) / size for one in groups])}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", type=Path, nargs=2, metavar=("MODEL", "DATA"))
    parser.add_argument("--smol", type=Path, nargs=2, metavar=("MODEL", "DATA"))
    parser.add_argument("--groups", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--replicates", type=int, default=40)
    main(parser.parse_args())

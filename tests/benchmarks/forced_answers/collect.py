r"""Draws a thousand forced answers after every prefix of a model's own traces, with two stop texts; writes JSON lines.

    python -m tests.benchmarks.forced_answers.collect --model outputs/smollm2_cpu/model --out outputs/forced_answers

One thread, float32. `prefixes.jsonl`: token ids, reference, trace and number of episodes of every prefix.
`answers.jsonl`: for every prefix and stop text the distinct answers drawn with their counts, 200 of them to the end of
the line and 800 to the token that closes the box, and the exact probability of the reference. A finished prefix is not
drawn again.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from mrt_verl.episode_kinds import load_splitter
from mrt_verl.settings import MRTSettings
from tests.benchmarks.forced_answers.boxes import box_after
from tests.benchmarks.forced_answers.drawing import Path as TokenPath
from tests.benchmarks.forced_answers.drawing import Vocabulary, draw, draw_tokens, spell
from tests.benchmarks.forced_answers.model import Continued, PrefixModel
from tests.benchmarks.forced_answers.problems import Problem, make_problems
from tests.builders import default_settings

MARKERS = ["Step", "First", "Next", "Now", "Then", "So", "Therefore", "Finally", "To", "Let", "Note", "Wait"]
"""Those of recipes/smollm2_cpu/mrt.yaml."""
OLD = "\n\nI stop here. The final answer is \\boxed{"
NEW = "\n\nI stop here. The final answer is \\boxed"
MAX_TOKENS = 24
TO_THE_LINE, TO_THE_BOX = 200, 800


def settings_of_run(**changes: Any) -> MRTSettings:
    """As the recipe has them; at most four episodes a trace."""
    return default_settings("mrt_family=plain", markers=MARKERS, min_steps=1, max_episodes=4, **changes)


def stop_texts(before: str) -> dict[str, str]:
    """The stop texts by name, given the text before; the new one drops line breaks where there is one already."""
    dropped = before.endswith("\n")
    short = OLD.lstrip("\n") if dropped else OLD
    return {"old": OLD, "old, no line breaks": short, "new": NEW.lstrip("\n") if dropped else NEW}


def sample_trace(
    model: PrefixModel, prompt: list[int], eos: int, temperature: float, limit: int, seed: int
) -> list[int]:
    """One response without its end of sequence."""
    rng, after, ids = np.random.default_rng(seed), model.after(prompt), []
    row = after.first[0]
    while len(ids) < limit:
        (token,) = draw_tokens((row / temperature).log_softmax(-1), 1, rng)
        if token == eos:
            break
        ids.append(token)
        row = after.step([0], [token])[0]
    return ids


def prefixes_of(
    model: PrefixModel, tokenizer: Any, problems: list[tuple[Problem, Problem]], temperature: float, limit: int
) -> Iterator[dict[str, Any]]:
    """The prefix before and after every episode of one trace for each problem."""
    splitter = load_splitter(tokenizer, settings_of_run())
    for number, (problem, example) in enumerate(problems):
        messages = problem.messages(example)
        prompt = list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
        trace = sample_trace(model, prompt, tokenizer.eos_token_id, temperature, limit, seed=number)
        split = splitter.split(trace, thinking_open=True)
        for episodes, end in enumerate([0, *(episode.end for episode in split.episodes)]):
            yield {
                "trace": number,
                "episodes": episodes,
                "kind": problem.kind,
                "reference": problem.answer,
                "ids": [*prompt, *trace[:end]],
                "text": tokenizer.decode(trace[:end]),
            }


def score(after: Continued, ids: list[int]) -> list[float]:
    """Log-probs of given tokens."""
    after.restart()
    row, scored = after.first[0], []
    for position, token in enumerate(ids):
        scored.append(row[token].item())
        if position + 1 < len(ids):
            row = after.step([0], [token])[0]
    return scored


def exact(after: Continued, tokenizer: Any, vocabulary: Vocabulary, stop: str, reference: str) -> dict[str, Any]:
    """The reference's probability: its tokens encoded alone and with the stop text, and all its token paths."""
    text = f"{reference}}}" if stop.endswith("{") else f"{{{reference}}}"
    alone = tokenizer.encode(text, add_special_tokens=False)
    joined = tokenizer.encode(stop + text, add_special_tokens=False)
    paths: list[TokenPath] = spell(after, vocabulary, box_after(stop), text)
    return {
        "alone": score(after, alone),
        "joined": joined[len(tokenizer.encode(stop, add_special_tokens=False)) :],
        "paths": [path.as_dict() for path in paths],
    }


def answers_after(
    model: PrefixModel, tokenizer: Any, vocabulary: Vocabulary, prefix: dict[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    """One line for every stop text; the one without line breaks is not drawn from."""
    for name, stop in stop_texts(tokenizer.decode(prefix["ids"][-4:])).items():
        after = model.after(prefix["ids"] + tokenizer.encode(stop, add_special_tokens=False))
        line = {"stop": name, "exact": exact(after, tokenizer, vocabulary, stop, prefix["reference"]), "rows": 0}
        rules = {} if name not in ("old", "new") else {"line": (TO_THE_LINE, True), "box": (TO_THE_BOX, False)}
        for rule, (count, to_the_line) in rules.items():
            how = {"count": count, "max_tokens": MAX_TOKENS, "to_the_line": to_the_line}
            paths, rows = draw(after, vocabulary, box_after(stop), seed=2 * seed + to_the_line, **how)
            line[rule] = [path.as_dict() for path in paths]
            line["rows"] += rows
        yield line


def read_lines(path: Path) -> list[dict[str, Any]]:
    """JSON lines; [] without a file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main(arguments: argparse.Namespace) -> None:
    torch.set_grad_enabled(False)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = PrefixModel(arguments.model)
    vocabulary = Vocabulary(tokenizer, model.model.config.vocab_size)
    arguments.out.mkdir(parents=True, exist_ok=True)
    prefixes = read_lines(arguments.out / "prefixes.jsonl")
    if not prefixes:
        problems = make_problems(arguments.per_kind, arguments.seed)
        prefixes = list(prefixes_of(model, tokenizer, problems, arguments.temperature, arguments.trace_tokens))
        (arguments.out / "prefixes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in prefixes))
    done = {line["prefix"] for line in read_lines(arguments.out / "answers.jsonl")}
    with open(arguments.out / "answers.jsonl", "a") as file:
        for index, prefix in enumerate(prefixes):
            if index in done:
                continue
            lines = list(answers_after(model, tokenizer, vocabulary, prefix, seed=index))
            file.write("".join(json.dumps({"prefix": index, **line}) + "\n" for line in lines))
            file.flush()
            print(f"prefix {index + 1} of {len(prefixes)}, {sum(line['rows'] for line in lines)} rows", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--per-kind", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--trace-tokens", type=int, default=128)
    main(parser.parse_args())

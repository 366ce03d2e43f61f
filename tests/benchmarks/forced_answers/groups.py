"""Draws groups of traces from a toy model and a thousand forced answers after each boundary; writes JSON lines.

    python -m tests.benchmarks.forced_answers.groups --model recipes/study/warm_start --out outputs/toys/strong

As collect.py, with the stop text of the task, several rollouts a problem and their final answers: `traces.jsonl`. One
thread. Answers without thinking are drawn once for each problem, as a run does.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from data_prep.search_task import MARKERS, STOP_TEXT, Problem, make_problems
from mrt_verl.episode_kinds import load_splitter
from mrt_verl.grading import Grader
from mrt_verl.settings import MRTSettings
from tests.benchmarks.forced_answers.boxes import box_after
from tests.benchmarks.forced_answers.collect import exact, sample_trace
from tests.benchmarks.forced_answers.drawing import Vocabulary, draw
from tests.benchmarks.forced_answers.model import PrefixModel
from tests.builders import default_settings

PROBLEM_SEED = 11
"""Of recipes/study: its first problems are in no warm start of it."""
MAX_TOKENS = 12
"""Of a forced answer, the quickstart's `mrt.branch_max_tokens`."""
TRACE_TOKENS = 160
TO_THE_LINE, TO_THE_BOX = 50, 950


def settings_of_task(**changes: Any) -> MRTSettings:
    """The quickstart's, as far as traces and forced answers go."""
    own = {"markers": list(MARKERS), "stop_text": STOP_TEXT, "min_steps": 1, "branch_max_tokens": MAX_TOKENS}
    return default_settings(**{**own, **changes})


def boxed(text: str) -> str | None:
    r"""What stands in the `\boxed` of a text, with the brace that closes it."""
    _, found, rest = text.partition("\\boxed")
    _, closed = box_after("\\boxed").read(rest)
    return rest[:closed].lstrip()[1:] if found and closed else None


class Collector:
    """One model, and how its traces are split."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        self.model = PrefixModel(path)
        self.vocabulary = Vocabulary(self.tokenizer, self.model.model.config.vocab_size)
        self.splitter = load_splitter(self.tokenizer, settings_of_task())

    def trace(self, problem: Problem, number: int, seed: int) -> dict[str, Any]:
        """One rollout: prompt and response ids, its episodes' spans, and its final answer."""
        messages = [{"role": "user", "content": problem.question}]
        prompt = list(self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
        ids = sample_trace(self.model, prompt, self.tokenizer.eos_token_id, 1.0, TRACE_TOKENS, seed)
        split = self.splitter.split(ids, thinking_open=True)
        return {
            "problem": number,
            "reference": problem.answer,
            "prompt": prompt,
            "ids": ids,
            "episodes": [(one.start, one.marker_end, one.end) for one in split.episodes],
            "answer_start": split.answer_start if split.closed else None,
            "final": boxed(self.tokenizer.decode(ids[split.answer_start :])) if split.closed else None,
        }

    def answers(self, prefix: list[int], reference: str, seed: int) -> dict[str, Any]:
        """The forced answers after a prefix, as a line of answers.jsonl."""
        stop = STOP_TEXT
        after = self.model.after(prefix + self.tokenizer.encode(stop, add_special_tokens=False))
        line = {"stop": "new", "exact": exact(after, self.tokenizer, self.vocabulary, stop, reference)}
        for rule, count, to_the_line in (("line", TO_THE_LINE, True), ("box", TO_THE_BOX, False)):
            how = {"count": count, "max_tokens": MAX_TOKENS, "to_the_line": to_the_line}
            paths, _ = draw(after, self.vocabulary, box_after(stop), seed=2 * seed + to_the_line, **how)
            line[rule] = [path.as_dict() for path in paths]
        return line

    def collect(self, problems: list[Problem], rollouts: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """(file, line) of everything, problem by problem."""
        for number, problem in enumerate(problems):
            traces = [self.trace(problem, number, 1000 * number + rollout) for rollout in range(rollouts)]
            for rollout, trace in enumerate(traces):
                yield "traces", {"rollout": rollout, **trace}
            place = {"problem": number, "rollout": None, "boundary": -1}
            yield "answers", {**place, **self.answers(traces[0]["prompt"], problem.answer, 7000 + number)}
            for rollout, trace in enumerate(traces):
                for boundary, (_, _, end) in enumerate(trace["episodes"]):
                    place = {"problem": number, "rollout": rollout, "boundary": boundary}
                    seed = 10_000 * (number + 1) + 100 * rollout + boundary
                    prefix = trace["prompt"] + trace["ids"][:end]
                    yield "answers", {**place, **self.answers(prefix, problem.answer, seed)}


def main(arguments: argparse.Namespace) -> None:
    torch.set_grad_enabled(False)
    problems = make_problems(PROBLEM_SEED)[: arguments.problems]
    arguments.out.mkdir(parents=True)
    collector = Collector(arguments.model)
    with Grader(thinking=None) as grader:
        for name, line in collector.collect(problems, arguments.rollouts):
            if name == "traces":
                answer = line["final"]
                line["right"] = (
                    answer is not None
                    and grader.grade_sync([f"\\boxed{{{answer}"], line["reference"], stop_text="", finished=True)[
                        0
                    ].score
                    > 0
                )
                print(line["problem"], line["rollout"], len(line["episodes"]), line["right"], flush=True)
            with open(arguments.out / f"{name}.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=24)
    parser.add_argument("--rollouts", type=int, default=8)
    main(parser.parse_args())

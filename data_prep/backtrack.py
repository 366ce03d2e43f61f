"""`python -m data_prep backtrack`: warm-start traces that go back to a step (backtracking setting, arXiv 2503.07572).

A demonstration is an attempt that failed, a backtrack sentence that names the step from which success was likeliest,
and a path from that step that succeeds. Only the sentence and what follows it are learnt: how to fail is not.

The attempts must have numbered steps that are episodes of their own: sample them with `prefixes … --set
reward_model=mrt_backtrack mrt.markers=[Step]`. Paths are `--continuations` sampled from the likeliest step, or else
other attempts that were the same up to a step.
"""

import argparse
import random
from collections import Counter
from pathlib import Path
from typing import Any

from data_prep.problems import DataError
from data_prep.sft import ChatFormat, MessagesSchema, add_options, load_chat_format
from data_prep.stitching import Attempt, Demonstration, demonstrate, failed_attempt, start_text, stitch
from data_prep.traces import TraceRun, read_run
from data_prep.writing import plain, sha256, write_manifest, write_rows
from mrt_verl.evaluation.options import add_sampling_options
from mrt_verl.evaluation.records import TraceRecord

COLUMNS = {
    "data_source": str,
    "problem": int,
    "trace": int,
    "step": str,
    "chance": float,
    "untrained_characters": int,
}
"""`untrained_characters`: how much of the assistant's message is not learnt; see suffix_dataset.py."""


def add_command(commands: Any) -> None:
    """Add the command to the command line."""
    text = "warm-start traces of the backtracking setting: a failed path, a backtrack sentence, a path that succeeds"
    parser: argparse.ArgumentParser = commands.add_parser(
        "backtrack",
        help=text,
        description=text,
        epilog="example: mrt-data backtrack --traces data/prefixes --out data/backtrack",
    )
    add = parser.add_argument
    add("--traces", type=Path, required=True, help="directory of `prefixes` or of an evaluation run")
    add("--out", type=Path, required=True, help="directory for train.parquet and manifest.json")
    add_options(parser)
    add("--per-problem", type=int, default=4, help="most demonstrations per problem (default: %(default)s)")
    add("--continuations", type=int, default=0, help="paths to sample from each failed attempt's likeliest step")
    add("--model", help="who samples them (default: the run's model)")
    add("--response-tokens", type=int, default=8192, help="most tokens of a continuation (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the engine and the choice of paths (default: %(default)s)")
    add_sampling_options(parser, tokenizer=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the warm-start set.

    Raises:
        DataError: the traces cannot be used, or nothing can be stitched from them.
    """
    traces = read_run(options.traces)
    chat = load_chat_format(options, traces.model)
    counts: Counter[str] = Counter(traces=len(traces.records))
    attempts = _failed_attempts(traces, counts)
    continued = _continue(attempts, traces, options) if options.continuations else [{} for _ in attempts]
    rng, found, rows = random.Random(options.seed), Counter[int](), []
    for attempt, continuations in zip(attempts, continued, strict=True):
        demonstration = demonstrate(attempt, continuations, traces.mrt, rng)
        if demonstration is None:
            counts["failed attempts without a path"] += 1
        elif found[attempt.record.problem] < options.per_problem:
            found[attempt.record.problem] += 1
            rows.append(_row(demonstration, traces, chat))
    if not rows:
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        raise DataError(f"{traces.directory}: nothing to stitch: {reasons}")
    path = options.out / "train.parquet"
    chat.save_replaced(options)
    write_rows(rows, path, MessagesSchema(COLUMNS))
    hidden = ("run", "traces", "out")
    manifest = {
        "source": "backtrack",
        "origin": {"traces": str(traces.directory), "model": traces.model},
        "options": plain({key: value for key, value in vars(options).items() if key not in hidden}),
        "counts": dict(counts),
        "files": {path.name: {"rows": len(rows), "sha256": sha256(path)}},
    }
    write_manifest(options.out, manifest)
    print(f"{len(rows)} demonstrations of {len(found)} problems in {path}")


def _failed_attempts(traces: TraceRun, counts: Counter[str]) -> list[Attempt]:
    attempts = []
    for records in traces.by_problem():
        for record in records:
            attempt = failed_attempt(record, records, traces.mrt)
            if attempt is not None:
                attempts.append(attempt)
            elif record.own.verdict == "wrong":
                counts["failed attempts without numbered steps"] += 1
    return attempts


def _continue(
    attempts: list[Attempt], traces: TraceRun, options: argparse.Namespace
) -> list[dict[str, list[TraceRecord]]]:
    """Per attempt its continuations by their start text; they start from its likeliest step."""
    from data_prep.continuations import Start, sample_continuations  # loads the evaluation's engines

    texts = [start_text(attempt, attempt.steps[0], traces.mrt) for attempt in attempts]
    starts = [Start(one.record, text) for one, text in zip(attempts, texts, strict=True) if text is not None]
    found = sample_continuations(starts, traces, options)
    pairs = zip(attempts, texts, strict=True)
    return [{text: found.get(Start(one.record, text).key, [])} if text is not None else {} for one, text in pairs]


def _row(demonstration: Demonstration, traces: TraceRun, chat: ChatFormat) -> dict[str, Any]:
    failed, learnt = stitch(demonstration, traces.mrt)
    record, step = demonstration.record, demonstration.step
    return {
        "messages": chat.messages(record.messages, failed + learnt),
        "data_source": record.data_source,
        "problem": record.problem,
        "trace": record.trace,
        "step": step.name,
        "chance": step.chance,
        "untrained_characters": len(chat.opening) + len(failed),
    }

"""`python -m data_prep star`: the STaR set (arXiv 2503.07572): prefixes that maximise progress, with a right answer.

Of every trace the boundary is taken whose prefix made the most progress and after which an answer is right; of every
problem's traces the best ones. The model is fine-tuned on prefix, closing of the thinking and answer.
"""

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.problems import DataError
from data_prep.sft import ChatFormat, MessagesSchema, add_options, closing_text, load_chat_format
from data_prep.traces import TraceRun, prefix_text, read_run, sampled_answers
from data_prep.writing import plain, sha256, write_manifest, write_rows
from mrt_verl.evaluation.records import TraceRecord

TIES = ("shortest", "longest", "random")
PROGRESS = ("total", "episode")
COLUMNS = {"data_source": str, "problem": int, "trace": int, "episode": int, "j": float, "progress": float}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prefix of a trace with a right answer after it."""

    record: TraceRecord
    episode: int
    progress: float
    """What the prefix gained; see `find_candidates`."""
    answer: str


def add_command(commands: Any) -> None:
    """Add the command to the command line."""
    text = "the STaR set from sampled traces: prefixes of most progress with a right answer, as messages for SFT"
    parser: argparse.ArgumentParser = commands.add_parser(
        "star", help=text, description=text, epilog="example: mrt-data star --traces data/prefixes --out data/star"
    )
    add = parser.add_argument
    add("--traces", type=Path, required=True, help="directory of `prefixes` or of an evaluation run")
    add("--out", type=Path, required=True, help="directory for train.parquet and manifest.json")
    add_options(parser)
    add("--progress", choices=PROGRESS, default="total", help="total: J - J without thinking; episode: of its last one")
    add("--min-progress", type=float, default=0.0, help="least progress of a prefix (default: %(default)s)")
    add("--ties", choices=TIES, default="shortest", help="which of equally good prefixes (default: %(default)s)")
    add("--best-of", type=int, help="look only at so many traces per problem (default: all)")
    add("--per-problem", type=int, default=1, help="traces to keep per problem (default: %(default)s)")
    add("--balance", type=int, metavar="BINS", help="as many problems from each of BINS equal ranges of difficulty")
    add("--keep-stop-text", action="store_true", help="train on the whole stop text, not only on what closes thinking")
    add("--seed", type=int, default=0, help="of ties and balance (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the STaR set.

    Raises:
        DataError: the traces cannot be used, or none of them has a right answer after a prefix.
    """
    if options.min_progress > 1:
        raise DataError(
            f"--min-progress {options.min_progress:g}: allowed: at most 1; "
            "progress is a difference of two values of J, each in [0, 1]"
        )
    traces = read_run(options.traces)
    chat = load_chat_format(options, traces.model)
    closing = closing_text(traces.mrt, whole=options.keep_stop_text)
    rng = random.Random(options.seed)
    counts: Counter[str] = Counter()
    kept: dict[int, list[Candidate]] = {}
    difficulty: dict[int, float] = {}
    for records in traces.by_problem():
        considered = records[: options.best_of]
        best = choose(considered, traces, options, rng)
        counts["problems without a right prefix" if not best else "problems"] += 1
        if best:
            kept[records[0].problem] = best
            difficulty[records[0].problem] = 1 - sum(record.own.score for record in considered) / len(considered)
    if options.balance:
        before = len(kept)
        kept = balance(kept, difficulty, options.balance, rng)
        counts["problems left out by --balance"] = before - len(kept)
    rows = [_row(candidate, traces, chat, closing) for best in kept.values() for candidate in best]
    if not rows:
        raise DataError(_why_none(traces, options))
    path = options.out / "train.parquet"
    chat.save_replaced(options)
    write_rows(rows, path, MessagesSchema(COLUMNS))
    write_manifest(options.out, _manifest(options, traces, counts, path, len(rows)))
    print(f"{len(rows)} prefixes of {len(kept)} problems in {path}")


def _why_none(traces: TraceRun, options: argparse.Namespace) -> str:
    """Whether no answer was right, or no prefix gained enough."""
    where, count = traces.directory, len(traces.records)
    found = [one for record in traces.records for one in find_candidates(record, traces.mrt, options.progress)]
    if not found:
        return f"{where}: no prefix has a right answer after it in {count} traces"
    most = max(one.progress for one in found)
    if most < options.min_progress:
        return (
            f"{where}: no prefix with a right answer gains --min-progress {options.min_progress:g}; "
            f"the most that one of {len(found)} gains is {most:g}"
        )
    return f"{where}: none of {len(found)} prefixes with a right answer is text that can be written again"


def choose(
    records: Sequence[TraceRecord], traces: TraceRun, options: argparse.Namespace, rng: random.Random
) -> list[Candidate]:
    """The best candidate of each trace, and of those the best `--per-problem`, best first."""
    best = []
    for record in records:
        found = find_candidates(record, traces.mrt, options.progress)
        found = [one for one in found if one.progress >= options.min_progress]
        found = [one for one in found if prefix_text(record, one.episode, traces.mrt["think_open"]) is not None]
        if found:
            best.append(pick(found, options.ties, rng))
    ordered: list[Candidate] = []
    while best and len(ordered) < options.per_problem:
        ordered.append(pick(best, options.ties, rng))
        best.remove(ordered[-1])
    return ordered


def find_candidates(record: TraceRecord, mrt: Mapping[str, Any], progress: str) -> list[Candidate]:
    """Every boundary of a trace with a right answer after it and a known progress.

    Args:
        mrt: the settings the trace was sampled with.
        progress: "total" is J_j - J_{-1}, what all the thinking so far gained; "episode" is J_j - J_{j-1}.
    """
    found = []
    before = record.j_before
    for number, episode in enumerate(record.episodes):
        forced = sampled_answers(record, episode, mrt)
        answers = [answer.extracted for answer in forced if answer.verdict == "right" and answer.extracted]
        is_end = number == len(record.episodes) - 1 and record.closed
        if is_end and record.own.verdict == "right" and record.own.extracted:
            answers.insert(0, record.own.extracted)
        if episode.j is not None and before is not None and answers:
            found.append(Candidate(record, number, episode.j - before, answers[0]))
        if progress == "episode":
            before = episode.j
    return found


def pick(candidates: Sequence[Candidate], ties: str, rng: random.Random) -> Candidate:
    """The candidate of most progress; ties by the length of their prefixes, or by chance."""
    most = max(candidate.progress for candidate in candidates)
    # J is a mean over few answers: equal values differ by rounding at most
    equal = [candidate for candidate in candidates if candidate.progress > most - 1e-9]
    if ties == "random":
        return rng.choice(equal)
    return (min if ties == "shortest" else max)(equal, key=lambda one: one.record.episodes[one.episode].end)


def balance(
    kept: dict[int, list[Candidate]], difficulty: dict[int, float], bins: int, rng: random.Random
) -> dict[int, list[Candidate]]:
    """As many problems from each range of difficulty as the smallest range that has any.

    Args:
        difficulty: share of a problem's traces whose own answer is wrong, in [0, 1].
        bins: number of equal ranges of [0, 1].
    """
    ranges: defaultdict[int, list[int]] = defaultdict(list)
    for problem in kept:
        ranges[min(int(difficulty[problem] * bins), bins - 1)].append(problem)
    smallest = min((len(problems) for problems in ranges.values()), default=0)
    chosen = {problem for problems in ranges.values() for problem in rng.sample(problems, smallest)}
    return {problem: best for problem, best in kept.items() if problem in chosen}


def _row(candidate: Candidate, traces: TraceRun, chat: ChatFormat, closing: str) -> dict[str, Any]:
    record = candidate.record
    prefix = prefix_text(record, candidate.episode, traces.mrt["think_open"])
    assert prefix is not None
    return {
        "messages": chat.messages(
            record.messages, prefix + _break(prefix, closing) + closing.format(answer=candidate.answer)
        ),
        "data_source": record.data_source,
        "problem": record.problem,
        "trace": record.trace,
        "episode": candidate.episode,
        "j": record.episodes[candidate.episode].j,
        "progress": candidate.progress,
    }


def _break(prefix: str, closing: str) -> str:
    """A line break between the two where neither brings white space."""
    return "" if prefix[-1:].isspace() or closing[:1].isspace() else "\n"


def _manifest(
    options: argparse.Namespace, traces: TraceRun, counts: Counter[str], path: Path, rows: int
) -> dict[str, Any]:
    hidden = ("run", "traces", "out")
    return {
        "source": "star",
        "origin": {"traces": str(traces.directory), "model": traces.model},
        "options": plain({key: value for key, value in vars(options).items() if key not in hidden}),
        "counts": {"traces": len(traces.records), **counts},
        "files": {path.name: {"rows": rows, "sha256": sha256(path)}},
    }

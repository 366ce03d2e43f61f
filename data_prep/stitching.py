"""Stitches a failed attempt, a backtrack sentence and a path that succeeds from the step it names (pure text work)."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_prep.sft import closing_text
from data_prep.traces import episodes_text, prefix_text
from mrt_verl.evaluation.records import TraceRecord

Settings = Mapping[str, Any]
"""The `mrt:` node the attempts were sampled with."""


@dataclass(frozen=True, slots=True)
class Step:
    """A numbered step of an attempt; going back to it keeps what is before it."""

    name: str
    episode: int
    chance: float | None
    """J where the step starts."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that failed."""

    record: TraceRecord
    steps: list[Step]
    """At least one, of known chance, the likeliest first; of equal ones the latest, which keeps most of the work."""
    others: list[TraceRecord]
    """All attempts at the same problem."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A failed attempt, the step to go back to, and a path that succeeds from there."""

    record: TraceRecord
    step: Step
    path: str
    answer: str


def find_steps(record: TraceRecord, mrt: Settings) -> list[Step]:
    """The episodes of an attempt that start as a numbered step (`mrt.step_pattern`), in order."""
    chances = [record.j_before, *(episode.j for episode in record.episodes)]
    found = [re.match(mrt["step_pattern"], episode.text.lstrip()) for episode in record.episodes]
    return [Step(match.group(1), number, chances[number]) for number, match in enumerate(found) if match]


def failed_attempt(record: TraceRecord, others: list[TraceRecord], mrt: Settings) -> Attempt | None:
    """The attempt, if it closed its thinking on a wrong answer and has numbered steps."""
    steps = [step for step in find_steps(record, mrt) if step.chance is not None]
    if record.own.verdict != "wrong" or not steps or _thinking(record) is None:
        return None
    ordered = sorted(steps, key=lambda step: (step.chance, step.episode), reverse=True)
    return Attempt(record, ordered, others)


def start_text(attempt: Attempt, step: Step, mrt: Settings) -> str | None:
    """What stands after the prompt where a path from `step` starts: all before it, and the step's header.

    None if the text cannot be cut there.
    """
    if step.episode == 0:
        wrote_tag = mrt["think_open"] and attempt.record.episodes[0].start > 0
        before: str | None = f"{mrt['think_open']}\n" if wrote_tag else ""
    else:
        before = prefix_text(attempt.record, step.episode - 1, mrt["think_open"])
    return None if before is None else before + _header(step, mrt)


def demonstrate(
    attempt: Attempt, continued: Mapping[str, list[TraceRecord]], mrt: Settings, rng: random.Random
) -> Demonstration | None:
    """The attempt with a path from the likeliest of the steps from which one is known; None without any.

    Args:
        continued: continuations of the attempt by their start text.
    """
    for step in attempt.steps:
        paths = _other_paths(attempt, step, mrt)
        for record in continued.get(start_text(attempt, step, mrt) or "", []):
            if _is_right(record):
                paths.append((_header(step, mrt) + str(_thinking(record)), str(record.own.extracted)))
        if paths:
            path, answer = rng.choice(paths)
            return Demonstration(attempt.record, step, path.strip(), answer)
    return None


def _other_paths(attempt: Attempt, step: Step, mrt: Settings) -> list[tuple[str, str]]:
    """(text from the step on, answer) of right attempts that are the same up to the step.

    Where the backtrack sentence opens the step, the path's first step must have its name.
    """
    before = _words_before(attempt.record, step)
    paths = []
    for other in attempt.others:
        if not _is_right(other):
            continue
        for own in find_steps(other, mrt):
            is_named_so = own.name == step.name or not _header(step, mrt)
            if is_named_so and _words_before(other, own) == before:
                text = episodes_text(other, own.episode, len(other.episodes) - 1)
                paths.append((str(text), str(other.own.extracted)))
                break
    return paths


def stitch(demonstration: Demonstration, mrt: Settings) -> tuple[str, str]:
    """(what is not learnt, what is): the failed attempt; the backtrack sentence, the path and the answer."""
    record, step = demonstration.record, demonstration.step
    failed = prefix_text(record, len(record.episodes) - 1, mrt["think_open"])
    sentence = mrt["backtrack_text"].replace("{step}", step.name)
    own_header = re.match(mrt["step_pattern"], demonstration.path)
    if _header(step, mrt) and own_header:  # the sentence has opened the step already
        path = " " + demonstration.path[own_header.end() :].lstrip(" .:)")
    else:
        path = "\n\n" + demonstration.path
    closing = closing_text(mrt, whole=False).format(answer=demonstration.answer)
    return str(failed).rstrip() + "\n\n", f"{sentence}{path}\n\n{closing.lstrip()}"


def _header(step: Step, mrt: Settings) -> str:
    """How the backtrack sentence opens the step it names ("Step 2:"); "" if it does not."""
    last_line = str(mrt["backtrack_text"]).replace("{step}", step.name).rsplit("\n", 1)[-1]
    return last_line if re.match(mrt["step_pattern"], last_line) else ""


def _is_right(record: TraceRecord) -> bool:
    return record.own.verdict == "right" and bool(record.own.extracted) and _thinking(record) is not None


def _thinking(record: TraceRecord) -> str | None:
    """All of the thinking; None if there is none, or it cannot be cut at its end."""
    return episodes_text(record, 0, len(record.episodes) - 1) if record.episodes else None


def _words_before(record: TraceRecord, step: Step) -> list[str]:
    text = episodes_text(record, 0, step.episode - 1) if step.episode else ""
    return str(text).split()

"""Stop texts side by side: what a model answers after each of several, at the same places of the same traces."""

import asyncio
import functools
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.grading import Grade, extract_answer
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.grading.text.boxes import BOX
from mrt_verl.inspect.recut import read_again
from mrt_verl.parts import stop_problems
from mrt_verl.provers import load_prover
from mrt_verl.sampling_params import without_end
from mrt_verl.settings import MRTSettings

LONGEST_WORDS = 60
"""Characters of a model's own words before its box that may become a stop text."""
ANSWERS = 2
"""Forced answers after each stop text at each place."""
CLEAR = 2.5
"""Standard errors of a difference that is taken for one; several stop texts are compared."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stop text and where it comes from."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix of a trace, after which thinking is stopped."""

    problem: Problem
    prefix_ids: tuple[int, ...]
    """Of the prompt and the trace."""
    thinking_ids: tuple[int, ...]
    """Of the trace alone."""
    own: str | None
    """The trace's own answer, where it closed its thinking here."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a model answered after one stop text."""

    name: str
    text: str
    answers: int
    readable: float
    """Share with an answer in it."""
    ended: float
    """Share that ended by itself, not by `mrt.branch_max_tokens`."""
    tokens: float
    """Mean, generated."""
    right: float
    own_answers: int
    """Of all, those forced where a trace gave an answer of its own."""
    agreement: float | None
    """Share of those that equal it; None without any."""


def candidates(settings: MRTSettings, records: Sequence[TraceRecord], given: Sequence[str] = ()) -> list[Candidate]:
    r"""The stop text as set, then others: the family's short one, shorter ones, the model's own words, those given.

    None of them leaves the thinking open.
    """
    close = settings.think_close
    head, tag, rest = settings.stop_text.rpartition(close) if close else ("", "", settings.stop_text)
    lead = f"\n{tag}\n\n" if tag else "\n\n"
    words = own_words(records)
    found = [
        Candidate("as set", settings.stop_text),
        Candidate("the family's short one", settings.stop_texts.get("short", settings.stop_text)),
        *([Candidate("without the sentence before the tag", f"\n{tag}{rest}")] if head.strip() else []),
        *([Candidate("the model's own words", f"{lead}{words}\\boxed")] if words else []),
        Candidate("other words", f"{lead}**Final answer:** \\boxed"),
        Candidate("without words", f"{lead}\\boxed"),
        *(Candidate(f"given, number {number}", text) for number, text in enumerate(given, start=1)),
    ]
    closing = [one for one in found[1:] if not any(stop_problems(replace(settings, stop_text=one.text)))]
    return list({one.text: one for one in reversed([found[0], *closing])}.values())[::-1]


def own_words(records: Sequence[TraceRecord]) -> str | None:
    """What stands most often on the line of the last box before it, where it names nothing of the problem."""
    leads: Counter[str] = Counter()
    for record in records:
        boxes = list(BOX.finditer(record.own.text)) if record.closed else []
        lead = record.own.text[: boxes[-1].start()].rpartition("\n")[2] if boxes else ""
        if lead.strip() and len(lead) <= LONGEST_WORDS and not any(one.isdigit() or one in "=\\{" for one in lead):
            leads[lead] += 1
    lead, count = max(leads.items(), key=lambda pair: pair[1], default=("", 0))
    return lead if count >= max(2, 0.1 * len(records)) else None


def find_places(
    sampler: RecordSampler, problems: Sequence[Problem], records: Sequence[TraceRecord], most: int
) -> list[Place]:
    """The last and a middle boundary of as many traces as make `most` places, of different problems first."""
    by_index = {problem.index: problem for problem in problems}
    places: list[Place] = []
    for record in sorted((one for one in records if one.episodes), key=lambda one: (one.trace, one.problem)):
        problem = by_index[record.problem]
        prompt_ids = sampler.encode(problem)
        boundaries = read_again(sampler.rollout, prompt_ids, record).boundaries
        for number in sorted({len(boundaries) // 2 - 1, len(boundaries) - 1} - {-1}):
            boundary = boundaries[number]
            is_last = number == len(boundaries) - 1
            written = [*boundary.context_ids, *boundary.close_ids]
            thinking = tuple(without_end(written, sampler.tokenizer.eos_token_id))
            own = record.own.extracted if is_last and record.closed else None
            places.append(Place(problem, (*prompt_ids, *thinking), thinking, own))
        if len(places) >= most:
            break
    return places


class Reply(NamedTuple):
    """One forced answer."""

    extracted: str | None
    finished: bool
    right: float
    alike: float | None
    """Whether it equals the trace's own answer; None where there is none."""


async def try_stop_text(sampler: RecordSampler, candidate: Candidate, places: Sequence[Place]) -> Tried | None:
    """What is answered after a stop text at some places; None if no answer came.

    Args:
        sampler: of the run; its settings but for the stop text hold.
    """
    settings = replace(sampler.settings, stop_text=candidate.text, prover="sample")
    prover = load_prover(sampler.rollout.engine, sampler.tokenizer, settings)
    graded_by = sampler.answers
    answers = AnswerGrader(graded_by.grader, sampler.tokenizer, settings, graded_by.compute_score)

    async def reply(number: int, place: Place) -> tuple[list[Reply], int]:
        branches = await prover.branch(
            place.prefix_ids, count=ANSWERS, sampling_params=sampler.plan.sampling_params, request_id=f"stop-{number}"
        )
        texts, ended = [one.text for one in branches.answers], [one.finished for one in branches.answers]
        right = await answers.grade_forced(branches.answers, list(place.thinking_ids), place.problem.row)
        alike: Sequence[Grade | None] = [None] * len(texts)
        if place.own is not None:
            alike = await answers.grader.grade(texts, place.own, stop_text=candidate.text, finished=ended)
        rows = zip(texts, ended, right, alike, strict=True)
        read = functools.partial(extract_answer, stop_text=candidate.text, thinking=None)
        return [
            Reply(read(text, finished=end), end, grade.score, same.score if same else None)
            for text, end, grade, same in rows
        ], branches.tokens

    replies = await asyncio.gather(*itertools.starmap(reply, enumerate(places)))
    return summarise(candidate, [one for some, _ in replies for one in some], sum(tokens for _, tokens in replies))


def summarise(candidate: Candidate, replies: Sequence[Reply], tokens: int) -> Tried | None:
    """The shares of some answers; None of none."""
    if not replies:
        return None
    count, alike = len(replies), [one.alike for one in replies if one.alike is not None]
    return Tried(
        name=candidate.name,
        text=candidate.text,
        answers=count,
        readable=sum(one.extracted is not None for one in replies) / count,
        ended=sum(one.finished for one in replies) / count,
        tokens=tokens / count,
        right=sum(one.right for one in replies) / count,
        own_answers=len(alike),
        agreement=sum(alike) / len(alike) if alike else None,
    )


def choose(tried: Sequence[Tried]) -> Tried:
    """The stop text to use: the one as set, first of `tried`, unless another is clearly better.

    Clearly: more of its answers can be read, or agree with the traces' own while no fewer can be read, by more than
    chance does (2.5 standard errors of the difference).
    """
    best = tried[0]
    for other in tried[1:]:
        readable = _gain(best.readable, best.answers, other.readable, other.answers)
        agreement = 0.0
        if best.agreement is not None and other.agreement is not None:
            agreement = _gain(best.agreement, best.own_answers, other.agreement, other.own_answers)
        if (readable > CLEAR and agreement > -CLEAR) or (agreement > CLEAR and readable > -1):
            best = other
    return best


def _gain(before: float, count: int, after: float, other_count: int) -> float:
    """A difference of shares in its standard errors; shares of 0 and 1 have that of half an answer."""
    shares = ((before, count), (after, other_count))
    kept = [(min(max(share, 0.5 / n), 1 - 0.5 / n), n) for share, n in shares]
    return (after - before) / math.sqrt(sum(share * (1 - share) / n for share, n in kept))

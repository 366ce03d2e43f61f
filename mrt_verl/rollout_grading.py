"""Grades one rollout: its own answer and all forced ones, J and progress from them, and its reward row; any host."""

import os
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

import numpy as np

from mrt_verl.grading import Grade, Verdict, extract_answer
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.grading.comparison import as_references
from mrt_verl.grading.text.boxes import answer_end
from mrt_verl.provers import ForcedAnswer
from mrt_verl.reward_layout import bonus_spans, write_rewards
from mrt_verl.rollout_record import GradingPart, ResponsePart, RolloutRecord, TextPart
from mrt_verl.trace import Trace
from mrt_verl.value_estimates import estimate_values

ANSWERED = ("forced", "one_episode")
"""Kinds of rollouts that end in an answer they were forced to."""


async def grade_rollout(
    answers: AnswerGrader, record: RolloutRecord, response_ids: list[int], row: Mapping[str, Any]
) -> Grade:
    """Grade a rollout into its record's `values` and `grading`; returns the grade of its own answer.

    Args:
        row: of verl's data: `reward_model`, `data_source`, `extra_info`.
    """
    response, branches = record.response, record.branches
    started = time.perf_counter()
    own = await _grade_own(answers, response, response_ids, row)
    forced = [
        await answers.grade_forced(some, response_ids[:end], row)
        for some, (_, _, end) in zip(branches.forced, response.episodes, strict=False)
    ]
    before = await answers.grade_forced(branches.forced_before, response_ids[: response.prefix_tokens], row)
    record.values = estimate_values(branches, own, forced, before, alpha=answers.settings.alpha)
    record.grading = _count([own, *before, *chain.from_iterable(forced)])
    record.grading.grade_seconds = time.perf_counter() - started
    record.grading.grader = {"worker": f"{platform.node()}:{os.getpid()}", **asdict(answers.grader.stats())}
    record.grading.timeout_example = _timeout_example(answers, record, response_ids, own, [*forced, before])
    if answers.settings.trace_dir is not None:
        record.texts = _texts(answers, response, response_ids, row, own)
        record.texts.forced_verdicts = [[str(grade.verdict) for grade in grades] for grades in forced]
        record.texts.before_verdicts = [str(grade.verdict) for grade in before]
    return own


async def _grade_own(
    answers: AnswerGrader, response: ResponsePart, response_ids: list[int], row: Mapping[str, Any]
) -> Grade:
    """The outcome; that of a rollout which was forced to answer by the rule that grades all forced answers."""
    if response.kind not in ANSWERED:
        return await answers.grade_final(response_ids, response.answer_start, row, finished=response.finished)
    settings, thinking = answers.settings, response.answer_start or 0
    text = answers.decode(response_ids[thinking + response.inserted_tokens :])
    text = text[: answer_end(settings.stop_text, text, settings.branch_stop)]
    answer = ForcedAnswer(text, response.finished, None)
    return (await answers.grade_forced([answer], response_ids[:thinking], row))[0]


def _count(grades: Sequence[Grade]) -> GradingPart:
    verdicts = Counter(grade.verdict for grade in grades)
    return GradingPart(
        answers=len(grades),
        no_answers=verdicts[Verdict.NO_ANSWER],
        grade_timeouts=verdicts[Verdict.TIMEOUT],
        grade_errors=verdicts[Verdict.ERROR],
        error_example=next((grade.detail for grade in grades if grade.verdict is Verdict.ERROR), None),
    )


def _timeout_example(
    answers: AnswerGrader, record: RolloutRecord, response_ids: list[int], own: Grade, forced: Sequence[Sequence[Grade]]
) -> str | None:
    """The end of one answer whose grading timed out."""
    if own.verdict is Verdict.TIMEOUT:
        return answers.decode(response_ids[record.response.answer_start or 0 :])[-200:]
    texts = [*record.branches.forced, record.branches.forced_before]
    pairs = chain.from_iterable(zip(some, grades, strict=True) for some, grades in zip(texts, forced, strict=True))
    return next((answer.text[-200:] for answer, grade in pairs if grade.verdict is Verdict.TIMEOUT), None)


def _texts(
    answers: AnswerGrader, response: ResponsePart, response_ids: list[int], row: Mapping[str, Any], own: Grade
) -> TextPart:
    """What a trace file shows beside the numbers."""
    first, last = (response.episodes[0][0], response.episodes[-1][2]) if response.episodes else (None, None)
    answer = "" if response.answer_start is None else answers.decode(response_ids[response.answer_start :])
    stop_text = answers.settings.stop_text if response.kind in ANSWERED else ""
    references = as_references(row["reward_model"]["ground_truth"])
    messages = row.get("raw_prompt")
    asked = messages[-1]["content"] if messages is not None and len(messages) else response.prompt_text
    decode = answers.tokenizer.decode
    return TextPart(
        uid=str(row.get("uid", "")),
        data_source=str(row.get("data_source", "")),
        problem=asked if isinstance(asked, str) else str(response.prompt_text),
        reference=references[0] if len(references) == 1 else list(references),
        lead_text=decode(response_ids[:first]),
        rest_text="" if last is None else decode(response_ids[last:]),
        extracted=extract_answer(answer, stop_text=stop_text, thinking=None, finished=response.finished),
        verdict=str(own.verdict),
        detail=own.detail,
    )


def reward_batch(
    rollouts: Sequence[tuple[Trace, RolloutRecord]], scores: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """(reward rows, response masks) of graded rollouts, each (rollouts, longest response) float32, padded with 0."""
    shape = (len(rollouts), max(len(trace.ids) for trace, _ in rollouts))
    rewards, mask = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for row, ((trace, record), score) in enumerate(zip(rollouts, scores, strict=True)):
        length = len(trace.ids)
        mask[row, :length] = trace.mask
        rewards[row, :length] = reward_row(record, score, trace.mask)
    return rewards, mask


def reward_row(record: RolloutRecord, score: float, response_mask: Sequence[int]) -> np.ndarray:
    """The reward row (response_length,) float32 of a graded rollout.

    Args:
        score: its outcome as the host counts it, with what the host adds to it (DAPO's overlong buffer).
        response_mask: 1 for tokens the policy sampled.
    """
    response, steps = record.response, record.values.progress
    spans = bonus_spans(response.episodes, response.answer_start, steps)
    progress: list[float | None] = [value for _, _, value in steps]
    if response.kind in ("continued", "one_episode") and not steps:  # else it would be taken for one of the other kind
        # a start is shown by the token before it: where the prefix is empty, by the response's first
        spans, progress = [(max(response.prefix_tokens, 1), response.response_tokens)], [None]
    return write_rewards(
        outcome=None if record.values.outcome is None else score,
        spans=spans,
        progress=progress,
        response_mask=response_mask,
        alpha=record.values.alpha,
    )

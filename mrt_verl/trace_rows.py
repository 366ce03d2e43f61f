"""The rows of a trace file (`mrt.trace_dir`): a rollout with every field by its name (pure)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mrt_verl.provers.base import ForcedAnswer
from mrt_verl.rollout_record import RolloutRecord

POSITIONAL = ("episodes", "episode_texts", "forced", "forced_before", "answer_tokens", "js", "progress")
"""Fields of a record that are one list each; in a row they are fields of the episodes."""


def choose_rollouts(records: Sequence[RolloutRecord], count: int) -> list[RolloutRecord]:
    """`count` rollouts of a step, of as many prompts as possible: the first of each, then the second of each."""
    by_prompt: dict[str, list[RolloutRecord]] = defaultdict(list)
    for record in records:
        by_prompt[record.texts.uid if record.texts else ""].append(record)
    ranked = [(rank, place, one) for place, group in enumerate(by_prompt.values()) for rank, one in enumerate(group)]
    return [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])][:count]


def trace_row(record: RolloutRecord, step: int) -> dict[str, Any]:
    """One line of a trace file; docs/metrics.md has its fields."""
    texts = record.texts
    row: dict[str, Any] = {"step": step}
    if texts is not None:
        row |= {
            "uid": texts.uid,
            "data_source": texts.data_source,
            "problem": texts.problem,
            "reference": texts.reference,
            "response": _response(record),
            "final_answer": {"extracted": texts.extracted, "verdict": texts.verdict, "detail": texts.detail},
        }
    verdicts = texts.before_verdicts if texts else []
    row |= {
        "outcome": record.values.outcome,
        "kind": record.response.kind,
        "j_before": record.values.j_before,
        "forced_before": _answers(record.branches.forced_before, verdicts),
        "episodes": _episodes(record),
    }
    scalars = {**asdict(record.response), **asdict(record.branches), **asdict(record.values), **asdict(record.grading)}
    return row | {key: value for key, value in scalars.items() if key not in (*POSITIONAL, *row, "grader")}


def _response(record: RolloutRecord) -> str:
    assert record.texts is not None
    thought = (record.response.episode_texts or []) if record.response.episodes else []
    return record.texts.lead_text + "".join(thought) + record.texts.rest_text


def _episodes(record: RolloutRecord) -> list[dict[str, Any]]:
    """Every episode with what was found at its end; progress stands at the boundary that ends a rewarded step."""
    branches, values = record.branches, record.values
    texts = record.response.episode_texts or []
    verdicts = record.texts.forced_verdicts if record.texts else []
    progress = {boundary: (first, value) for first, boundary, value in values.progress}
    rows = []
    for index, (start, marker_end, end) in enumerate(record.response.episodes):
        first, value = progress.get(index, (None, None))
        rows.append(
            {
                "start": start,
                "marker_end": marker_end,
                "end": end,
                "text": _at(texts, index),
                "j": _at(values.js, index),
                "progress": value,
                "progress_from": first,
                "answer_tokens": _at(branches.answer_tokens, index),
                "forced": _answers(_at(branches.forced, index) or [], _at(verdicts, index) or []),
            }
        )
    return rows


def _answers(answers: Sequence[ForcedAnswer], verdicts: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"text": text, "finished": finished, "weight": weight, "verdict": _at(verdicts, index)}
        for index, (text, finished, weight) in enumerate(answers)
    ]


def _at(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else None

"""Trace files of a training run (`mrt.trace_dir`) as an evaluation's records, so that a page can show them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.records import Answer, EpisodeRecord, TraceRecord
from mrt_verl.rollout_record import LOST

SHOWN_STEPS = 5
"""Steps of which a page shows traces, evenly spread over those that have a file."""


def read_trace_dir(directory: Path, shown: int = SHOWN_STEPS) -> list[Run]:
    """The traces of some steps, each a run of its own without settings.

    Raises:
        ValueError: there is no trace file, or a line is no row of one; names the file and the line.
    """
    files = sorted(directory.glob("*.jsonl"), key=_step_of)
    files = [path for path in files if path.stem.isdigit()]
    if not files:
        raise ValueError(f"{directory}: no trace files; allowed: a directory that a run wrote as mrt.trace_dir")
    last = len(files) - 1
    picked = sorted({round(number * last / max(shown - 1, 1)) for number in range(shown)}) if last else [0]
    runs = [Run(f"step {files[index].stem}", {}, _read(files[index])) for index in picked]
    shown_runs = [run for run in runs if run.problems]
    if not shown_runs:
        raise ValueError(f"{directory}: no rollouts in {len(runs)} trace files; allowed: those of a finished step")
    return shown_runs


def _read(path: Path) -> list[list[TraceRecord]]:
    """Rollouts by prompt; those that were lost have nothing to show."""
    by_uid: dict[str, list[TraceRecord]] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = json.loads(line)
            if row["kind"] == LOST:
                continue
            traces = by_uid.setdefault(row["uid"], [])
            problem = list(by_uid).index(row["uid"])
            traces.append(record_of(row, problem, len(traces)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{path}:{number}: not a row of a trace file ({type(error).__name__}: {error}); those of runs before "
                "0.2.0 had fields without names"
            ) from error
    return list(by_uid.values())


def record_of(row: Mapping[str, Any], problem: int, trace: int) -> TraceRecord:
    """A row as an evaluation's record; what training does not know is as if it were 0."""
    final = row["final_answer"]
    own = Answer(row["response"], row["finished"], final["extracted"], final["verdict"], row["outcome"] or 0.0)
    return TraceRecord(
        problem=problem,
        uid=row["uid"],
        trace=trace,
        data_source=row["data_source"],
        messages=[{"role": "user", "content": row["problem"]}],
        reference=row["reference"],
        prompt_tokens=0,
        response=row["response"],
        response_tokens=row["response_tokens"],
        think_tokens=row["think_tokens"],
        closed=row["answer_start"] is not None,
        finished=row["finished"],
        markers=row["markers"],
        own=own,
        episodes=[
            EpisodeRecord(
                start=one["start"],
                marker_end=one["marker_end"],
                end=one["end"],
                text=one["text"] or "",
                forced=_answers(one["forced"]),
                j=one["j"],
                answer_tokens=one["answer_tokens"] or 0.0,
            )
            for one in row["episodes"]
        ],
        before=_answers(row["forced_before"]),
        before_tokens=row["before_tokens"],
        j_before=row["j_before"],
        branch_tokens=row["branch_tokens"],
        branch_failures=row["branch_failures"],
    )


def _answers(rows: Sequence[Mapping[str, Any]]) -> list[Answer]:
    return [
        Answer(
            one["text"],
            one["finished"],
            one["text"],
            one["verdict"] or "",
            float(one["verdict"] == "right"),
            one["weight"],
        )
        for one in rows
    ]


def _step_of(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else -1

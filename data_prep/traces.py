"""A run of sampled traces, as `data_prep prefixes` and `python -m mrt_verl.evaluation run` leave it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from data_prep.problems import DataError
from mrt_verl.evaluation.records import Answer, EpisodeRecord, TraceRecord
from mrt_verl.evaluation.store import SETTINGS, TRACES, read_run_json
from mrt_verl.evaluation.stored import read_records
from mrt_verl.grading.comparison import as_references
from mrt_verl.provers.spelling import spell

HALF_CHARACTER = "\ufffd"
"""What decoding makes of bytes that are no character; encoded again they are other tokens."""


@dataclass(frozen=True, slots=True)
class TraceRun:
    """The traces of one run, by problem and number, and what they were sampled with."""

    directory: Path
    model: str
    mrt: dict[str, Any]
    """What the run keeps of the `mrt:` node (mrt_verl.evaluation.settings.KEPT)."""
    outcome: str
    """Who graded: `mrt.outcome`."""
    records: list[TraceRecord]

    def by_problem(self) -> Iterator[list[TraceRecord]]:
        """The traces of each problem."""
        for _, records in groupby(self.records, key=lambda record: record.problem):
            yield list(records)


def read_run(directory: Path) -> TraceRun:
    """The run in a directory, or in the only directory inside of it that holds one.

    Raises:
        DataError: there is none or several, or a file of it cannot be read.
    """
    found = [directory] if (directory / TRACES).is_file() else [path.parent for path in directory.glob(f"*/{TRACES}")]
    if len(found) != 1:
        raise DataError(f"{directory}: {len(found)} runs in it; allowed: a directory with {TRACES} and {SETTINGS}")
    run = found[0]
    try:
        about = read_run_json(run / SETTINGS)
        records = sorted(read_records(run / TRACES), key=lambda record: (record.problem, record.trace))
        traces = TraceRun(run, str(about["model"]), dict(about["mrt"]), str(about["grader"]["outcome"]), records)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{run}: not a run of traces: {error}") from error
    if not records:
        raise DataError(f"{run / TRACES}: no traces")
    for one, next_one in pairwise(records):
        if (one.problem, one.trace) == (next_one.problem, next_one.trace):
            raise DataError(
                f"{run / TRACES}: problem {one.problem}, trace {one.trace} is there twice: two runs wrote into it; "
                "allowed: each trace once"
            )
    return traces


def sampled_answers(record: TraceRecord, episode: EpisodeRecord, mrt: Mapping[str, Any]) -> list[Answer]:
    """The forced answers after an episode that the model gave.

    The provers that score the reference put answers in front of them that it did not give: the reference, with its
    probability as weight.
    """
    scored = set(spell(mrt["stop_text"], mrt["reference_text"], as_references(record.reference)))
    for place, answer in enumerate(episode.forced):
        if answer.weight is None or answer.text not in scored:
            return episode.forced[place:]
        scored.remove(answer.text)
    return []


def prefix_text(record: TraceRecord, through: int, think_open: str | None) -> str | None:
    """What the model wrote up to the end of episode `through`: what stands right after the prompt.

    The opening tag is part of it only if the model wrote it; the record's texts have lost it where it is a special
    token. None if the text cannot be told: it has bytes that are no character, a boundary inside of one, or
    a special token, which the episodes' texts have lost.
    """
    text = episodes_text(record, 0, through)
    if text is None:
        return None
    return ((think_open or "") if record.episodes[0].start > 0 else "") + text


def episodes_text(record: TraceRecord, first: int, last: int) -> str | None:
    """The text of the episodes `first` … `last` as it stands in the response; None as for `prefix_text`.

    Not their texts joined: some tokenizers drop the space in front of what they decode on its own.
    """
    start, end = 0, 0
    for number, episode in enumerate(record.episodes[: last + 1]):
        text = episode.text.strip()
        if HALF_CHARACTER in text:
            return None
        position = record.response.find(text, end)
        if position < 0:
            return None
        end = position + len(text)
        if number == first:
            start = max(position - (len(episode.text) - len(episode.text.lstrip())), 0)
    whole = record.episodes[last].text
    return record.response[start:end] + whole[len(whole.rstrip()) :]

"""Trace files (`mrt.trace_dir`): one a step, whole or not there; a disk that takes none never ends a run."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.trace_rows import choose_rollouts, trace_row
from mrt_verl.whole import whole_file

logger = logging.getLogger(__name__)


class TraceLog:
    """Writes `traces_per_step` rollouts of each batch to `directory`/STEP.jsonl."""

    def __init__(self, directory: str | None, traces_per_step: int) -> None:
        """Keep where to; a `directory` of None writes nothing."""
        self._directory = None if directory is None else Path(directory)
        self._count = traces_per_step
        self._step: int | None = None
        self._lines: list[str] = []
        self._is_failing = False

    def write(self, records: Sequence[RolloutRecord], step: int) -> None:
        """Write rollouts of a batch, of as many prompts as possible; where that fails, warn once until it works again.

        The batches of one step, of which asynchronous trainers have several, are in one file.
        """
        if self._directory is None:
            return
        if step != self._step:
            self._step, self._lines = step, []
        chosen = choose_rollouts(records, self._count)
        self._lines += [json.dumps(trace_row(record, step), ensure_ascii=False) + "\n" for record in chosen]
        path = self._directory / f"{step}.jsonl"
        try:
            _write(path, self._lines)
        except OSError as error:
            if not self._is_failing:
                logger.warning("%s cannot be written (%s): training goes on without trace files", path, error.strerror)
            self._is_failing = True
        else:
            if self._is_failing:
                logger.warning("%s is written: trace files are complete again from here on", path)
            self._is_failing = False


def _write(path: Path, lines: Sequence[str]) -> None:
    # a lone surrogate in a decoded text must not end a run either
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(lines)

"""Whether a run can take up the place in the data at which its checkpoint stands; verl finds out minutes later.

The place is a count of rows (torchdata's sampler keeps it in data.pt), so another batch size goes on at the same row.
Another file is not noticed: as many of its rows are passed over.
"""

import logging
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mrt_verl.hooks.checks.local import expand, listed, readable_parquet
from mrt_verl.hooks.checks.resume import resumed_from
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """What a data.pt of verl's holds."""

    workers: int
    """`data.dataloader_num_workers` of the run that saved it."""
    rows: int
    """Rows of its epoch that had been handed out."""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None where there is none, or one in a form that is not known here."""
        import torch

        try:
            state = torch.load(path, weights_only=True)
            state = state.get("_snapshot", {}).get("_main_snapshot", state)
            return cls(int(state.get("_num_workers", 0)), int(state["_sampler_iter_state"]["samples_yielded"]))
        except (OSError, RuntimeError, pickle.UnpicklingError, AttributeError, LookupError, TypeError) as error:
            logger.debug("%s: %r", path, error)
            return None


def check_position(settings: MRTSettings, config: Any) -> Iterator[str]:
    """The number of loading processes must be the saved one, and the data must have the rows that are passed over."""
    step = resumed_from(config)
    position = None if step is None else Position.read(step / "data.pt")
    if step is None or position is None:
        return
    workers = config.data.dataloader_num_workers
    if workers != position.workers:
        yield (
            f"data.dataloader_num_workers={workers}: {step}/data.pt was saved with {position.workers}; "
            f"allowed: {position.workers}, torchdata takes up the position of no other number"
        )
    rows = _rows(config.data)
    if rows is not None and position.rows > rows:
        yield (
            f"data.train_files has {rows} rows, and the position in the data that {step}/data.pt holds is row "
            f"{position.rows} of an epoch; allowed: {position.rows} rows or more, such as the run's own files, or "
            "data.pt moved away, which begins the data anew"
        )


def _rows(data: Any) -> int | None:
    """Rows of the training files, of which prompts that are too long may be left out; None where it is not told."""
    import pyarrow.parquet as pq

    files = listed(data.get("train_files"))
    if (data.get("custom_cls") or {}).get("path") or not files or not all(map(readable_parquet, files)):
        return None
    try:
        rows = sum(int(pq.ParquetFile(expand(file)).metadata.num_rows) for file in files)
    except (OSError, ValueError):
        return None  # rows.py says so
    most = data.get("train_max_samples") or -1
    return min(rows, int(most)) if most > 0 else rows


CHECKS = (check_position,)

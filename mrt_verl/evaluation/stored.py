"""The records of a traces.jsonl, left on the disk: a long run's would not fit into memory (some 90 KB each)."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mrt_verl.evaluation.records import TraceRecord

Key = tuple[int, int]
"""(problem, trace)."""
_BLOCK = 1 << 20


class StoredRecords(Mapping[Key, TraceRecord]):
    """By problem and trace what is in a file; a record is read when it is asked for."""

    def __init__(self, path: Path) -> None:
        """Look through the file, which need not be there.

        Raises:
            ValueError: a line is no record; names the file and the line.
        """
        self._path = path
        self._at: dict[Key, int] = {}
        if path.is_file():
            self._at = {(record.problem, record.trace): offset for offset, record in read_at(path)}

    def add(self, key: Key, offset: int) -> None:
        """A record that was appended at a byte of the file."""
        self._at[key] = offset

    def __getitem__(self, key: Key) -> TraceRecord:
        with self._path.open("rb") as file:
            file.seek(self._at[key])
            return TraceRecord.from_dict(json.loads(file.readline()))

    def __contains__(self, key: object) -> bool:
        return key in self._at

    def __iter__(self) -> Iterator[Key]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)


def read_records(path: Path) -> Iterator[TraceRecord]:
    """The records of a traces.jsonl, one after the other.

    Raises:
        ValueError: a line is no record; names the file and the line.
    """
    return (record for _, record in read_at(path))


def read_at(path: Path) -> Iterator[tuple[int, TraceRecord]]:
    """The same, each with the byte at which its line starts."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = TraceRecord.from_dict(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:  # of bytes that are no UTF-8, too
                cut = "" if line.endswith(b"\n") else ", cut off: `run` with the same arguments repairs it"
                raise ValueError(f"{path}:{number}: not a record of a trace{cut} ({error})") from error
            yield offset, record
            offset += len(line)


def cut_partial_line(path: Path) -> None:
    """A run that was killed may have left half a line at the end: take it off."""
    with path.open("rb+") as file:
        end = begin = file.seek(0, os.SEEK_END)
        found = -1
        while begin > 0 and found < 0:
            stop, begin = begin, max(begin - _BLOCK, 0)
            file.seek(begin)
            found = file.read(stop - begin).rfind(b"\n")
        whole = begin + found + 1
        if whole < end:
            file.truncate(whole)

"""Rows and manifests as files that appear only when they are whole."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from data_prep.problems import DataError
from mrt_verl.whole import partial_path, whole_file

if TYPE_CHECKING:  # the command line starts without it
    import pyarrow as pa
    import pyarrow.parquet as pq

CHUNK = 10_000
"""Rows per row group: what is in memory at a time."""


class Schema(Protocol):
    """What a sink asks of a schema: to check each row, and then to name the columns' types."""

    def check(self, row: Mapping[str, Any], position: int) -> None: ...

    def arrow(self) -> "pa.Schema": ...


class ParquetSink:
    """Validates rows and streams them into `path`'s partial file, which `commit` renames."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self.rows = 0
        self._partial = partial_path(path)
        self._schema = schema
        self._chunk: list[Mapping[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Take one row.

        Raises:
            ValueError: the row is not valid; names row and column.
        """
        self._schema.check(row, self.rows)
        self._chunk.append(row)
        self.rows += 1
        if len(self._chunk) == CHUNK:
            self._flush()

    def finish(self) -> None:
        """Write what is left; the file is whole then, under its partial name.

        Raises:
            ValueError: there was no row.
        """
        if not self.rows:
            raise ValueError(f"{self.path}: no rows to write")
        self._flush()
        assert self._writer is not None
        with _explained(self.path):
            self._writer.close()

    def commit(self) -> None:
        """Give the whole file its name."""
        os.replace(self._partial, self.path)

    def abandon(self) -> None:
        """Remove the partial file."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # the reason to give up may be a full disk, which closing meets again
                self._writer.close()
        self._partial.unlink(missing_ok=True)

    def _flush(self) -> None:
        if not self._chunk:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pylist(self._chunk, schema=self._schema.arrow())
        with _explained(self.path):
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = pq.ParquetWriter(self._partial, table.schema, compression="zstd")
            self._writer.write_table(table)
        self._chunk.clear()


def write_rows(rows: Iterable[Mapping[str, Any]], path: Path, schema: Schema) -> int:
    """Stream rows into one file; returns their number.

    Raises:
        ValueError: a row is not valid, or there is none.
    """
    sink = ParquetSink(path, schema)
    try:
        for row in rows:
            sink.add(row)
        sink.finish()
        sink.commit()
    except BaseException:
        sink.abandon()
        raise
    return sink.rows


@contextlib.contextmanager
def explained_file(path: Path) -> Iterator[Path]:
    """`whole_file`, where a full disk says what it could not take."""
    with _explained(path), whole_file(path) as partial:
        yield partial


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """An error of the disk names the file and is one of the data's."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}") from error


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """`manifest.json` of a directory, written last: where it is, all the files it names are whole."""
    with explained_file(directory / "manifest.json") as partial:
        partial.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON types, by name."""
    return {key: json.loads(json.dumps(value, default=str)) for key, value in sorted(options.items())}


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

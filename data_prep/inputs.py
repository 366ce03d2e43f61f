"""Rows of a dataset: on the hub, in a directory laid out like it, or in one file; errors name file, row and column."""

import contextlib
import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from data_prep.problems import DataError, Row
from data_prep.writing import sha256

if TYPE_CHECKING:  # the command line starts without it
    import pyarrow.parquet as pq

SUFFIXES = (".parquet", ".jsonl", ".json", ".csv")
_BATCH = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows, their number if known, and what a manifest says of where they came from."""

    rows: Iterator[Row]
    origin: dict[str, Any]
    total: int | None = None


def read_file(path: Path, columns: Sequence[str]) -> Rows:
    """Rows of a parquet, JSON lines, JSON or CSV file, with at least the given columns.

    Raises:
        DataError: at once or while iterating: unknown format, no rows, broken, a column missing.
    """
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: unknown format; allowed: {', '.join(SUFFIXES)}, or a directory")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    before, origin = path.stat(), {"path": str(path), "sha256": sha256(path)}
    if path.suffix == ".parquet":
        file = _open_parquet(path)
        _require(columns, file.schema_arrow.names, str(path))
        return Rows(as_it_was(path, before, _parquet_rows(file, path, columns)), origin, file.metadata.num_rows)
    readers = {".jsonl": _json_lines, ".json": _json_list, ".csv": _csv_rows}
    return Rows(as_it_was(path, before, _checked(readers[path.suffix](path), columns, path)), origin)


def as_it_was(path: Path, before: os.stat_result, rows: Iterator[T]) -> Iterator[T]:
    """The rows of a file, of which the manifest names the hash.

    Raises:
        DataError: while iterating: the file is another one than before it was hashed.
    """
    yield from rows
    now = path.stat()
    if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
        raise DataError(f"{path}: changed while it was read; allowed: a file that nobody writes")


def read_dataset(
    place: str, *, config: str | None, split: str, revision: str | None, columns: Sequence[str], streaming: bool
) -> Rows:
    """Rows of a split through `datasets`: `place` is a repository on the hub or a directory laid out like one.

    Raises:
        DataError: at once or while iterating: it cannot be loaded, is empty, or a column is missing.
    """
    import datasets

    where = f"{place} (config {config}, split {split})" if config else f"{place} (split {split})"
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what it reports, it also raises
    try:
        data = datasets.load_dataset(place, name=config, split=split, revision=revision, streaming=streaming)
        names = data.column_names or list(next(iter(data)))
    except StopIteration:
        raise DataError(f"{where}: no rows") from None
    except Exception as error:  # the hub's client, parsers and file systems raise what they like; all mean "no data"
        raise DataError(f"{where}: cannot be loaded: {_one_line(error)}; --from PATH reads a local copy") from error
    _require(columns, names, where)
    total = None if streaming else len(data)
    return Rows(_dataset_rows(data.select_columns(list(columns)), where), {}, total)


def local_configs(directory: Path, configs: Sequence[str | None]) -> Sequence[str | None]:
    """The configs to read of a directory: those asked for, or the only one of a directory that names none.

    Raises:
        DataError: there are no data files in it.
    """
    import datasets

    try:
        found = datasets.get_dataset_config_names(str(directory))
    except Exception as error:  # as in read_dataset
        raise DataError(f"{directory}: cannot be loaded: {_one_line(error)}") from error
    return (None,) if found == ["default"] else configs


def resolve_revision(repository: str, revision: str | None) -> str:
    """The commit that a branch, a tag, a commit or None (the main branch) stands for on the hub now.

    Raises:
        DataError: the hub cannot be reached, or knows no such repository or revision.
    """
    from huggingface_hub import HfApi

    try:
        sha = HfApi().dataset_info(repository, revision=revision).sha
    except Exception as error:  # network, authentication, offline mode, unknown names: each has a type of its own
        raise DataError(
            f"{repository}: the hub does not answer for revision {revision or 'main'}: {_one_line(error)}; "
            "--from PATH reads a local copy"
        ) from error
    return str(sha)


def _open_parquet(path: Path) -> "pq.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a whole parquet file: {_one_line(error)}") from error


def _parquet_rows(file: "pq.ParquetFile", path: Path, columns: Sequence[str]) -> Iterator[Row]:
    import pyarrow as pa

    row = 0
    if not file.metadata.num_rows:
        raise DataError(f"{path}: no rows")
    try:
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(columns)):
            yield from batch.to_pylist()
            row += len(batch)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # such as a date that Python has none of
        raise DataError(f"{path}: broken after row {row}: {_one_line(error)}") from error


def _dataset_rows(data: Any, where: str) -> Iterator[Row]:
    row = 0
    try:
        for batch in data.iter(batch_size=_BATCH):
            columns = list(batch)
            for values in zip(*batch.values(), strict=True):
                yield dict(zip(columns, values, strict=True))
                row += 1
    except Exception as error:  # as in read_dataset
        raise DataError(f"{where}: broken after row {row}: {_one_line(error)}") from error
    if not row:
        raise DataError(f"{where}: no rows")


def _json_lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file):
            if line.strip():
                with _explained(f"{path}: row {number} is not JSON"):
                    yield json.loads(line)


def _json_list(path: Path) -> Iterator[Any]:
    with _explained(f"{path}: not JSON"):
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(content, list):
        raise DataError(f"{path}: holds a {type(content).__name__}; allowed: a list of objects, or .jsonl")
    yield from content


def _csv_rows(path: Path) -> Iterator[Any]:
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8-sig", newline="") as file, _explained(f"{path}: not CSV"):
        yield from csv.DictReader(file)


def _checked(rows: Iterator[Any], columns: Sequence[str], path: Path) -> Iterator[Row]:
    number = -1
    try:
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise DataError(f"{path}: row {number} is a {type(row).__name__}; allowed: an object")
            _require(columns, row, f"{path}: row {number}")
            yield row
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: broken after row {number}: {_one_line(error)}") from error
    if number < 0:
        raise DataError(f"{path}: no rows")


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError, csv.Error) as error:  # of JSON nested too deep, too
        raise DataError(f"{what}: {_one_line(error)}") from error


def _require(columns: Sequence[str], names: Any, where: str) -> None:
    for column in columns:
        if column not in names:
            raise DataError(f"{where}: column {column} is missing; got {', '.join(map(str, names))}")
        if list(names).count(column) > 1:
            raise DataError(f"{where}: column {column} is there twice; allowed: a name of its own for each")


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]

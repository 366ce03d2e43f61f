"""Rows of a table nobody has vetted: what is wrong with a row is that row's reason, never the end of the file."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_prep.inputs import SUFFIXES, Rows, read_dataset, read_file, resolve_revision
from data_prep.problems import DataError, Row, Unusable
from data_prep.writing import sha256

Item = Row | Unusable
"""A row, or why it is none."""


def read_table(place: str, *, config: str | None, split: str, columns: tuple[str, ...]) -> tuple[Iterator[Item], Rows]:
    """Items of a file or of a dataset on the hub, and where they come from.

    Args:
        place: a file, or `owner/name` on the hub.
        config: of a dataset on the hub.
        split: of a dataset on the hub.
        columns: the columns a row must have; a dot leads into a struct.

    Raises:
        DataError: no such file, unknown format, empty, or no row at all has the columns.
    """
    path = Path(place)
    tops = tuple(dict.fromkeys(column.split(".")[0] for column in columns))
    if not path.exists() and path.suffix not in SUFFIXES and place.count("/") == 1:
        revision = resolve_revision(place, None)
        rows = read_dataset(place, config=config, split=split, revision=revision, columns=tops, streaming=False)
        origin = {"repository": place, "config": config, "revision": revision, "split": split}
        return iter(rows.rows), Rows(iter(()), origin, rows.total)
    if not path.is_file():
        raise DataError(f"--from {place}: no such file; allowed: {', '.join(SUFFIXES)}, or owner/name on the hub")
    lenient = {".jsonl": _json_lines, ".csv": _csv_rows, ".json": _json_list}
    if path.suffix in lenient and path.stat().st_size:
        return lenient[path.suffix](path), Rows(iter(()), {"path": str(path), "sha256": sha256(path)})
    rows = read_file(path, tops)
    return iter(rows.rows), rows


def field_of(row: Item, column: str) -> Any:
    """The value of a column.

    Raises:
        Unusable: the row is none, or has no such column.
    """
    if isinstance(row, Unusable):
        raise row
    if column in row:
        return row[column]
    value: Any = row
    for name in column.split("."):
        if not isinstance(value, dict) or name not in value:
            raise Unusable(column, "not there", row)
        value = value[name]
    return value


def _json_lines(path: Path) -> Iterator[Item]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                line.encode("utf-8")
                row = json.loads(line)
            except UnicodeEncodeError:
                yield Unusable("(row)", "not UTF-8", ascii(line))
            except (ValueError, RecursionError):
                yield Unusable("(row)", "not JSON", line.strip())
            else:
                yield _object(row)


def _json_list(path: Path) -> Iterator[Item]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, list):
        raise DataError(f"{path}: holds a {type(content).__name__}; allowed: a list of objects, or .jsonl")
    yield from map(_object, content)


def _object(value: Any) -> Item:
    if isinstance(value, dict):
        return value
    return Unusable("(row)", "null" if value is None else f"a {type(value).__name__}, not an object", value)


def _csv_rows(path: Path) -> Iterator[Item]:
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Unusable("(row)", f"not CSV: {error}")
                continue
            if None in row:
                yield Unusable("(row)", "more values than columns", row)
            elif any("\udc80" <= character <= "\udcff" for value in row.values() for character in value or ""):
                yield Unusable("(row)", "not UTF-8", ascii(row))
            else:
                yield row

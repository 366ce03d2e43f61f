"""Rows of a table nobody has vetted: what is wrong with a row is that row's reason, never the end of the file."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_prep.inputs import SUFFIXES, Rows, as_it_was, read_dataset, read_file, resolve_revision
from data_prep.problems import DataError, Row, Unusable
from data_prep.writing import sha256

Item = Row | Unusable
"""A row, or why it is none."""
KINDS = {".ndjson": ".jsonl", ".tsv": ".csv"}
"""Other names of formats."""
OTHERS = {
    b"PAR1": "a parquet file, to be named .parquet",
    b"\x1f\x8b": "gzip, to be unpacked with gunzip",
    b"\x28\xb5\x2f\xfd": "zstd, to be unpacked with unzstd",
    b"PK\x03\x04": "a zip file or a spreadsheet, to be unpacked, or saved as CSV",
    b"\xff\xfe": "UTF-16, to be converted with iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16, to be converted with iconv -f UTF-16 -t UTF-8",
}
"""What files of other formats begin with."""
DELIMITERS = ",;\t|"
"""Of CSV files; spreadsheets write the second where a comma stands in numbers."""


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
    suffix = KINDS.get(path.suffix.lower(), path.suffix.lower())
    if not path.exists() and suffix not in SUFFIXES and place.count("/") == 1:
        revision = resolve_revision(place, None)
        rows = read_dataset(place, config=config, split=split, revision=revision, columns=tops, streaming=False)
        hub = {"repository": place, "config": config, "revision": revision, "split": split}
        return iter(rows.rows), Rows(iter(()), hub, rows.total)
    allowed = f"allowed: {', '.join((*SUFFIXES, *KINDS))}, or owner/name on the hub"
    if not path.is_file():
        what = "a directory" if path.is_dir() else "no such file"
        raise DataError(f"--from {place}: {what}; {allowed}")
    if suffix not in SUFFIXES:
        packed = "packed, gunzip it first" if suffix == ".gz" else "unknown format"
        raise DataError(f"--from {place}: {packed}; {allowed}")
    if suffix == ".parquet":
        rows = read_file(path, tops)
        return iter(rows.rows), rows
    if not path.stat().st_size:
        raise DataError(f"{path}: the file is empty")
    _check_content(path)
    before = path.stat()
    about = Rows(iter(()), {"path": str(path), "sha256": sha256(path)})
    json_rows = _json_lines if suffix == ".jsonl" else _json_list
    items = _csv_rows(path, columns) if suffix == ".csv" else json_rows(path)
    return as_it_was(path, before, items), about


def _check_content(path: Path) -> None:
    """Raises DataError: a file that is named as text holds another format."""
    with path.open("rb") as file:
        begins = file.read(4)
    for magic, what in OTHERS.items():
        if begins.startswith(magic):
            raise DataError(f"{path}: holds {what}; allowed: UTF-8 text in it")


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
            except json.JSONDecodeError:
                yield Unusable("(row)", "not JSON", line.strip())
            except (ValueError, RecursionError) as error:  # JSON, but of numbers too long or nested too deep for Python
                yield Unusable("(row)", f"cannot be read: {error}", line.strip())
            else:
                yield _object(row)


def _json_list(path: Path) -> Iterator[Item]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        hint = "; one object a line is .jsonl" if "Extra data" in str(error) else ""
        raise DataError(f"{path}: not JSON: {error}{hint}") from error
    if not isinstance(content, list):
        raise DataError(f"{path}: holds a {type(content).__name__}; allowed: a list of objects, or .jsonl")
    yield from map(_object, content)


def _object(value: Any) -> Item:
    if isinstance(value, dict):
        return value
    return Unusable("(row)", "null" if value is None else f"a {type(value).__name__}, not an object", value)


def _delimiter(path: Path, columns: Sequence[str]) -> str:
    """What parts the columns of a CSV file: the first of DELIMITERS under which its header has all that are asked for.

    Raises:
        DataError: none does; says which columns there are.
    """
    headers: list[list[str]] = []
    for delimiter in DELIMITERS:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            try:
                headers.append(next(csv.reader(file, delimiter=delimiter), []))
            except csv.Error as error:
                raise DataError(f"{path}: its first line, which names the columns, is not CSV: {error}") from error
        if all(column in headers[-1] for column in columns):
            if twice := [column for column in columns if headers[-1].count(column) > 1]:
                raise DataError(f"{path}: column {twice[0]} is there twice; allowed: a name of its own for each")
            return delimiter
    header = max(headers, key=len)
    missing = next(column for column in columns if column not in header)
    raise DataError(f"{path}: column {missing} is in no row; got {', '.join(header) or 'none'} in its first line")


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[Item]:
    csv.field_size_limit(1 << 30)
    delimiter = _delimiter(path, columns)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
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

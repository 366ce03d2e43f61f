"""Trace files where the disk is full, cannot be written, or a step has several batches."""

import json
import logging
import os
from pathlib import Path

import pytest

from mrt_verl import whole
from mrt_verl.trace_log import TraceLog
from tests.faults.records import rollout


def numbered(number):
    """Half a character stands in its prompt: it must not end a run either."""
    return rollout(markers=number, prompt_text="\ud800")


def markers(path):
    return [json.loads(line)["markers"] for line in path.read_text().splitlines()]


def test_a_full_disk_is_told_once_and_again_when_it_is_over(tmp_path, monkeypatch, caplog):
    log, real = TraceLog(str(tmp_path), 8), whole.os.replace
    log.write([numbered(0)], 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    with caplog.at_level(logging.WARNING):
        monkeypatch.setattr(whole.os, "replace", full)
        for step in (2, 3, 4):
            log.write([numbered(step)], step)
        monkeypatch.setattr(whole.os, "replace", real)
        log.write([numbered(5)], 5)
    expected = [f"{tmp_path}/2.jsonl cannot be written (No space left on device)", f"{tmp_path}/5.jsonl is written"]
    assert [record.getMessage()[: len(line)] for record, line in zip(caplog.records, expected, strict=True)] == expected
    assert sorted(os.listdir(tmp_path)) == ["1.jsonl", "5.jsonl"]  # and no half of a file


@pytest.mark.parametrize("place", ["file/traces", "/proc/traces"])
def test_a_directory_that_cannot_be_made(tmp_path, caplog, place):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        TraceLog(str(tmp_path / place), 8).write([numbered(0)], 1)
    assert "1.jsonl cannot be written (" in caplog.text


def test_a_disk_that_is_really_full(caplog):
    """/dev/full takes nothing."""
    with caplog.at_level(logging.WARNING):
        for step in (1, 2):
            TraceLog("/dev/full", 8).write([numbered(0)], step)
    assert "cannot be written" in caplog.text


def test_the_batches_of_a_step_are_in_one_file(tmp_path):
    log = TraceLog(str(tmp_path), 2)
    log.write([numbered(0), numbered(1), numbered(2)], 7)
    log.write([numbered(3)], 7)
    log.write([numbered(4)], 8)
    assert markers(tmp_path / "7.jsonl") == [0, 1, 3]
    assert markers(tmp_path / "8.jsonl") == [4]
    # a run that is resumed does the step again
    TraceLog(str(tmp_path), 2).write([numbered(5)], 8)
    assert markers(tmp_path / "8.jsonl") == [5]


def test_no_directory_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TraceLog(None, 2).write([numbered(0)], 1)
    assert list(Path().iterdir()) == []

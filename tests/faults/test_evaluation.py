"""An evaluation that is killed, resumed, doubled, or whose disk is full."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_prep.problems import DataError
from data_prep.traces import read_run
from mrt_verl.evaluation.config import EvaluationConfig
from mrt_verl.evaluation.evaluate_models import of_this_run, request_settings
from mrt_verl.evaluation.load import load_runs
from mrt_verl.evaluation.store import TRACES, Store
from mrt_verl.evaluation.stored import cut_partial_line
from mrt_verl.interrupts import Terminated, run_command
from mrt_verl.locks import Locked
from tests.evaluation_records import record, settings, write_run


def test_a_second_evaluation_of_a_run_is_refused(tmp_path):
    with Store(tmp_path, settings()) as store:
        store.append(record())
        with pytest.raises(Locked, match=r"traces\.jsonl is in use by another run"):
            Store(tmp_path, settings())
    with Store(tmp_path, settings()) as store:
        assert len(store.records) == 1


def test_records_stay_on_the_disk(tmp_path):
    with Store(tmp_path, settings()) as store:
        for number in range(3):
            store.append(record(problem=number))
    with Store(tmp_path, settings()) as store:
        store.append(record(problem=3))
        assert [one.problem for one in store.records.values()] == [0, 1, 2, 3]
        assert store.records[2, 0] == record(problem=2)
        held = [value for value in vars(store.records).values() if not isinstance(value, Path)]
        assert held == [{key: held[0][key] for key in [(0, 0), (1, 0), (2, 0), (3, 0)]}]
        assert all(isinstance(value, int) for value in held[0].values())


class FullDisk:
    """A file on a disk with room for 100 bytes."""

    def __init__(self, file):
        self._file, self._room = file, 100

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        if not self._room:
            raise OSError(28, "No space left on device")
        written = self._file.write(data[: self._room])
        self._room -= written
        return written


def test_a_full_disk_leaves_no_half_of_a_record(tmp_path):
    with Store(tmp_path, settings()) as store:
        store.append(record())
        whole = (tmp_path / TRACES).read_bytes()
        store._file = FullDisk(store._file)
        with pytest.raises(OSError, match="No space left"):
            store.append(record(problem=1))
        assert (tmp_path / TRACES).read_bytes() == whole
    with Store(tmp_path, settings()) as store:
        store.append(record(problem=1))
    assert len(load_runs([tmp_path])[0].problems) == 2


LONG = b"x" * 3_000_000 + b"\n" + b"y" * 2_000_000


@pytest.mark.parametrize("content", [b"", b"half", b"one\n", b"one\ntwo\nhal", LONG])
def test_a_cut_line_is_found_from_the_end(tmp_path, content):
    path = tmp_path / TRACES
    path.write_bytes(content)
    cut_partial_line(path)
    assert path.read_bytes() == content[: content.rfind(b"\n") + 1]


def test_traces_that_two_runs_wrote_are_told(tmp_path):
    path = write_run(tmp_path / "run", [record(), record(problem=1), record()])
    with pytest.raises(ValueError, match="problem 0, trace 0 is there twice: two runs wrote into it"):
        load_runs([path])
    with pytest.raises(DataError, match="problem 0, trace 0 is there twice: two runs wrote into it"):
        read_run(path)


def evaluation_config(directory, **changes):
    return EvaluationConfig(models={"m": "m"}, data=directory / "d", budgets=[8], out=directory, **changes)


def test_a_run_that_goes_on_draws_anew(tmp_path):
    config = evaluation_config(tmp_path)
    seeds = [of_this_run(config, stored).seed for stored in range(100)]
    assert seeds[0] == config.seed
    assert len(set(seeds)) == 100
    assert of_this_run(config, 7).seed == seeds[7]


def test_an_endpoint_gets_the_seed_with_each_request(tmp_path):
    endpoint = evaluation_config(tmp_path, base_url="http://localhost/v1", seed=5)
    assert request_settings(endpoint).seed == 5
    assert request_settings(evaluation_config(tmp_path, seed=5)).seed is None


def test_a_command_that_is_told_to_stop_unwinds(capsys):
    ended = []

    def command():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            ended.append(True)

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert run_command("mrt-eval", command, "it goes on") == 143
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended
    assert capsys.readouterr().err == "mrt-eval: interrupted; it goes on\n"
    assert issubclass(Terminated, KeyboardInterrupt)


def left_of(pids):
    alive = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        alive += [pid] if state != "Z" else []
    return alive


PARENT = """
import os, subprocess, sys, time
from mrt_verl.processes import Guard, descendants, without
before_it = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
guard = Guard()
before = descendants(os.getpid())
CHILD = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)']); "
engine = subprocess.Popen([sys.executable, "-c", CHILD + "time.sleep(100)"], start_new_session=True)
time.sleep(1)
guard.only(without(descendants(os.getpid()), before))
after_it = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
print(before_it.pid, after_it.pid, *without(descendants(os.getpid()), before), flush=True)
time.sleep(100)
"""


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_engine_does_not_outlive_its_evaluation(number):
    """Whoever else was started by the same program does: a notebook's other work is none of ours."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    before_it, after_it, *started = map(int, parent.stdout.readline().split())
    engine = [pid for pid in started if pid != after_it]
    try:
        assert len(engine) == 2
        time.sleep(2.5)  # two looks
        parent.send_signal(number)
        parent.wait()
        until = time.monotonic() + 10
        while left_of(engine) and time.monotonic() < until:
            time.sleep(0.1)
        assert left_of(engine) == []
        assert left_of([before_it, after_it]) == [before_it, after_it]
    finally:
        for pid in left_of([before_it, after_it, *engine]):
            os.kill(pid, signal.SIGKILL)
        parent.stdout.close()

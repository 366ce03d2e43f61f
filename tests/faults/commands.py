"""Faults of an evaluation and of data_prep: told to stop, killed, started twice, and what they leave."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mrt_verl.processes import kill_marked, marked, new_mark
from tests.faults.case import PATIENCE, Case, Seen
from tests.faults.training import ENVIRONMENT, MARK, ROOT

START_S = 300 * PATIENCE


class Command:
    """One command in a process of its own; all that it starts carries a mark."""

    def __init__(self, words: Sequence[str], log: Path) -> None:
        self._mark, self.log_path = new_mark(), log
        own = {"PYTHONPATH": str(ROOT), MARK: self._mark}
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env={**os.environ, **ENVIRONMENT, **own},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def left(self, seconds: float) -> int:
        """How many processes of it there are after so many seconds."""
        until = time.monotonic() + seconds
        while (found := len(list(marked(MARK, self._mark)))) and time.monotonic() < until:
            time.sleep(0.2)
        return found

    def end(self) -> None:
        kill_marked(MARK, self._mark)
        self.process.wait()


def run_to_end(words: Sequence[str], log: Path, seconds: float) -> int:
    """Its exit code; all of it is killed where it takes longer."""
    command = Command(words, log)
    try:
        return command.process.wait(seconds)
    finally:
        command.end()


def evaluate(workspace: Path, out: Path) -> list[str]:
    """The words of an evaluation of some seconds."""
    return [
        *("mrt_verl.evaluation", "run", "--model", f"tiny={workspace}/model", "--data"),
        *(f"{workspace}/data/test.parquet", "--budgets", "120", "--out", str(out / "evaluation"), "--traces", "32"),
        *("--concurrency", "4", "--direct", "2", "--engine", "max_model_len=512", "--set", "mrt.seed=1"),
    ]


def lines(out: Path) -> int:
    path = out / "evaluation" / "tiny" / "traces.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for_lines(command: Command, out: Path, count: int) -> None:
    until = time.monotonic() + START_S
    while lines(out) < count and command.process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)


def stopped(number: signal.Signals) -> Case:
    """An evaluation that is told to stop, or killed, in its middle: its engine goes with it, and it can go on."""

    def run(workspace: Path, out: Path) -> Seen:
        seen = Seen()
        out.mkdir(parents=True, exist_ok=True)
        command = Command(evaluate(workspace, out), out / "log")
        try:
            wait_for_lines(command, out, 8)
            seen.check("it is in its middle", 8 <= lines(out) < 256 and command.process.poll() is None)
            second = Command(evaluate(workspace, out), out / "second")
            code = second.process.wait(120 * PATIENCE)
            seen.check(f"a second one is refused ({code})", code == 1 and "is in use by" in second.log_path.read_text())
            started = time.monotonic()
            command.process.send_signal(number)
            code = command.process.wait(60 * PATIENCE)
            left = command.left(20)
            gone = time.monotonic() - started
            seen.check(f"no process is left after {gone:.0f} s ({left})", not left)
            if number == signal.SIGTERM:
                seen.check("told in one line", "interrupted; the same command goes on" in command.log_path.read_text())
                seen.check(f"exit code 143 ({code})", code == 143)
            seen.told_s, seen.what = gone, f"exit code {code}, nothing left, {lines(out)} of 256 traces kept"
        finally:
            command.end()
        code = run_to_end(evaluate(workspace, out), out / "again", START_S)
        seen.check(f"it goes on to its end ({code}, {lines(out)})", (code, lines(out)) == (0, 256))
        seen.what += f"; resumed to {lines(out)}"
        return seen

    name = signal.Signals(number).name
    return Case(f"evaluation_{name.lower()}", f"{name} of an evaluation", "sampling", "no engine is left", run)


def undisturbed_data_prep(out: Path, seen: Seen) -> tuple[list[str], float]:
    """The words of a `data_prep file` but for `--out`, and the seconds that it takes; it writes to `whole`."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "in.jsonl").write_text("".join(f'{{"problem": "{n} + {n}?", "answer": "{2 * n}"}}\n' for n in range(3000)))
    words = ["data_prep", "file", "--from", str(out / "in.jsonl"), "--question", "problem", "--answer", "answer"]
    started = time.monotonic()
    code = run_to_end([*words, "--out", str(out / "whole")], out / "log_whole", 120 * PATIENCE)
    seen.check("an undisturbed run ends well", code == 0)
    return words, time.monotonic() - started


def data_prep_interrupted(workspace: Path, out: Path) -> Seen:
    """SIGINT at twelve moments of `data_prep file`: one line, no traceback, no half of a file."""
    seen = Seen()
    words, seconds = undisturbed_data_prep(out, seen)
    ends: list[str] = []
    for moment in range(1, 13):
        log = out / f"log{moment}"
        command = Command([*words, "--out", str(out / f"out{moment}")], log)
        time.sleep(seconds * moment / 13)
        command.process.send_signal(signal.SIGINT)
        code = command.process.wait(60 * PATIENCE)
        text = log.read_text()
        in_python = code in (1, -2) and "data_prep" not in text.split("KeyboardInterrupt")[0]  # before any line of ours
        seen.check(f"moment {moment}: no traceback (exit code {code})", "Traceback" not in text or in_python)
        seen.check(f"moment {moment}: nothing is left", not command.left(10))
        half = [path.name for path in (out / f"out{moment}").glob("*") if code and path.suffix != ".partial"]
        seen.check(f"moment {moment}: no file without a manifest {half}", not half or "manifest.json" in half)
        ends.append(str(code))
    interrupted = sum(code != "0" for code in ends)
    seen.check(f"most of them came before its end ({interrupted})", interrupted >= 6)
    seen.what = f"exit codes {' '.join(ends)}; {interrupted} of 12 interrupted"
    return seen


def data_prep_killed(workspace: Path, out: Path) -> Seen:
    """SIGKILL at ten moments of `data_prep file` into one directory, then to its end: the undisturbed run's bytes."""
    seen, killed = Seen(), 0
    words, seconds = undisturbed_data_prep(out, seen)
    for tenth in range(1, 11):
        command = Command([*words, "--out", str(out / "killed")], out / f"log{tenth}")
        time.sleep(seconds * tenth / 10)
        killed += command.process.poll() is None
        command.end()
    code = run_to_end([*words, "--out", str(out / "killed")], out / "log_last", 120 * PATIENCE)
    seen.check("the last one ends well", code == 0)
    files = {path.name: path.read_bytes() for path in (out / "whole").glob("*.parquet")}
    after = {path.name: path.read_bytes() for path in (out / "killed").glob("*.parquet")}
    seen.check(f"the same files {sorted(files)} {sorted(after)}", bool(files) and files.keys() == after.keys())
    seen.check("the same bytes", files == after)
    seen.what = f"{killed} of 10 were killed before their end; {len(files)} files, the same bytes"
    return seen


def evaluation_killed_often(workspace: Path, out: Path) -> Seen:
    """SIGKILL ten times while traces are sampled: every trace is there once, and an undisturbed run has the same."""
    seen = Seen()
    (out / "whole").mkdir(parents=True, exist_ok=True)
    code = run_to_end(evaluate(workspace, out / "whole"), out / "log_whole", START_S)
    seen.check("an undisturbed run ends well", code == 0)
    for number in range(1, 11):
        command = Command(evaluate(workspace, out), out / f"log{number}")
        wait_for_lines(command, out, 24 * number)
        seen.check(f"killed at {lines(out)} traces", command.process.poll() is None)
        command.end()
    code = run_to_end(evaluate(workspace, out), out / "log_last", START_S)
    seen.check("the last one ends well", code == 0)
    undisturbed, disturbed = (traces(place) for place in (out / "whole", out))
    ids = [key for key, _ in disturbed]
    seen.check(f"256 traces, none twice ({len(ids)}, {len(set(ids))})", len(ids) == len(set(ids)) == 256)
    seen.check("the same traces by id", set(ids) == {key for key, _ in undisturbed})
    same = sum(dict(undisturbed).get(key) == text for key, text in disturbed)
    seen.what = f"256 traces, each once; {same} of them word for word those of an undisturbed run"
    return seen


def traces(out: Path) -> list[tuple[str, str]]:
    """(problem and number, response) of an evaluation's traces."""
    rows = map(json.loads, (out / "evaluation" / "tiny" / "traces.jsonl").read_text().splitlines())
    return [(f"{row['problem']} {row['trace']}", row["response"]) for row in rows]


CASES = (
    stopped(signal.SIGTERM),
    stopped(signal.SIGKILL),
    Case("data_prep_interrupted", "SIGINT of data_prep", "12 moments", "one line, no half file", data_prep_interrupted),
    Case("data_prep_killed", "kill -9 of data_prep, ten times", "10 moments", "the same bytes", data_prep_killed),
    Case(
        *("evaluation_killed_often", "kill -9 of an evaluation, ten times", "sampling"),
        *("each trace once", evaluation_killed_often, 1500),
    ),
)

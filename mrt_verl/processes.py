"""Processes of ours and whatever they start: found again wherever they moved to, and ended with those that need them.

A process group does not do: a child in a session of its own, or one whose parent died, has left it. Those of /proc are
found by a mark in their environment, or by who started whom.

`python -m mrt_verl.processes PID` waits for the death of its parent PID, and ends what that had started.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

LOOK_S = 1.0
"""Seconds between two looks at what a process has started."""


def new_mark() -> str:
    """A mark that no other process has."""
    return uuid4().hex


def marked(name: str, mark: str) -> Iterator[int]:
    """Process ids whose environment held NAME=MARK when they were started, this one apart; none without /proc."""
    wanted = f"{name}={mark}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                yield int(path.parent.name)
        except (OSError, ValueError):
            continue  # it ended meanwhile, or is another user's


def kill_marked(name: str, mark: str) -> int:
    """Kill them, and what they start meanwhile; how many there were."""
    count = 0
    for _ in range(10):  # a process that forks as fast as it is killed is not hunted for ever
        found = list(marked(name, mark))
        if not found:
            break
        for pid in found:
            count += _kill(pid)
    return count


def descendants(pid: int, *, itself: bool = False) -> dict[int, str]:
    """Process ids of all that a process has started, with the time of their start, which tells a reused id.

    Args:
        itself: with the process, if it is there.
    """
    started: dict[int, str] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        found = _stat(path)
        if found is not None:
            one, parent, start = found
            started[one] = start
            children.setdefault(parent, []).append(one)
    todo, seen = [pid], {pid} & set(started) if itself else set()
    while todo:
        for one in children.get(todo.pop(), ()):
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return {one: started[one] for one in seen}


def without(processes: Mapping[int, str], others: Mapping[int, str]) -> dict[int, str]:
    """Those of `descendants` that are not among others."""
    return {pid: start for pid, start in processes.items() if others.get(pid) != start}


def kill_all(processes: Mapping[int, str]) -> int:
    """Kill those of `descendants` that are still there; how many there were."""
    there = (pid for pid, start in processes.items() if (_stat(Path(f"/proc/{pid}/stat")) or ("",) * 3)[2] == start)
    return sum(map(_kill, there))


class Guard:
    """A process that ends what this one starts from now on, once this one has died by whatever signal."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "mrt_verl.processes", str(os.getpid())]
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        # a session of its own: the signal of a key press must not end it first
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}, start_new_session=True
        )

    def only(self, processes: Mapping[int, str]) -> None:
        """From now on it ends these alone, and what they start."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(f"{' '.join(map(str, processes))}\n".encode())
            self._process.stdin.flush()

    def call_off(self) -> None:
        """End it; it ends nobody."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


def outlive(parent: int) -> int:
    """Wait for the death of this process's parent, then kill what that had started; how many processes there were.

    A line on standard input, with process ids, says whom alone.
    """
    before, known = descendants(parent), dict[int, str]()
    roots: list[int] | None = None
    while os.getppid() == parent:
        if roots is None and select.select([sys.stdin], [], [], 0)[0] and (line := sys.stdin.readline()):
            roots, known = [int(word) for word in line.split()], {}
        if roots is None:
            known = without(descendants(parent), before)
        else:
            known |= {pid: start for root in roots for pid, start in descendants(root, itself=True).items()}
        time.sleep(LOOK_S)
    return kill_all(known)


def cpu_seconds(pid: int) -> float | None:
    """Processor time that a process of this machine has taken; None of one that is gone, or without /proc."""
    found = _fields(Path(f"/proc/{pid}/stat"))
    return None if found is None else (int(found[1][11]) + int(found[1][12])) / os.sysconf("SC_CLK_TCK")


def _stat(path: Path) -> tuple[int, int, str] | None:
    """(process id, parent's, time of start) of a /proc/PID/stat; None for a process that is gone or a zombie."""
    found = _fields(path)
    return None if found is None else (found[0], int(found[1][1]), found[1][19])


def _fields(path: Path) -> tuple[int, list[str]] | None:
    """(process id, what follows its name) of a /proc/PID/stat; None for a process that is gone or a zombie."""
    try:
        head, _, tail = path.read_text(errors="replace").rpartition(")")
        fields = tail.split()
        return None if fields[0] == "Z" else (int(head.split(" ", 1)[0]), fields)
    except (OSError, ValueError, IndexError):
        return None


def _kill(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return 0
    return 1


if __name__ == "__main__":
    outlive(int(sys.argv[1]))

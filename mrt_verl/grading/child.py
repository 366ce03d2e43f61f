"""A worker's handle in the grading process: it is started, waited for, read, and ended with all that it started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

from mrt_verl.grading.channel import Channel, ChannelClosed
from mrt_verl.grading.printed import Printed
from mrt_verl.processes import kill_marked, new_mark

START_TIMEOUT_S = 120.0
"""A worker imports sympy, or a user's function with all it needs; no answer is to blame for that time."""
MARK = "MRT_GRADING_WORKER"
"""In the environment of a worker and of all that it starts."""


class WorkerFailed(Exception):
    """A worker could not start; says why."""


class Worker:
    """Handle of one child process, which starts at once and is waited for when it is needed.

    Raises:
        WorkerFailed: the system does not let it start.
    """

    def __init__(self, packed: bytes | None, memory_mb: int, printed: Printed) -> None:
        """Start it.

        Args:
            printed: takes what the process and its children write to their standard output and error.
        """
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:  # no file descriptor is free
            raise WorkerFailed(f"a grading worker could not start: {error}") from error
        self.channel = Channel(ours)
        self._is_ready = False
        # a function of numbers and texts starts no processes, as a rule: then there is nothing to look for
        self._may_have_children = packed is not None
        self._mark = new_mark()
        try:
            with theirs:
                self.process = _start_process(theirs.fileno(), self._mark)
        except WorkerFailed:
            self.channel.close()
            raise
        assert self.process.stdout is not None
        printed.follow(self.process.stdout)
        with contextlib.suppress(ChannelClosed, TimeoutError):  # then `wait_ready` says so
            self.channel.send((packed, memory_mb), START_TIMEOUT_S)

    def wait_ready(self) -> None:
        """Wait until it has imported what it needs.

        Raises:
            WorkerFailed: it could not.
        """
        if self._is_ready:
            return
        try:
            failure = self.channel.receive_plain(START_TIMEOUT_S)
        except (ChannelClosed, TimeoutError) as error:
            failure = f"no sign of life ({type(error).__name__})"
        if failure is not None:
            raise WorkerFailed(f"a grading worker could not start: {failure}")
        self._is_ready = True

    def kill(self) -> None:
        """End the process and whatever it started; returns when it is gone."""
        self.channel.close()
        self.kill_group()
        self.process.wait()
        if self._may_have_children:
            kill_marked(MARK, self._mark)

    def kill_group(self) -> None:
        """End the process and its group at once; nothing is waited for."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def _start_process(descriptor: int, mark: str) -> "subprocess.Popen[bytes]":
    # -P: a file of the working directory must not shadow a module
    command = [sys.executable, "-P", "-m", "mrt_verl.grading.worker", str(descriptor), str(os.getpid())]
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    try:
        return subprocess.Popen(
            command,
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, MARK: mark},
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerFailed(f"a grading worker could not start: {error}") from error

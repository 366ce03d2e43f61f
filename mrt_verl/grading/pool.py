"""The workers' side in the grading process: who gets which task, and what happens to a worker that does not answer."""

import contextlib
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from mrt_verl.grading.channel import Channel, ChannelClosed
from mrt_verl.grading.grades import Grade, Verdict, grade_of_result

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0
"""A worker imports sympy, or a user's function with all it needs; no answer is to blame for that time."""
BATCH = 32
"""Most tasks sent at once: enough to make the way there cheap, few enough to share them between workers."""


class WorkerFailed(Exception):
    """A worker could not start; says why."""


class Worker:
    """Handle of one child process, which starts at once and is waited for when it is needed.

    Raises:
        WorkerFailed: the system does not let it start.
    """

    def __init__(self, packed: bytes | None, memory_mb: int) -> None:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:  # no file descriptor is free
            raise WorkerFailed(f"a grading worker could not start: {error}") from error
        self.channel = Channel(ours)
        self._is_ready = False
        try:
            with theirs:
                self.process = _start_process(theirs.fileno())
        except WorkerFailed:
            self.channel.close()
            raise
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
            failure = self.channel.receive(START_TIMEOUT_S)
        except (ChannelClosed, TimeoutError) as error:
            failure = f"no sign of life ({type(error).__name__})"
        if failure is not None:
            raise WorkerFailed(f"a grading worker could not start: {failure}")
        self._is_ready = True

    def kill(self) -> None:
        """End the process and whatever it started; returns when it is gone."""
        self.channel.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _start_process(descriptor: int) -> "subprocess.Popen[bytes]":
    # -P: a file of the working directory must not shadow a module
    command = [sys.executable, "-P", "-m", "mrt_verl.grading.worker", str(descriptor), str(os.getpid())]
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    try:
        return subprocess.Popen(
            command,
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerFailed(f"a grading worker could not start: {error}") from error


@dataclass(slots=True)
class _Job:
    task: Any
    future: "Future[Grade]" = field(default_factory=Future)
    crashes: int = 0


class Pool:
    """Threads that own one worker each, over one queue of jobs; workers start with the first job.

    A worker is started by the thread that keeps it, because the kernel ties the worker's life to that thread.
    """

    def __init__(
        self, *, packed: bytes | None, workers: int, deadline_s: float, memory_mb: int, on_restart: Callable[[], None]
    ) -> None:
        self._packed, self._deadline_s, self._memory_mb, self._on_restart = packed, deadline_s, memory_mb, on_restart
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._workers: dict[int, Worker] = {}
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, daemon=True, name="mrt-grader") for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Any) -> "Future[Grade]":
        """Queue a task: (reference, answer) pairs, or the packed arguments of the pool's function."""
        job = _Job(task)
        # marked as running, so that one caller's cancellation does not cancel what others wait for too
        job.future.set_running_or_notify_cancel()
        self._queue.put(job)
        return job.future

    def pids(self) -> list[int]:
        """Process ids of the live workers."""
        return [worker.process.pid for worker in list(self._workers.values())]

    def close(self) -> None:
        """End workers and threads at once; whatever was not graded yet is an error."""
        self._closed = True
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():  # the garbage collector may run in any thread
                thread.join()

    def abandon(self) -> None:
        """In a forked child: the workers are the parent's, only the copies of their sockets are closed."""
        for worker in self._workers.values():
            worker.channel.close()

    def _serve(self) -> None:
        """Work until the pool closes, whatever happens: without this thread no later grading would ever return."""
        while jobs := self._take():
            try:
                self._work_off(jobs)
            except BaseException as error:
                logger.exception("a grading failed in the process that asked for it")
                with contextlib.suppress(Exception):
                    self._drop_worker()
                _fail_all(jobs, f"{type(error).__name__}: {error}")
        self._drop_worker()

    def _take(self) -> deque[_Job]:
        """The next jobs: one thread's share of what is there, at least one; empty once the pool closes."""
        share = max(1, min(BATCH, self._queue.qsize() // len(self._threads)))
        jobs: deque[_Job] = deque()
        with contextlib.suppress(queue.Empty):
            while len(jobs) < share:
                job = self._queue.get(block=not jobs)
                if job is None:
                    if jobs:
                        self._queue.put(None)
                    break
                jobs.append(job)
        return jobs

    def _work_off(self, jobs: deque[_Job]) -> None:
        """Give every job its grade, on as many workers as that takes."""
        while jobs:
            if self._closed:
                _fail_all(jobs, "the grader was closed")
                return
            try:
                self._ask(jobs)
            except WorkerFailed as failure:
                self._drop_worker()
                _fail_all(jobs, str(failure))
            except TimeoutError:
                self._replace_worker()
                text = f"no verdict within {self._deadline_s:g} s"
                jobs.popleft().future.set_result(Grade(Verdict.TIMEOUT, 0.0, text))
            except ChannelClosed:
                if self._closed:
                    continue
                self._replace_worker()
                # the first crash may have come from outside (an OOM killer, an operator): a second worker tries
                jobs[0].crashes += 1
                if jobs[0].crashes == 2:
                    jobs.popleft().future.set_result(
                        Grade(Verdict.ERROR, 0.0, "two worker processes died on this answer")
                    )

    def _ask(self, jobs: deque[_Job]) -> None:
        """Send the jobs to this thread's worker and take them off as their results come in."""
        worker = self._own_worker()
        worker.wait_ready()
        channel = worker.channel
        channel.send([job.task for job in jobs], self._deadline_s)
        while jobs:
            result, leaving = channel.receive(self._deadline_s)
            jobs.popleft().future.set_result(grade_of_result(*result))
            if leaving:
                self._drop_worker()
                return

    def _own_worker(self) -> Worker:
        me = threading.get_ident()
        if me not in self._workers:
            self._workers[me] = Worker(self._packed, self._memory_mb)
        return self._workers[me]

    def _replace_worker(self) -> None:
        self._drop_worker()
        self._on_restart()
        with contextlib.suppress(WorkerFailed):  # then the next job says so
            self._own_worker()

    def _drop_worker(self) -> None:
        worker = self._workers.pop(threading.get_ident(), None)
        if worker is not None:
            worker.kill()


def _fail_all(jobs: deque[_Job], why: str) -> None:
    while jobs:
        future = jobs.popleft().future
        if not future.done():
            future.set_result(Grade(Verdict.ERROR, 0.0, why))

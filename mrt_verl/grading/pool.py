"""The workers' side in the grading process: who gets which task, and what happens to a worker that does not answer."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import Any

from mrt_verl.grading.channel import Channel, ChannelClosed

START_TIMEOUT_S = 120.0
"""A worker imports sympy, or a user's function with all it imports; no answer is to blame for that."""
BATCH = 32
"""Most tasks sent at once: enough to make the way there cheap, few enough to share between workers."""


class Worker:
    """Handle of one child process."""

    def __init__(self, packed: bytes | None, memory_mb: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                # -P: a file of the working directory must not shadow a module
                [sys.executable, "-P", "-m", "mrt_verl.grading.worker", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
                start_new_session=True,
            )
        self.channel = Channel(ours)
        try:
            self.channel.send((packed, memory_mb), START_TIMEOUT_S)
            self.channel.receive(START_TIMEOUT_S)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the process and whatever it started; returns when it is gone."""
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Pool:
    """Threads that own one worker each, over one queue of tasks.

    A worker must be started by the thread that keeps it: the kernel ties the worker's life to that thread.
    """

    def __init__(self, *, packed: bytes | None, workers: int, deadline_s: float, memory_mb: int) -> None:
        self.restarts = 0
        self._packed, self._deadline_s, self._memory_mb = packed, deadline_s, memory_mb
        self._tasks: queue.SimpleQueue[tuple[Any, Future[tuple[str, Any]]] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, daemon=True, name="mrt-grader") for _ in range(workers)]
        self._workers: dict[int, Worker] = {}
        for thread in self._threads:
            thread.start()

    def submit(self, task: Any) -> "Future[tuple[str, Any]]":
        """Queue a task; its result is ("done", value), ("error", text) or ("timeout", text)."""
        future: Future[tuple[str, Any]] = Future()
        # marked as running so that one caller's cancellation cannot cancel what others wait for as well
        future.set_running_or_notify_cancel()
        self._tasks.put((task, future))
        return future

    def pids(self) -> list[int]:
        """Process ids of the live workers."""
        return [worker.process.pid for worker in list(self._workers.values())]

    def close(self) -> None:
        """Let the threads end; running tasks finish first, within their deadline."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        try:
            while batch := self._take():
                self._work_off(batch)
        finally:
            self._drop_worker()

    def _take(self) -> "deque[tuple[Any, Future[tuple[str, Any]]]]":
        """The next tasks, at least one; empty if the pool closes."""
        batch: deque[tuple[Any, Future[tuple[str, Any]]]] = deque()
        share = max(1, min(BATCH, self._tasks.qsize() // len(self._threads)))
        try:
            while len(batch) < share:
                item = self._tasks.get(block=not batch)
                if item is None:
                    if batch:
                        self._tasks.put(None)
                    break
                batch.append(item)
        except queue.Empty:
            pass
        return batch

    def _work_off(self, batch: "deque[tuple[Any, Future[tuple[str, Any]]]]") -> None:
        crashed: Future[tuple[str, Any]] | None = None
        while batch:
            try:
                self._ask(batch)
            except TimeoutError:
                self._replace()
                batch.popleft()[1].set_result(("timeout", f"no verdict within {self._deadline_s:g} s"))
            except ChannelClosed:
                self._replace()
                # a first crash may have come from outside (an OOM killer): the task gets a second worker
                if crashed is batch[0][1]:
                    batch.popleft()[1].set_result(("error", "the worker process died twice on this task"))
                else:
                    crashed = batch[0][1]

    def _ask(self, batch: "deque[tuple[Any, Future[tuple[str, Any]]]]") -> None:
        me = threading.get_ident()
        if me not in self._workers:
            self._workers[me] = Worker(self._packed, self._memory_mb)
        channel = self._workers[me].channel
        channel.send([task for task, _ in batch], self._deadline_s)
        while batch:
            result = channel.receive(self._deadline_s)
            batch.popleft()[1].set_result(result)

    def _replace(self) -> None:
        self._drop_worker()
        self.restarts += 1

    def _drop_worker(self) -> None:
        worker = self._workers.pop(threading.get_ident(), None)
        if worker is not None:
            worker.kill()

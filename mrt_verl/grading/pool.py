"""The workers' side in the grading process: who gets which task, and what happens to a worker that does not answer."""

import contextlib
import itertools
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from mrt_verl.grading.channel import ChannelClosed
from mrt_verl.grading.child import Worker, WorkerFailed
from mrt_verl.grading.grades import Grade, Verdict, grade_of_result
from mrt_verl.grading.printed import Printed

logger = logging.getLogger(__name__)

BATCH = 32
"""Most tasks sent at once: enough to make the way there cheap, few enough to share them between workers."""
MAX_HOPELESS = 10_000
"""Calls remembered of those that a worker did not survive."""
Count = Callable[[str, float], None]
"""count(name, by): adds to a counter of GraderStats."""


@dataclass(slots=True)
class _Job:
    task: Any
    future: "Future[Grade]" = field(default_factory=Future)
    crashes: int = 0
    number: int = field(default_factory=itertools.count().__next__)
    """Its reply has the same: one reply too many would be taken for that of the next job, and so on."""

    @property
    def key(self) -> bytes | None:
        """Of a call of a user's function: equal arguments have equal keys; equal comparisons are shared elsewhere."""
        return blake2b(self.task).digest() if isinstance(self.task, bytes) else None


class Pool:
    """Threads that own one worker each, over one queue of jobs; workers start with the first job.

    A worker is started by the thread that keeps it, because the kernel ties the worker's life to that thread.
    """

    def __init__(self, *, packed: bytes | None, workers: int, deadline_s: float, memory_mb: int, count: Count) -> None:
        self._packed, self._deadline_s, self._memory_mb, self._count = packed, deadline_s, memory_mb, count
        self._printed = Printed()
        # a user's function is asked again for equal arguments, since it may draw lots, but not after a worker was lost
        self._hopeless: dict[bytes, Grade] = {}
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
        for worker in list(self._workers.values()):
            worker.kill_group()
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
            self._take_off_hopeless(jobs)
            try:
                self._ask(jobs)
            except WorkerFailed as failure:
                self._drop_worker()
                _fail_all(jobs, str(failure))
            except TimeoutError:
                self._replace_worker()
                self._give_up(jobs, Grade(Verdict.TIMEOUT, 0.0, f"no verdict within {self._deadline_s:g} s"))
            except ChannelClosed:
                if self._closed:
                    continue
                self._count("crashes", 1)
                self._replace_worker()
                # the first crash may have come from outside (an OOM killer, an operator): a second worker tries
                jobs[0].crashes += 1
                if jobs[0].crashes == 2:
                    self._give_up(jobs, Grade(Verdict.ERROR, 0.0, "two worker processes died on this answer"))

    def _give_up(self, jobs: deque[_Job], grade: Grade) -> None:
        """The first job's grade, and that of each later one with equal arguments."""
        job = jobs.popleft()
        if (key := job.key) is not None and len(self._hopeless) < MAX_HOPELESS:
            self._hopeless[key] = grade
        job.future.set_result(grade)

    def _take_off_hopeless(self, jobs: deque[_Job]) -> None:
        """Answer those on which a worker was lost already."""
        known = [self._hopeless.get(key) if self._hopeless and (key := job.key) else None for job in jobs]
        waiting = list(zip(jobs, known, strict=True))
        jobs.clear()
        for job, grade in waiting:
            if grade is None:
                jobs.append(job)
            else:
                self._count("cache_hits", 1)
                job.future.set_result(grade)

    def _ask(self, jobs: deque[_Job]) -> None:
        """Send the jobs to this thread's worker and take them off as their results come in."""
        if not jobs:
            return
        worker = self._own_worker()
        worker.wait_ready()
        channel, since = worker.channel, time.monotonic()
        try:
            channel.send([(job.number, job.task) for job in jobs], self._deadline_s)
            while jobs:
                grade, leaving = _read_reply(channel.receive_plain(self._deadline_s), jobs[0].number)
                self._count("asked", 1)
                jobs.popleft().future.set_result(grade)
                if leaving:
                    self._drop_worker()
                    return
        except (TimeoutError, ChannelClosed):
            self._count("asked", 1)
            raise
        finally:
            self._count("worker_seconds", time.monotonic() - since)

    def _own_worker(self) -> Worker:
        me = threading.get_ident()
        if me not in self._workers:
            self._workers[me] = Worker(self._packed, self._memory_mb, self._printed)
        return self._workers[me]

    def _replace_worker(self) -> None:
        self._drop_worker()
        self._count("restarts", 1)
        with contextlib.suppress(WorkerFailed):  # then the next job says so
            self._own_worker()

    def _drop_worker(self) -> None:
        worker = self._workers.pop(threading.get_ident(), None)
        if worker is not None:
            worker.kill()


def _read_reply(reply: Any, number: int) -> tuple[Grade, bool]:
    """(the grade of the job with that number, whether the worker leaves).

    Raises:
        ChannelClosed: it is something else; whoever sent it is no worker any more.
    """
    try:
        answered, (status, value), leaving = reply
        if answered != number:
            raise ValueError(answered)
        return grade_of_result(status, value), bool(leaving)
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise ChannelClosed from error


def _fail_all(jobs: deque[_Job], why: str) -> None:
    while jobs:
        future = jobs.popleft().future
        if not future.done():
            future.set_result(Grade(Verdict.ERROR, 0.0, why))

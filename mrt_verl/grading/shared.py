"""Equal gradings are done once: a bounded memory of verdicts, and one shared future per grading under way."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from mrt_verl.grading.grades import Grade, Verdict


class SharedGrades:
    """Least recently used grades by key, for any number of threads.

    Timeouts are remembered as well: asking again would hang again. Errors are not, their cause may have been outside.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, Grade] = OrderedDict()
        self._under_way: dict[Hashable, Future[Grade]] = {}

    def get(self, key: Hashable, start: Callable[[], "Future[Grade]"]) -> tuple["Grade | Future[Grade]", bool]:
        """The grade of `key` or the future of it, started here if nobody did; and whether somebody did."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key], True
            if key in self._under_way:
                return self._under_way[key], True
            future = self._under_way[key] = start()
        # outside the lock: a future that is done already calls back at once
        future.add_done_callback(lambda done: self._keep(key, done.result()))
        return future, False

    def forget_under_way(self) -> None:
        """In a forked child: the threads that would finish these, and whoever held the lock, are not here."""
        self._lock = threading.Lock()
        self._under_way = {}

    def _keep(self, key: Hashable, grade: Grade) -> None:
        with self._lock:
            self._under_way.pop(key, None)
            if grade.verdict is Verdict.ERROR:
                return
            self._known[key] = grade
            if len(self._known) > self._size:
                self._known.popitem(last=False)

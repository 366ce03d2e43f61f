"""What grading workers print: passed on to standard error, as much as a person reads, without terminal escapes."""

import contextlib
import logging
import os
import sys
import threading
import time
from typing import IO

from mrt_verl.log import printable

logger = logging.getLogger(__name__)

BURST_BYTES = 64 * 1024
"""Bytes that are passed on at once."""
BYTES_PER_S = 256.0
"""Bytes a second that are passed on in the long run: some 20 MB a day."""
_CHUNK = 1 << 16


class Printed:
    """The output of one pool's workers; a function that prints megabytes fills no log."""

    def __init__(self) -> None:
        self._left, self._since = float(BURST_BYTES), time.monotonic()
        self._dropped = 0
        self._lock = threading.Lock()

    def follow(self, stream: IO[bytes]) -> None:
        """Read a worker's output to its end, in a thread: one that is not read would block the worker."""
        threading.Thread(target=self._read, args=(stream,), daemon=True, name="mrt-grader-output").start()

    def _read(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError), stream:
            while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined]
                self.take(chunk)

    def take(self, chunk: bytes) -> None:
        """Pass on what fits, count the rest."""
        with self._lock:
            now = time.monotonic()
            self._left, self._since = min(BURST_BYTES, self._left + BYTES_PER_S * (now - self._since)), now
            kept = chunk[: int(self._left)]
            self._left -= len(kept)
            is_first = self._dropped == 0 and len(kept) < len(chunk)
            self._dropped += len(chunk) - len(kept)
        if kept:
            _show(printable(kept.decode("utf-8", "replace")))
        if is_first:
            logger.warning(
                "the outcome function prints more than %d bytes: of what it prints, %g bytes a second are shown from "
                "now on",
                BURST_BYTES,
                BYTES_PER_S,
            )


def _show(text: str) -> None:
    """To the file itself: a thread that holds a stream's lock would abort an interpreter that ends."""
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # a notebook's or a test's stream
        descriptor = 2
    with contextlib.suppress(OSError):
        os.write(descriptor, text.encode("utf-8", "replace"))

"""The package's voice: warnings that reach the console in every process, whatever others do to the root logger.

vLLM's API server sets the root logger to ERROR when it is imported, so `mrt_verl` has a handler of its own and does not
propagate. The level is `MRT_LOG_LEVEL` (WARNING). A warning that repeats itself is shown the 1st, 10th, 100th … time,
with its count.
"""

import logging
import os
import sys
from collections import Counter
from typing import TextIO

NAME = "mrt_verl"
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
# ends of lines to some terminals, and marks that turn the order of what stands after them
_CONTROLS |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
# half a character, which JSON can spell and no standard output takes
_CONTROLS |= {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}


def printable(text: str) -> str:
    """The text with its control characters spelt out: what a model or a dataset wrote must not steer a terminal."""
    return text.translate(_CONTROLS)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _Console(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment: Ray and tests replace it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(_Formatter("%(levelname)s mrt-verl: %(message)s"))
        self._seen: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        key = (record.name, str(record.msg))
        self._seen[key] += 1
        count = self._seen[key]
        if not _is_power_of_ten(count):
            return
        if count > 1:
            record = logging.makeLogRecord(record.__dict__)
            record.msg, record.args = f"{record.getMessage()} (for the {count}th time)", ()
        super().emit(record)


def _is_power_of_ten(count: int) -> bool:
    return str(count).strip("0") == "1"


def speak_up() -> None:
    """Give the package's logger its own handler, once in a process."""
    logger = logging.getLogger(NAME)
    if any(isinstance(handler, _Console) for handler in logger.handlers):
        return
    level = os.environ.get("MRT_LOG_LEVEL", "").strip().upper()
    logger.setLevel(level if isinstance(logging.getLevelName(level), int) else logging.WARNING)
    logger.addHandler(_Console())
    logger.propagate = False

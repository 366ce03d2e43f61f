"""Commands that are told to stop: one line, what they started is ended, exit code 130 (a key) or 143 (SIGTERM)."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mrt_verl.log import printable


class Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception that unwinds like that of a key press: every `finally` is run."""


def run_command(name: str, command: Callable[[], int | None], advice: str = "") -> int:
    """The exit code of a command.

    Args:
        name: of the command, at the start of the line.
        advice: what its user may do next.
    """
    with contextlib.suppress(ValueError):  # in a thread of another program nobody listens to signals
        signal.signal(signal.SIGTERM, _terminate)
    try:
        with contextlib.redirect_stdout(_Printable(sys.stdout)):  # type: ignore[type-var]
            return command() or 0
    except KeyboardInterrupt as stop:
        print(_line(name, advice), file=sys.stderr, flush=True)
        return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def ending_at_once(name: str) -> Iterator[None]:
    """While modules are imported, a signal ends the process: half-imported ones fail in ways of their own."""

    def end(number: int, frame: Any) -> None:
        os.write(2, f"{_line(name, '')}\n".encode())
        os._exit(128 + number)

    try:
        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Printable:
    """Standard output without terminal escapes: commands show what models and datasets wrote."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _line(name: str, advice: str) -> str:
    return f"{name}: interrupted{'; ' if advice else ''}{advice}"


def _terminate(number: int, frame: Any) -> None:
    raise Terminated

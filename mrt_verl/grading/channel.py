"""Length-prefixed messages between the grading process and a worker, over a socket pair.

Sockets rather than pipes: `settimeout` bounds writing as well as reading, and a worker's stdout stays free for what a
user's reward function prints.
"""

import json
import pickle
import socket
import struct
import time
from typing import Any

_HEADER = struct.Struct("!Q")
MAX_BYTES = 1 << 30
"""Of one message; a longer one is no message."""
_LONGEST_S = 1e9
"""Thirty years; a socket takes no timeout of three hundred."""


class ChannelClosed(Exception):
    """The other side is gone."""


class Channel:
    """One side of the connection; not for concurrent use."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, message: Any, timeout_s: float | None = None) -> None:
        """Send what pickle takes (lone surrogates included).

        Raises:
            ChannelClosed: nobody reads.
            TimeoutError: it was not all taken within `timeout_s`.
        """
        self._send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL), timeout_s)

    def send_plain(self, message: Any) -> None:
        """Send plain JSON types, which `receive_plain` takes."""
        self._send_bytes(json.dumps(message).encode(), None)

    def _send_bytes(self, body: bytes, timeout_s: float | None) -> None:
        try:
            self._socket.settimeout(None if timeout_s is None else _within_limits(timeout_s))
            self._socket.sendall(_HEADER.pack(len(body)) + body)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error

    def receive(self, timeout_s: float | None = None) -> Any:
        """The next message.

        Raises:
            ChannelClosed: the other side closed or died.
            TimeoutError: the message was not complete within `timeout_s`.
        """
        return pickle.loads(self._receive_bytes(timeout_s))

    def receive_plain(self, timeout_s: float | None = None) -> Any:
        """The next message of `send_plain`: what a worker returns is data, whatever an answer made of the worker.

        Raises:
            ChannelClosed: the other side closed or died, or sends something else.
            TimeoutError: the message was not complete within `timeout_s`.
        """
        body = self._receive_bytes(timeout_s)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ChannelClosed from error

    def _receive_bytes(self, timeout_s: float | None) -> bytearray:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        (length,) = _HEADER.unpack(self._read(_HEADER.size, until))
        if length > MAX_BYTES:
            raise ChannelClosed
        return self._read(length, until)

    def _read(self, length: int, until: float | None) -> bytearray:
        body = bytearray(length)
        view, done = memoryview(body), 0
        while done < length:
            try:
                # a timeout of 0 would mean "non-blocking" to the socket
                self._socket.settimeout(None if until is None else _within_limits(until - time.monotonic()))
                got = self._socket.recv_into(view[done:])
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelClosed from error
            if not got:
                raise ChannelClosed
            done += got
        return body

    def close(self) -> None:
        """Close this side; the other one reads `ChannelClosed`."""
        self._socket.close()


def _within_limits(seconds: float) -> float:
    return min(max(seconds, 1e-6), _LONGEST_S)

"""Length-prefixed messages between the grading process and a worker, over a socket pair.

Sockets rather than pipes: `settimeout` bounds writing as well as reading, and a worker's stdout stays free for what a
user's reward function prints.
"""

import pickle
import socket
import struct
import time
from typing import Any

_HEADER = struct.Struct("!Q")


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
        self.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL), timeout_s)

    def send_bytes(self, body: bytes, timeout_s: float | None = None) -> None:
        """Send a message that is pickled already."""
        self._socket.settimeout(timeout_s)
        try:
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
        until = None if timeout_s is None else time.monotonic() + timeout_s
        (length,) = _HEADER.unpack(self._read(_HEADER.size, until))
        return pickle.loads(self._read(length, until))

    def _read(self, length: int, until: float | None) -> bytearray:
        body = bytearray(length)
        view, done = memoryview(body), 0
        while done < length:
            # a timeout of 0 would mean "non-blocking" to the socket
            self._socket.settimeout(None if until is None else max(until - time.monotonic(), 1e-6))
            try:
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

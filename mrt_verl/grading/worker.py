"""The child process: takes batches of tasks, answers each as soon as it is done. Started by pool.py with `-m`.

It is a fresh interpreter, not a fork: nothing of the parent's threads, locks or CUDA state is in it. It ends when the
parent closes the channel, and the kernel kills it when the thread that started it ends, even by SIGKILL.
"""

import ctypes
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from mrt_verl.grading import comparison, outcomes
from mrt_verl.grading.channel import Channel, ChannelClosed

_PR_SET_PDEATHSIG = 1


def main(descriptor: int, parent: int) -> None:
    """Serve until the parent is gone; the first message is (packed function or None, memory in MB)."""
    _die_with(parent)
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        packed, memory_mb = channel.receive()
        answer = _answer_with(packed)
        _limit_memory(memory_mb)
        channel.send(("ready", None))
        while True:
            for task in channel.receive():
                channel.send(_guarded(answer, task))
    except ChannelClosed:
        return


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        sys.exit()


def _answer_with(packed: bytes | None) -> Callable[[Any], Any]:
    if packed is None:
        comparison.math_verify_verdict(("\\frac{1}{2}",), "0.5")  # imports and builds its tables before any deadline
        return lambda task: comparison.math_verify_verdict(*task)
    compute_score = outcomes.unpack(packed)
    return lambda task: outcomes.run(compute_score, task)


def _limit_memory(memory_mb: int) -> None:
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_mb * 2**20,) * 2)


def _guarded(answer: Callable[[Any], Any], task: Any) -> tuple[str, Any]:
    try:
        return "done", answer(task)
    except Exception as error:  # a user's function or sympy may raise anything; it becomes a counted ERROR
        return "error", f"{type(error).__name__}: {str(error)[:500]}"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

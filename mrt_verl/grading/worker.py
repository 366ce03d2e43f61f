"""The child process: takes batches of tasks, answers each as soon as it is done. Started by pool.py with `-m`.

It is a fresh interpreter, not a fork: nothing of the parent's threads, locks or CUDA state is in it. It ends when the
parent closes the channel, and the kernel kills it when the thread that started it ends, even by SIGKILL.
"""

import ctypes
import logging
import os
import pickle
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any

from mrt_verl.grading import comparison, outcomes
from mrt_verl.grading.channel import Channel, ChannelClosed
from mrt_verl.log import printable

_PR_SET_PDEATHSIG = 1
_KEEP_SHARE = 0.25
"""A worker that holds on to more than this share of its memory allowance leaves, and a fresh one takes its place."""


def main(descriptor: int, parent: int) -> None:
    """Serve until the parent is gone; the first message is (packed function or None for comparing, memory in MB)."""
    _die_with(parent)
    channel = Channel(socket.socket(fileno=descriptor))
    # a child that the user's function forks and lets return would answer, and take tasks, in this process's place
    os.register_at_fork(after_in_child=channel.close)
    try:
        packed, memory_mb = channel.receive()
        answer = _prepare(channel, packed)
        idle_bytes = _memory_bytes("resident")
        _limit_memory(memory_mb)
        while True:
            for number, task in channel.receive():
                body, ran_out = _guarded(answer, task)
                leaving = ran_out or _memory_bytes("resident") - idle_bytes > _KEEP_SHARE * memory_mb * 2**20
                channel.send_plain((number, body, leaving))
                if leaving:
                    return
    except ChannelClosed:
        return


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        sys.exit()


def _prepare(channel: Channel, packed: bytes | None) -> Callable[[Any], Any]:
    """Import everything before any deadline runs, and say whether that worked."""
    try:
        answer = _comparison() if packed is None else _outcome(packed)
    except Exception as error:  # a user's module may raise anything while it is imported
        channel.send_plain(_described(error))
        sys.exit(1)
    channel.send_plain(None)
    return answer


def _comparison() -> Callable[[Any], Any]:
    warnings.simplefilter("ignore")  # sympy's deprecations are no user's business
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    comparison.go_deep()
    # imports what both ways need: many digits, and math-verify's parser
    comparison.deep_verdict([("1", r"\sin^2 1+\cos^2 1"), (r"\int_0^1 x dx", r"\int_0^1 y dy")])
    comparison.deep_verdict([(r"\int_0^1 x dx", r"\int_0^1 y dy")])
    return comparison.deep_verdict


def _outcome(packed: bytes) -> Callable[[Any], Any]:
    compute_score = outcomes.unpack_function(packed)
    return lambda task: outcomes.call(compute_score, pickle.loads(task))


def _memory_bytes(kind: str) -> int:
    with open("/proc/self/statm") as statm:
        mapped, resident = statm.read().split()[:2]
    return int(resident if kind == "resident" else mapped) * resource.getpagesize()


def _limit_memory(memory_mb: int) -> None:
    limit = _memory_bytes("mapped") + memory_mb * 2**20
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:  # `ulimit -v`, which nobody may raise
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _guarded(answer: Callable[[Any], Any], task: Any) -> tuple[tuple[str, Any], bool]:
    """The result of a task, and whether it ran out of memory."""
    try:
        return ("done", answer(task)), False
    except MemoryError:
        return ("error", "MemoryError: the worker's memory limit"), True
    except SystemExit:  # whoever exits does; the code of a forked child is for the function that forked it
        raise
    # a user's function or sympy may raise anything, CancelledError and the panic of a Rust extension among it, which
    # are no Exception; it becomes a counted ERROR
    except BaseException as error:
        return ("error", _described(error)), False


def _described(error: BaseException) -> str:
    try:
        text = str(error)[:500]
    except Exception:  # a user's class
        text = "(its text cannot be had)"
    return printable(f"{type(error).__name__}: {text}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

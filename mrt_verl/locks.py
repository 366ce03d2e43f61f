"""Two runs must not write into one directory or file: whoever comes second is refused, and told who is there."""

import contextlib
import json
import logging
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

NAME = ".mrt-lock"


class Locked(ValueError):
    """Another process holds the lock; says which."""


class Lock:
    """A lock on a directory or a file, held until it is released or the process ends, however it ends."""

    def __init__(self, target: Path) -> None:
        """Take the lock; the directory in which it lies is made if it is not there.

        Raises:
            Locked: another process holds it.
            OSError: the directory cannot be written.
        """
        path = path_of(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            take(descriptor, target)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor: int | None = descriptor
        mine = {"pid": os.getpid(), "host": platform.node(), "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
        with contextlib.suppress(OSError):  # a full disk: the lock holds without a name in it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(mine).encode(), 0)

    def release(self) -> None:
        """Let the next one in; the lock's file stays, since removing it would let in two."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def path_of(target: Path) -> Path:
    """The lock's file: in a directory, or beside a file."""
    return target.parent / f".{target.name}{NAME}" if target.suffix else target / NAME


def holder(target: Path) -> str | None:
    """Who holds the lock, in words; None if nobody else does. Makes no file."""
    try:
        descriptor = os.open(path_of(target), os.O_RDWR)
    except OSError:
        return None
    try:
        take(descriptor, target)
    except Locked:
        return None if _written(descriptor).get("pid") == os.getpid() else _in_words(descriptor)
    finally:
        os.close(descriptor)
    return None


def take(descriptor: int, target: Path) -> None:
    """Lock an open file until it is closed, by whatever end of the process; `target` is what it stands for.

    Raises:
        Locked: another process holds it.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Locked(f"{target} is in use by {_in_words(descriptor)}") from error
    except OSError as error:  # a file system without locks
        logger.warning("%s cannot be locked (%s): nothing keeps a second run out of it", target, error.strerror)


def _in_words(descriptor: int) -> str:
    found = _written(descriptor)
    if not found:
        return "another run"
    host, since = (ascii(str(found.get(key, "")))[1:-1] for key in ("host", "since"))
    return f"process {found.get('pid')} on {host} since {since}"


def _written(descriptor: int) -> dict[str, object]:
    """What the holder wrote into the lock; {} where it could not."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return {**found, "pid": int(found["pid"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}

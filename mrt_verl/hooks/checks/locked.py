"""Whether another run is in the directories of this one: it would resume, overwrite or empty what the other writes."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mrt_verl.hooks.checks.local import expand
from mrt_verl.locks import Lock, Locked, holder
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

OWN = "allowed: one of its own for each run"


def targets(settings: MRTSettings, config: Any) -> Iterator[tuple[str, Path]]:
    """(key, directory or file) of what a run writes on this machine, where a second run would spoil it."""
    trainer = config.trainer
    checkpoints = trainer.get("default_local_dir")
    if checkpoints and "://" not in str(checkpoints):
        path = expand(str(checkpoints))
        if path.is_dir() or (trainer.get("save_freq") or 0) > 0:
            yield "trainer.default_local_dir", path
    if settings.trace_dir is not None:
        yield "mrt.trace_dir", expand(settings.trace_dir)
    metrics = metrics_file(config)
    if metrics is not None:
        yield "VERL_FILE_LOGGER_PATH", metrics


def metrics_file(config: Any) -> Path | None:
    """Where verl's file logger writes, which empties the file when it starts; None if the run has none."""
    trainer = config.trainer
    loggers = trainer.get("logger")
    if "file" not in ([loggers] if isinstance(loggers, str) else list(loggers or ())):
        return None
    if path := os.environ.get("VERL_FILE_LOGGER_PATH"):
        return expand(path)
    root = expand(os.environ.get("VERL_FILE_LOGGER_ROOT", "."))
    return root / str(trainer.get("project_name")) / f"{trainer.get('experiment_name')}.jsonl"


def check_lock(settings: MRTSettings, config: Any) -> Iterator[str]:
    """No other run may write there now."""
    for key, path in targets(settings, config):
        if (who := holder(path)) is not None:
            yield f"{key}={path} is in use by {who}; {OWN}"


def lock_run(settings: MRTSettings, config: Any) -> list[Lock]:
    """Locks on all of them, for as long as this process lives.

    Raises:
        ValueError: another run is in one; names the key and the process.
    """
    held: list[Lock] = []
    for key, path in targets(settings, config):
        try:
            held.append(Lock(path))
        except Locked as error:
            for one in held:
                one.release()
            raise ValueError(f"{key}={error}; {OWN}") from error
        except OSError as error:
            logger.warning("%s=%s cannot be locked: %s", key, path, error.strerror)
    return held


CHECKS = (check_lock,)

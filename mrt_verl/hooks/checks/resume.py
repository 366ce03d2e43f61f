"""Whether the checkpoint that a run would go on from is whole; a trainer takes minutes to find out that it is not."""

import logging
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrt_verl.hooks.checks.local import expand
from mrt_verl.hooks.checks.locked import metrics_file
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

TRACKER = "latest_checkpointed_iteration.txt"
STEP = "global_step_"
SHARD = re.compile(r"(model|optim|extra_state)_world_size_(\d+)_rank_(\d+)\.pt")
KINDS = {"model": "model", "optimizer": "optim", "extra": "extra_state"}
"""What `actor.checkpoint.load_contents` asks for, and the names of its shards."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run loads from a checkpoint."""

    kinds: Sequence[str]
    ranks: int | None
    """Of FSDP, whose shards only as many ranks can load; None for other engines."""
    all_here: bool
    """Whether all ranks' shards lie on this machine."""

    @classmethod
    def of(cls, config: Any) -> "Wanted":
        trainer, actor = config.trainer, config.actor_rollout_ref.actor
        contents = (actor.get("checkpoint") or {}).get("load_contents") or list(KINDS)
        ranks = trainer.n_gpus_per_node * trainer.nnodes if actor.strategy in ("fsdp", "fsdp2") else None
        return cls([KINDS[one] for one in contents if one in KINDS], ranks, trainer.nnodes == 1)


def check_checkpoint(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A line names the file that is broken, and the newest step that is whole."""
    trainer, wanted = config.trainer, Wanted.of(config)
    mode = trainer.get("resume_mode")
    if (path := _path_asked_for(trainer)) is not None:
        problem = "it is not there" if not path.is_dir() else broken(path, wanted)
        if problem is not None:
            yield f"trainer.resume_from_path={path}: {problem}; {_advice(path.parent, wanted)}"
    elif mode == "auto" and (directory := expand(str(trainer.get("default_local_dir")))).is_dir():
        yield from _tracked(directory, wanted, trainer.get("total_training_steps"))
        metrics = metrics_file(config)
        if (directory / TRACKER).is_file() and metrics is not None and metrics.is_file() and metrics.stat().st_size:
            logger.warning("verl empties %s when it resumes: move it away, or name another file", metrics)


def resumed_from(config: Any) -> Path | None:
    """The directory of the step that a run goes on from; None for a run that starts anew, or from another store."""
    trainer, mode = config.trainer, config.trainer.get("resume_mode")
    path = _path_asked_for(trainer)
    if mode == "auto" and (tracker := expand(str(trainer.get("default_local_dir"))) / TRACKER).is_file():
        path = tracker.with_name(f"{STEP}{tracker.read_text(encoding='utf-8', errors='replace').strip()}")
    return path if path is not None and path.is_dir() else None


def _path_asked_for(trainer: Any) -> Path | None:
    """The step's directory that `resume_mode=resume_path` names; None in another mode, or of another store."""
    if trainer.get("resume_mode") != "resume_path" or "://" in str(trainer.get("resume_from_path")):
        return None
    return expand(str(trainer.get("resume_from_path")))


def _tracked(directory: Path, wanted: Wanted, last_step: int | None) -> Iterator[str]:
    """What is wrong with the step that the tracker of a run names."""
    tracker = directory / TRACKER
    if not tracker.is_file():
        if (step := newest_whole(directory, wanted)) is not None:
            logger.warning("%s has no %s: the run starts anew, beside its step %d", directory, TRACKER, step)
        return
    text = tracker.read_text(encoding="utf-8", errors="replace").strip()
    if not text.isdecimal():
        yield f"{tracker} holds {text[:40]!a}, no number of a step; {_advice(directory, wanted)}"
        return
    path = directory / f"{STEP}{int(text)}"
    problem = "it is not there" if not path.is_dir() else broken(path, wanted)
    if problem is not None:
        yield f"{tracker} names {path.name}: {problem}; {_advice(directory, wanted)}"
    elif last_step is not None and int(text) >= last_step:
        logger.warning("%s is at step %s of %d: nothing is left to train", directory, text, last_step)


def broken(step: Path, wanted: Wanted) -> str | None:
    """What is missing or cut off in the checkpoint of a step, None if it is whole."""
    actor = step / "actor"
    shards = {path.name: SHARD.fullmatch(path.name) for path in sorted(actor.glob("*.pt"))}
    found = [match for match in shards.values() if match is not None]
    if not found and not any((actor / "dist_ckpt").glob("*")):
        return "it holds no weights in actor/"
    if found and (problem := _missing(shards, int(found[0][2]), wanted)) is not None:
        return problem
    data = step / "data.pt"
    for path in [*(actor / name for name in shards), *([data] if data.exists() else [])]:
        if not zipfile.is_zipfile(path):  # torch writes its archive's table of contents last
            return f"{path.relative_to(step)} is cut off, at {path.stat().st_size} bytes"
    empty = [path for path in actor.rglob("*.distcp") if not path.stat().st_size]
    return f"{empty[0].relative_to(step)} is empty" if empty else None


def _missing(names: Any, ranks: int, wanted: Wanted) -> str | None:
    """Which shard is not there; of several machines only the ranks that have one here are looked at."""
    if wanted.ranks is not None and ranks != wanted.ranks:
        return f"it was saved by {ranks} ranks, and this run has {wanted.ranks}"
    here = sorted({int(match[3]) for match in names.values() if match is not None})
    for rank in range(ranks) if wanted.all_here else here:
        for kind in wanted.kinds:
            name = f"{kind}_world_size_{ranks}_rank_{rank}.pt"
            if name not in names:
                return f"actor/{name} is missing"
    return None


def newest_whole(directory: Path, wanted: Wanted) -> int | None:
    """The newest step of a run's checkpoints that is whole."""
    names = (path.name.removeprefix(STEP) for path in directory.glob(f"{STEP}*"))
    steps = sorted((int(name) for name in names if name.isdecimal()), reverse=True)
    return next((step for step in steps if broken(directory / f"{STEP}{step}", wanted) is None), None)


def _advice(directory: Path, wanted: Wanted) -> str:
    step = newest_whole(directory, wanted)
    if step is None:
        return "no checkpoint there is whole; allowed: trainer.resume_mode=disable, which starts anew"
    return (
        f"the newest whole step is {step}; allowed: trainer.resume_mode=resume_path "
        f"trainer.resume_from_path={directory / f'{STEP}{step}'}, or {step} written into {TRACKER}"
    )


CHECKS = (check_checkpoint,)

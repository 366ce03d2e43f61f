"""Checkpoints of a verl run as models: merged by verl's own model merger."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

LATEST = "latest_checkpointed_iteration.txt"


def find_actor(path: Path) -> Path | None:
    """The actor's directory of a verl checkpoint, or None for anything else.

    Args:
        path: `default_local_dir` of a run (its latest step is taken), a `global_step_N` of it, or the `actor` in that.
    """
    if (path / LATEST).is_file():
        path = path / f"global_step_{(path / LATEST).read_text().strip()}"
    for candidate in (path, path / "actor"):
        if next(candidate.glob("model_world_size_*_rank_*.pt"), None) or (candidate / "dist_ckpt").is_dir():
            return candidate
    return None


def merge_checkpoint(actor: Path, target: Path) -> Path:
    """Merge the shards of a checkpoint into a Hugging Face model at `target`; a finished one is kept.

    Raises:
        RuntimeError: verl's merger failed; holds the end of its output.
    """
    if target.exists():
        return target
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    backend = "megatron" if (actor / "dist_ckpt").is_dir() else "fsdp"
    command = [sys.executable, "-m", "verl.model_merger", "merge", "--backend", backend]
    command += ["--local_dir", str(actor), "--target_dir", str(partial)]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise RuntimeError(f"verl.model_merger could not merge {actor}:\n{result.stdout[-2000:]}")
    os.replace(partial, target)
    return target

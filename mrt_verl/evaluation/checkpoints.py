"""Checkpoints of a verl run as models: merged by verl's own model merger."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from mrt_verl.whole import whole_directory

LATEST = "latest_checkpointed_iteration.txt"
STEP = "global_step_"
WEIGHTS = (".safetensors", ".bin", ".pt", ".distcp", ".gguf", ".json")
SAMPLED = 1 << 16
"""Bytes of a file that are read at its start, middle and end."""


def find_actor(path: Path) -> Path | None:
    """The actor's directory of a verl checkpoint, or None for anything else.

    Args:
        path: `default_local_dir` of a run (its latest step is taken), a `global_step_N` of it, or the `actor` in that.
    """
    if (path / LATEST).is_file():
        path = path / f"{STEP}{(path / LATEST).read_text().strip()}"
    for candidate in (path, path / "actor"):
        if next(candidate.glob("model_world_size_*_rank_*.pt"), None) or (candidate / "dist_ckpt").is_dir():
            return candidate
    return None


def identify(model: str) -> dict[str, Any]:
    """What a model on this machine is beside its path, since more training leaves that as it was; {} for any other.

    Returns:
        `step` of a verl checkpoint, and a `fingerprint` of the files' names, sizes and ends: weights that differ
        anywhere nearly always differ there.
    """
    actor = find_actor(Path(model))
    directory = actor or Path(model)
    if not directory.is_dir():
        return {}
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(path for path in directory.rglob("*") if path.suffix in WEIGHTS):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(directory)}:{size}:".encode())
        with file.open("rb") as stream:
            for start in (0, max(0, size // 2 - SAMPLED // 2), max(0, size - SAMPLED)):
                stream.seek(start)
                digest.update(stream.read(SAMPLED))
    step = next((part.removeprefix(STEP) for part in directory.parts[::-1] if part.startswith(STEP)), None)
    return {**({"step": int(step)} if step and step.isdigit() else {}), "fingerprint": digest.hexdigest()}


def merge_checkpoint(actor: Path, target: Path) -> Path:
    """Merge the shards of a checkpoint into a Hugging Face model at `target`; a finished one is kept.

    Raises:
        RuntimeError: verl's merger failed; holds the end of its output.
    """
    if target.exists():
        return target
    backend = "megatron" if (actor / "dist_ckpt").is_dir() else "fsdp"
    command = [sys.executable, "-m", "verl.model_merger", "merge", "--backend", backend, "--local_dir", str(actor)]
    with whole_directory(target) as partial:
        command += ["--target_dir", str(partial)]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode:
            raise RuntimeError(f"verl.model_merger could not merge {actor}:\n{result.stdout[-2000:]}")
        merge_adapter(partial)
    return target


def merge_adapter(model: Path) -> None:
    """Put the LoRA adapter that verl's merger leaves beside a model into its weights, which are the base's until then.

    Raises:
        RuntimeError: the checkpoint does not tell how strong the adapter is.
    """
    adapter = model / "lora_adapter"
    if not adapter.is_dir():
        return
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    if not json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")).get("lora_alpha"):
        raise RuntimeError(f"{model}: the checkpoint has a LoRA adapter without lora_alpha; merge it yourself")
    base = AutoModelForCausalLM.from_pretrained(model, dtype="auto")
    PeftModel.from_pretrained(base, str(adapter)).merge_and_unload().save_pretrained(model)
    shutil.rmtree(adapter)

"""What of a run lies on this machine; the rest is checked by the workers that fetch it."""

import functools
import os
from pathlib import Path
from typing import Any


def is_local(path: str) -> bool:
    """Whether a model's path names a place on this machine, not a hub's repository (`owner/name`) or another store."""
    return "://" not in path and (path.startswith(("/", ".", "~")) or Path(path).exists() or path.count("/") > 1)


def expand(path: str) -> Path:
    """The path with the user's home."""
    return Path(os.path.expanduser(path))


def model_directory(model: Any) -> Path | None:
    """The model's directory if it lies on this machine."""
    path = None if model.path is None else expand(model.path)
    return path if path is not None and path.is_dir() else None


def load_tokenizer(model: Any) -> Any | None:
    """The run's tokenizer if it lies on this machine."""
    path = model.tokenizer_path or model.path
    if path is None or not expand(path).is_dir():
        return None
    return _load(str(expand(path)), bool(model.trust_remote_code))


@functools.lru_cache(maxsize=1)
def _load(path: str, trust_remote_code: bool) -> Any:
    from verl.utils import hf_tokenizer

    return hf_tokenizer(path, trust_remote_code=trust_remote_code)

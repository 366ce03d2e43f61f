"""What of a run lies on this machine; the rest is checked by the workers that fetch it."""

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIRST_ROWS = 64
"""Rows of a data file that are looked at."""


def is_local(path: str) -> bool:
    """Whether a model's path names a place on this machine, not a hub's repository (`owner/name`) or another store."""
    return "://" not in path and (path.startswith(("/", ".", "~")) or Path(path).exists() or path.count("/") > 1)


def expand(path: str) -> Path:
    """The path with the user's home."""
    return Path(os.path.expanduser(path))


def nearest_existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def lora_rank(model: Any) -> int:
    """Rank of the adapter that is trained, 0 without one; verl's configs name it in either place."""
    return int(model.get("lora_rank") or (model.get("lora") or {}).get("rank") or 0)


def listed(files: Any) -> list[str]:
    """The files of a setting that takes one or several."""
    if files is None:
        return []
    return [files] if isinstance(files, str) else [str(file) for file in files]


def readable_parquet(file: str) -> bool:
    """Whether the rows of a data file can be looked at here."""
    return file.endswith(".parquet") and expand(file).is_file()


def first_rows(file: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and first rows of a parquet file; raises OSError or ValueError for another one."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(expand(file))
    batch = next(table.iter_batches(batch_size=FIRST_ROWS), None)
    return list(table.schema_arrow.names), [] if batch is None else batch.to_pylist()


def ground_truth(row: Mapping[str, Any]) -> Any:
    """The answer of a row of verl's data; None where there is none."""
    node = row.get("reward_model")
    return node.get("ground_truth") if isinstance(node, Mapping) else None


def model_directory(model: Any) -> Path | None:
    """The model's directory if it lies on this machine."""
    path = None if model.path is None else expand(model.path)
    return path if path is not None and path.is_dir() else None


def context_tokens(config: Any) -> int | None:
    """Tokens of the rollout engine's context: `max_model_len`, or the model's own limit; None where neither is told.

    vLLM takes the one in `engine_kwargs`, verl's server clamps requests to the other: the smaller one counts.
    """
    limits = [limit for limit in (config.actor_rollout_ref.rollout.max_model_len, own_max_model_len(config)) if limit]
    if limits:
        return int(min(limits))
    directory = model_directory(config.actor_rollout_ref.model)
    return None if directory is None else _positions(directory)


def own_max_model_len(config: Any) -> int | None:
    """`max_model_len` among the engine's own arguments, which verl hands to vLLM in place of its own setting."""
    rollout = config.actor_rollout_ref.rollout
    arguments = (rollout.get("engine_kwargs") or {}).get(rollout.get("name")) or {}
    limit = arguments.get("max_model_len")
    return limit if isinstance(limit, int) and limit > 0 else None


@functools.lru_cache(maxsize=1)
def _positions(directory: Path) -> int | None:
    if not (directory / "config.json").is_file():
        return None
    try:
        node = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        return None  # machine.check_files says so
    found = node.get("max_position_embeddings", (node.get("text_config") or {}).get("max_position_embeddings"))
    return found if isinstance(found, int) else None


def load_tokenizer(model: Any) -> Any | None:
    """The run's tokenizer if it lies on this machine and can be loaded."""
    loaded = _loaded(model)
    return None if isinstance(loaded, Exception) else loaded


def tokenizer_error(model: Any) -> Exception | None:
    """Why the run's tokenizer cannot be loaded from this machine; None if it can, or lies elsewhere."""
    loaded = _loaded(model)
    return loaded if isinstance(loaded, Exception) else None


def _loaded(model: Any) -> Any:
    path = model.tokenizer_path or model.path
    return _load(str(expand(path)), bool(model.trust_remote_code)) if path and expand(path).is_dir() else None


@functools.lru_cache(maxsize=1)
def _load(path: str, trust_remote_code: bool) -> Any:
    from verl.utils import hf_tokenizer

    try:
        return hf_tokenizer(path, trust_remote_code=trust_remote_code)
    except Exception as error:  # of transformers, or of the tokenizer's own code
        return error


def load_processor(model: Any) -> Any | None:
    """The run's image processor if it lies on this machine and verl can load it."""
    path = model.tokenizer_path or model.path
    if path is None or not expand(path).is_dir():
        return None
    return _load_processor(str(expand(path)), bool(model.trust_remote_code))


@functools.lru_cache(maxsize=1)
def _load_processor(path: str, trust_remote_code: bool) -> Any:
    from verl.utils import hf_processor

    return hf_processor(path, trust_remote_code=trust_remote_code)

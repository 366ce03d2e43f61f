"""The files of a model's weights: which they are, and whether they are whole."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

TORCH_FORMATS = (".safetensors", ".bin", ".pt", ".pth")
INDEX = "model.safetensors.index.json"


def has_weights(directory: Path, formats: Sequence[str] = TORCH_FORMATS) -> bool:
    """Whether a directory holds a file of one of the formats."""
    return any(path.suffix in formats for path in directory.iterdir())


def safetensors_files(directory: Path) -> list[Path]:
    """Those that a model is loaded from, whether they are there or not.

    The shards of the index, or model.safetensors, or all there are: a directory may hold the same weights once more
    in one file of another name.

    Raises:
        ValueError: the index is none.
    """
    index = directory / INDEX
    if index.is_file():
        told = json.loads(index.read_text(encoding="utf-8"))
        if not isinstance(told, dict) or not isinstance(told.get("weight_map"), dict):
            raise ValueError("no weight_map in it")
        return sorted(directory / name for name in set(told["weight_map"].values()))
    single = directory / "model.safetensors"
    return [single] if single.is_file() else sorted(directory.glob("*.safetensors"))


def count_parameters(directory: Path) -> int:
    """Of a model's safetensors, by their headers; 0 where there are none.

    Raises:
        ValueError: a shard is missing, cut off or a pointer to one.
    """
    from safetensors import SafetensorError, safe_open

    try:
        files = safetensors_files(directory)
    except ValueError as error:
        raise ValueError(f"{INDEX}: {error}") from error
    count = 0
    for path in files:
        if not path.is_file():
            raise ValueError(f"{path.name} is missing, which {INDEX} names")
        try:
            with safe_open(path, framework="np") as file:
                count += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path.name}: not whole weights: {error}") from error
    return count


def broken_weights(directory: Path) -> str | None:
    """What is wrong with a model's safetensors; None of whole ones."""
    try:
        count_parameters(directory)
    except ValueError as error:
        return str(error)
    return None

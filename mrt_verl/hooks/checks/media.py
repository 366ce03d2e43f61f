"""Images, videos and audios of the data: what is rolled out, and what the run needs for it."""

from collections.abc import Iterator, Sequence
from importlib import util
from typing import Any

from mrt_verl.hooks.checks.local import expand, first_rows, listed, load_processor, model_directory, readable_parquet
from mrt_verl.media import count_media, count_placeholders
from mrt_verl.settings import MRTSettings

UNSERVED = ("video", "audio")


def check_media(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Images need a vision model; nothing else than text and images is rolled out."""
    data = config.data
    if data.get("custom_cls", {}).get("path"):
        return  # a dataset class of the run's own may read its files in any way; the agent loop looks at each row
    for key in ("train_files", "val_files"):
        for file in filter(readable_parquet, listed(data.get(key))):
            try:
                columns, rows = first_rows(file)
                unserved = [kind for kind in UNSERVED if _holds_any(file, _column(data, kind), columns)]
            except (OSError, ValueError):
                continue  # machine.check_rows says so
            where = f"data.{key}={file}"
            unserved += [kind for kind in UNSERVED if any(count_media(row)[kind] for row in _prompts(data, rows))]
            for kind in dict.fromkeys(unserved):
                yield f"{where}: rows hold {kind}s; allowed: text and images, MRT rolls out no {kind}s"
            yield from _image_problems(where, rows, config)


def _image_problems(where: str, rows: Sequence[dict[str, Any]], config: Any) -> Iterator[str]:
    column = _column(config.data, "image")
    counts = [len(row.get(column) or ()) for row in rows]
    if not any(counts) and not any(count_media(messages)["image"] for messages in _prompts(config.data, rows)):
        return
    wanted = [count_placeholders(messages, "image") for messages in _prompts(config.data, rows)]
    other = [n for n, (count, want) in enumerate(zip(counts, wanted, strict=True)) if count != want and count + want]
    if other and any(counts):
        yield (
            f"{where}: row {other[0]} has {counts[other[0]]} images in column {column} and {wanted[other[0]]} times "
            "<image> in its prompt; allowed: as many"
        )
    if util.find_spec("qwen_vl_utils") is None:
        yield f"{where}: has images, which verl reads with a package that is not here; pip install qwen-vl-utils"
        return
    model = config.actor_rollout_ref.model
    if model_directory(model) is not None and load_processor(model) is None:
        yield (
            f"actor_rollout_ref.model.path={model.path}: verl can load no image processor, and {where} has images; "
            "allowed: a vision model (and torchvision in this environment), or rows of text"
        )


def _holds_any(file: str, column: str, columns: Sequence[str]) -> bool:
    """Whether any row of the file has something in a column; the first that has ends the reading."""
    if column not in columns:
        return False
    import pyarrow.parquet as pq

    batches = pq.ParquetFile(expand(file)).iter_batches(columns=[column])
    return any(value is not None and len(value) for batch in batches for value in batch.column(0).to_pylist())


def _column(data: Any, kind: str) -> str:
    return str(data.get(f"{kind}_key") or f"{kind}s")


def _prompts(data: Any, rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    prompts = [row.get(data.get("prompt_key", "prompt")) for row in rows]
    return [prompt if isinstance(prompt, list) else [] for prompt in prompts]


CHECKS = (check_media,)

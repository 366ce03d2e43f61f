"""Problems of a verl parquet file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mrt_verl.media import KINDS


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the file."""

    index: int
    """Its position in the file."""
    uid: str
    """Hash of question and reference: the same problem has the same uid in every file."""
    data_source: str
    messages: list[dict[str, str]]
    reference: Any
    """`reward_model.ground_truth`: the right answer, or several accepted ones."""
    extra_info: dict[str, Any] = field(default_factory=dict)
    """For outcomes other than math-verify."""

    @property
    def row(self) -> dict[str, Any]:
        """What grading reads, as verl's data has it."""
        truth = {"ground_truth": self.reference}
        return {"reward_model": truth, "data_source": self.data_source, "extra_info": self.extra_info}


def read_problems(path: Path, limit: int | None = None) -> list[Problem]:
    """The first `limit` problems of a verl parquet file, or all.

    Raises:
        ValueError: it is no parquet file, has no row, or a row has no messages or no reference; names file and row.
    """
    import pandas as pd

    if not path.is_file():
        raise ValueError(f"{path}: {'a directory' if path.is_dir() else 'no such file'}; allowed: a parquet file")
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # what pyarrow raises of a broken file is one of these
        raise ValueError(f"{path}: not a whole parquet file: {' '.join(str(error).split())}") from error
    for column in ("prompt", "reward_model"):
        if column not in frame.columns:
            raise ValueError(f"{path}: column {column} is missing; got {', '.join(map(str, frame.columns))}")
    for column in {f"{kind}s" for kind in KINDS} & set(frame.columns):
        held = [number for number, value in enumerate(frame[column]) if value is not None and len(value)]
        if held:
            raise ValueError(f"{path}: row {held[0]} has {column}; allowed: rows of text, an evaluation reads no media")
    rows = frame.head(limit).to_dict("records") if limit is not None else frame.to_dict("records")
    if not rows:
        raise ValueError(f"{path}: no problems; allowed: one row or more")
    return [_problem(row, index, path) for index, row in enumerate(rows)]


def _problem(row: Mapping[Any, Any], index: int, path: Path) -> Problem:
    prompt, truth, extra = _plain(row["prompt"]), row["reward_model"], row.get("extra_info")
    if not isinstance(prompt, list):
        raise ValueError(f"{path}: row {index}: prompt is {prompt!r}; allowed: messages with role and content")
    for name, value in (("reward_model", truth), ("extra_info", extra)):
        if not isinstance(value, Mapping | None):
            raise ValueError(f"{path}: row {index}: {name} is {value!r}; allowed: named fields, as in verl's data")
    messages = [_message(message, index, path) for message in prompt]
    reference = _plain((truth or {}).get("ground_truth"))
    if not messages:
        raise ValueError(f"{path}: row {index}: prompt is empty; allowed: one message or more")
    if reference is None or not str(reference).strip():
        raise ValueError(f"{path}: row {index}: reward_model.ground_truth={reference!r}; allowed: an answer")
    content = json.dumps([messages, reference], sort_keys=True, ensure_ascii=False)
    uid = hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=8).hexdigest()
    extra_info = {key: _plain(value) for key, value in (extra or {}).items()}
    return Problem(index, uid, str(row.get("data_source", "")), messages, reference, extra_info)


def _message(message: Any, index: int, path: Path) -> dict[str, str]:
    parts = [message.get(key) if isinstance(message, Mapping) else None for key in ("role", "content")]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError(f"{path}: row {index}: prompt holds {message!r}; allowed: messages with role and content")
    return {"role": str(parts[0]), "content": str(parts[1])}


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value

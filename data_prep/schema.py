"""verl's parquet columns: the one place that writes and validates them."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS: dict[str, type] = {
    "data_source": str,
    "prompt": list,
    "ability": str,
    "reward_model": dict,
    "extra_info": dict,
}


def make_row(*, data_source: str, question: str, answer: str, ability: str, split: str, index: int) -> dict[str, Any]:
    """One problem in verl's schema; repeating it is verl's business (`rollout.n`, `val_kwargs.n`)."""
    return {
        "data_source": data_source,
        "prompt": [{"role": "user", "content": question}],
        "ability": ability,
        "reward_model": {"style": "rule", "ground_truth": answer},
        "extra_info": {"split": split, "index": index},
    }


def validate_row(row: Mapping[str, Any], position: int) -> None:
    """Check one row.

    Raises:
        ValueError: names the row, the column, what was got and what is allowed.
    """
    for column, kind in COLUMNS.items():
        if column not in row:
            raise ValueError(f"row {position}: column {column} is missing; got {sorted(row)}")
        if not isinstance(row[column], kind) or not row[column]:
            raise ValueError(f"row {position}: {column}={row[column]!r}; allowed: a {kind.__name__} that is not empty")
    for message in row["prompt"]:
        if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
            raise ValueError(f"row {position}: prompt holds {message!r}; allowed: messages with role and content")
    truth = row["reward_model"].get("ground_truth")
    if not isinstance(truth, str) or not truth.strip():
        raise ValueError(f"row {position}: reward_model.ground_truth={truth!r}; allowed: a text that is not empty")


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Validate and write rows; the file appears only when it is whole. Returns the number of rows.

    Raises:
        ValueError: a row is not valid, or there is none.
    """
    rows = list(rows)
    for position, row in enumerate(rows):
        validate_row(row, position)
    if not rows:
        raise ValueError(f"{path}: no rows to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pd.DataFrame(rows).to_parquet(partial, index=False)
    os.replace(partial, path)
    return len(rows)

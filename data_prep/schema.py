"""verl's parquet columns: the one place that makes and validates them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.writing import write_rows

if TYPE_CHECKING:  # the command line starts without it
    import pyarrow as pa

COLUMNS: dict[str, type] = {
    "data_source": str,
    "prompt": list,
    "ability": str,
    "reward_model": dict,
    "extra_info": dict,
}
PREFIX_COLUMNS: dict[str, type] = {"prefix": str, "prefix_j": float, "prefix_episode": int}
"""Optional columns of the prefix variant: the thinking up to an episode's end, J there, its index; or null."""
IMAGES = "images"
"""Optional column of vision problems: encoded images, each with the path it came from, or null."""
_OPTIONAL = (*PREFIX_COLUMNS, IMAGES)
_PLAIN = (str, int, float, bool)


def arrow_type(kind: type) -> "pa.DataType":
    """The column type of a plain Python type."""
    import pyarrow as pa

    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[kind]


def make_row(
    *,
    data_source: str,
    question: str,
    answer: str,
    ability: str,
    split: str,
    index: int,
    extra: Mapping[str, Any] | None = None,
    images: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """One problem in verl's schema; repeating it is verl's business (`rollout.n`, `val_kwargs.n`).

    Args:
        extra: further plain values for `extra_info`.
        images: encoded images, each `{"bytes": …, "path": …}`; None leaves the column out.
    """
    return {
        "data_source": data_source,
        "prompt": [{"role": "user", "content": question}],
        "ability": ability,
        "reward_model": {"style": "rule", "ground_truth": answer},
        "extra_info": {"split": split, "index": index, **(extra or {})},
        **({} if images is None else {IMAGES: list(images)}),
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
    for column in row.keys() - COLUMNS.keys():
        _validate_optional(row, column, position)


def _validate_optional(row: Mapping[str, Any], column: str, position: int) -> None:
    if column == IMAGES:
        if not all(isinstance(image.get("bytes"), bytes) and image["bytes"] for image in row[column]):
            raise ValueError(f"row {position}: {column}; allowed: a list of encoded images with their bytes")
        return
    if column not in PREFIX_COLUMNS:
        raise ValueError(f"row {position}: unknown column {column}; allowed: {', '.join([*COLUMNS, *_OPTIONAL])}")
    kind = PREFIX_COLUMNS[column]
    if row[column] is not None and type(row[column]) is not kind:
        raise ValueError(f"row {position}: {column}={row[column]!r}; allowed: a {kind.__name__} or null")


class SchemaOfFirst:
    """The first row fixes the optional columns and the types in `extra_info`; all others must agree."""

    def __init__(self) -> None:
        self._optional: list[str] = []
        self._extra: dict[str, type] | None = None

    def check(self, row: Mapping[str, Any], position: int) -> None:
        """Validate one row.

        Raises:
            ValueError: the row is not valid, or differs from the first in columns or types.
        """
        validate_row(row, position)
        extra = {key: type(value) for key, value in row["extra_info"].items()}
        if self._extra is None:
            for key, kind in extra.items():
                if kind not in _PLAIN:
                    raise ValueError(
                        f"row {position}: extra_info.{key} is a {kind.__name__}; allowed: text, number, bool"
                    )
            self._extra = extra
            self._optional = [column for column in _OPTIONAL if column in row]
        if extra != self._extra:
            raise ValueError(
                f"row {position}: extra_info has {_named(extra)}; allowed, as in row 0: {_named(self._extra)}"
            )
        if len(row) != len(COLUMNS) + len(self._optional) or not all(column in row for column in self._optional):
            raise ValueError(f"row {position}: columns {sorted(row)}; allowed, as in row 0: {self.names()}")

    def names(self) -> list[str]:
        """The columns' names."""
        return [*COLUMNS, *self._optional]

    def arrow(self) -> "pa.Schema":
        """The schema all rows agree on."""
        import pyarrow as pa

        text = pa.string()
        columns: dict[str, pa.DataType] = {
            "data_source": text,
            "prompt": pa.list_(pa.struct([("role", text), ("content", text)])),
            "ability": text,
            "reward_model": pa.struct([("style", text), ("ground_truth", text)]),
            "extra_info": pa.struct([(key, arrow_type(kind)) for key, kind in (self._extra or {}).items()]),
        }
        images = pa.list_(pa.struct([("bytes", pa.binary()), ("path", text)]))
        optional = {
            column: images if column == IMAGES else arrow_type(PREFIX_COLUMNS[column]) for column in self._optional
        }
        return pa.schema({**columns, **optional})


def _named(kinds: Mapping[str, type]) -> str:
    return ", ".join(f"{key}: {kind.__name__}" for key, kind in kinds.items())


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Validate and stream rows; the file appears only when it is whole. Returns the number of rows.

    Raises:
        ValueError: a row is not valid, or there is none.
    """
    return write_rows(rows, path, SchemaOfFirst())

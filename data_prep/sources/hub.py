"""What all datasets on the hub have in common: repository, configs, splits, columns, and a conversion per row."""

import argparse
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.inputs import Rows, local_configs, read_dataset, read_file, resolve_revision
from data_prep.problems import Convert, DataError, Dropped, Problem, Source, Split, Unusable


def hub_source(
    *,
    name: str,
    summary: str,
    repository: str,
    splits: Mapping[str, str],
    columns: Sequence[str],
    convert: Convert,
    configs: Sequence[str | None] = (None,),
    **settings: Any,
) -> Source:
    """A source that `datasets` reads, from the hub or from `--from PATH`.

    The revision is the user's `--revision`, or the main branch's commit at the time; the manifest records the commit.

    Args:
        repository: where it is on the hub.
        splits: "train" and "test" → the repository's name of it.
        columns: what `convert` reads; a file without one of them is refused.
        configs: the repository's configs, all of which are read.
        settings: further fields of Source.
    """

    def read(split: str, options: argparse.Namespace) -> Split:
        parts, origin = _open(repository, splits[split], configs, columns, options)
        totals = [part.total for part in parts]
        total = None if None in totals else sum(filter(None, totals))
        rows = itertools.chain.from_iterable(part.rows for part in parts)
        return Split(_problems(rows, convert), origin, total)

    def check_reach(options: argparse.Namespace) -> None:
        if options.from_path is None:
            resolve_revision(repository, options.revision)

    return Source(
        name=name,
        summary=f"{summary} ({repository})",
        splits=tuple(splits),
        read=read,
        is_hub=True,
        check_reach=check_reach,
        **settings,
    )


def _open(
    repository: str, split: str, configs: Sequence[str | None], columns: Sequence[str], options: argparse.Namespace
) -> tuple[list[Rows], dict[str, Any]]:
    path: Path | None = options.from_path
    if path is None:
        revision = resolve_revision(repository, options.revision)
        origin: dict[str, Any] = {"repository": repository, "revision": revision, "split": split}
        place, streaming = repository, False
    elif path.is_dir():
        revision, origin = None, {"path": str(path), "revision": None, "split": split}
        place, streaming = str(path), True
        configs = local_configs(path, configs)
    elif path.is_file():
        part = read_file(path, columns)
        return [part], {**part.origin, "revision": None}
    else:
        raise DataError(f"--from {path}: no such file or directory")
    parts = [
        read_dataset(place, config=config, split=split, revision=revision, columns=columns, streaming=streaming)
        for config in configs
    ]
    return parts, origin


def _problems(rows: Iterator[Any], convert: Convert) -> Iterator[Problem | Dropped]:
    for number, row in enumerate(rows):
        try:
            question, answer, extra = convert(row)
        except Unusable as why:
            yield Dropped(number, why.column, why.reason, why.value)
        else:
            yield Problem(question, answer, number, extra)

"""The evaluation sets that training data is decontaminated against: prepared files, or the hub's own."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.contamination import Contamination
from data_prep.inputs import read_file
from data_prep.problems import INSTRUCTION, DataError, Problem, Row, Source, shown


def load_contamination(
    source: Source, options: argparse.Namespace
) -> tuple[Contamination | None, dict[str, Any] | None]:
    """The index to ask, and what the manifest says of it; None and None where nothing is decontaminated.

    `--evaluation` names parquet files of this tool, or directories that hold some. Without it, data from the hub is
    decontaminated against every evaluation set on the hub; data that was read offline is not.

    Raises:
        DataError: an evaluation set cannot be read.
    """
    if source.is_evaluation or options.no_decontamination:
        return None, None
    if options.evaluation:
        sets, origins = _prepared_sets(options.evaluation)
    elif source.is_hub and options.from_path is None:
        sets, origins = _hub_sets()
    else:
        return None, None
    about = {
        "sets": {name: {"problems": len(problems), "origin": origins[name]} for name, problems in sets.items()},
        "ngram": options.ngram,
        "overlap": options.overlap,
    }
    return Contamination(sets, ngram=options.ngram, overlap=options.overlap), about


def _prepared_sets(paths: list[Path]) -> tuple[dict[str, list[str]], dict[str, Any]]:
    sets: dict[str, list[str]] = {}
    origins: dict[str, Any] = {}
    for path in paths:
        files = sorted(path.rglob("test.parquet")) if path.is_dir() else [path]
        if not files or not files[0].is_file():
            raise DataError(f"--evaluation {path}: allowed: a parquet file, or a directory that holds test.parquet")
        for file in files:
            instruction = _instruction(file)
            table = read_file(file, ("data_source", "prompt"))
            for number, row in enumerate(table.rows):
                question = _question(row, f"--evaluation {file}: row {number}").removesuffix(f"\n\n{instruction}")
                name = str(row["data_source"])
                sets.setdefault(name, []).append(question)
                origins[name] = table.origin
    return sets, origins


def _question(row: Row, where: str) -> str:
    prompt = row["prompt"]
    last = prompt[-1] if isinstance(prompt, list) and prompt else None
    content = last.get("content") if isinstance(last, Mapping) else None
    if not isinstance(content, str):
        raise DataError(f"{where}: prompt is {shown(prompt)}; allowed: messages with role and content")
    return content


def _instruction(file: Path) -> str:
    """What the prompts of a prepared file end with: it is no part of the problems."""
    manifest = file.with_name("manifest.json")
    if not manifest.is_file():
        return INSTRUCTION
    try:
        return str(json.loads(manifest.read_text(encoding="utf-8"))["options"]["instruction"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"{manifest}: not the manifest of a prepared set ({error})") from error


def _hub_sets() -> tuple[dict[str, list[str]], dict[str, Any]]:
    from data_prep.sources import SOURCES  # the sources' own modules need this package's

    options = argparse.Namespace(from_path=None, revision=None)
    sets: dict[str, list[str]] = {}
    origins: dict[str, Any] = {}
    for source in SOURCES.values():
        if source.is_evaluation:
            try:
                split = source.read("test", options)
                sets[source.data_source] = [item.question for item in split.items if isinstance(item, Problem)]
                origins[source.data_source] = split.origin
            except DataError as error:
                raise DataError(f"decontamination: {error} (--evaluation PATH, --no-decontamination)") from error
    return sets, origins

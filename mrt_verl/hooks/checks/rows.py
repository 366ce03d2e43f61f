"""The first rows of the data: whether MRT can roll them out and grade them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mrt_verl.grading.comparison import as_references
from mrt_verl.grading.outcomes import unscored
from mrt_verl.hooks.checks.local import expand, first_rows, ground_truth, listed, readable_parquet
from mrt_verl.settings import MRTSettings

READ = (".parquet", ".json", ".jsonl")
"""Kinds of files that verl's dataset reads."""
Rows = Sequence[dict[str, Any]]


def check_data_files(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Data must be there, in files that verl reads; a dataset class of the run's own may read others."""
    is_own = bool((config.data.get("custom_cls") or {}).get("path"))
    for key in ("train_files", "val_files"):
        files = listed(config.data.get(key))
        if not files:
            yield f"data.{key}={config.data.get(key)}; allowed: a parquet file, or a list of several"
        for file in files:
            if "://" not in file and not expand(file).is_file():
                yield f"data.{key}={file}; allowed: a parquet file that exists"
            elif not is_own and Path(file).suffix not in READ:
                yield f"data.{key}={file}; allowed: a file that ends in {', '.join(READ)}; verl reads no other"


def check_rows(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Rows must have a prompt and an answer, and no other agent loop; a dataset class of one's own may make them."""
    if (config.data.get("custom_cls") or {}).get("path"):
        return
    trained = listed(config.data.get("train_files"))
    tested = [file for file in listed(config.data.get("val_files")) if file not in trained]
    for key, files in (("train_files", trained), ("val_files", tested)):
        for file in filter(readable_parquet, files):
            where = f"data.{key}={file}"
            try:
                columns, rows = first_rows(file)
            except (OSError, ValueError) as error:
                yield f"{where}: {error}; allowed: a parquet file"
                continue
            if not rows:
                yield f"{where}: no rows; allowed: one row or more"
                continue
            yield from _prompt_problems(where, columns, rows, config)
            yield from _answer_problems(where, columns, rows, settings)
            yield from _unscored(where, columns, rows, settings, config)
            wants_prefix = settings.variant == "prefix" and settings.prefix_source == "dataset"
            if wants_prefix and key == "train_files" and "prefix" not in columns:
                yield f"mrt.prefix_source=dataset: {file} has no column `prefix`; python -m data_prep prefixes makes it"


def _prompt_problems(where: str, columns: Sequence[str], rows: Rows, config: Any) -> Iterator[str]:
    loops = sorted({str(row["agent_name"]) for row in rows if row.get("agent_name")} - {"mrt", "mrt_prefix"})
    if loops:
        yield (
            f"{where}: column agent_name={loops[0]}; allowed: mrt, or no such column, which would choose another agent "
            "loop for its rows"
        )
    prompt = str(config.data.get("prompt_key", "prompt"))
    if prompt not in columns:
        yield f"{where}: no column {prompt}; got {', '.join(columns)}"
        return
    other = [number for number, row in enumerate(rows) if not _is_chat(row[prompt])]
    if other:
        yield (
            f"{where}: row {other[0]} ({len(other)} of the first {len(rows)}): {prompt} is no conversation; allowed: a "
            "list of messages, each with role and content"
        )


def _is_chat(prompt: Any) -> bool:
    messages = prompt if isinstance(prompt, list) else []
    return bool(messages) and all(
        isinstance(one, Mapping) and one.get("role") and one.get("content") is not None for one in messages
    )


def _answer_problems(where: str, columns: Sequence[str], rows: Rows, settings: MRTSettings) -> Iterator[str]:
    if "reward_model" not in columns:
        yield f"{where}: no column reward_model; got {', '.join(columns)}"
        return
    truths = [ground_truth(row) for row in rows]
    read = [as_references(truth) if settings.outcome == "math_verify" else truth is not None for truth in truths]
    missing = [number for number, one in enumerate(read) if not one]
    if missing:
        got = "" if truths[missing[0]] is None else f" that is an answer: {truths[missing[0]]!r}"
        yield (
            f"{where}: row {missing[0]} ({len(missing)} of the first {len(rows)}) has no reward_model.ground_truth"
            f"{got[:80]}; allowed: an answer in every row (python -m data_prep check --data FILE)"
        )


def _unscored(where: str, columns: Sequence[str], rows: Rows, settings: MRTSettings, config: Any) -> Iterator[str]:
    """verl's own scorer must know the data sources, where it is asked to grade."""
    if settings.outcome != "compute_score":
        return
    if "data_source" not in columns:
        yield f"{where}: no column data_source, by which compute_score grades; got {', '.join(columns)}"
        return
    if config.reward.custom_reward_function.path:
        return
    for source in unscored(str(row.get("data_source")) for row in rows):
        yield (
            f"{where}: verl has no scorer for data_source={source}; allowed with mrt.outcome=compute_score: a "
            "source that verl scores, or a reward.custom_reward_function"
        )


CHECKS = (check_data_files, check_rows)

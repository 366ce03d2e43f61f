"""What only this machine can tell: files, rows of the data, Ray, GPU. Some take a trainer minutes to find out."""

import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mrt_verl.hooks.checks.local import expand, first_rows, is_local, listed, readable_parquet
from mrt_verl.settings import MRTSettings

MEDIA = ("images", "videos", "audios")
RUNNING_CLUSTER = Path("/tmp/ray/ray_current_cluster")
"""Where Ray writes the address of a cluster that was started on this machine, and looks for one to join."""
ACCELERATORS = ("nvidia[0-9]*", "davinci[0-9]*")
"""Devices of GPUs and NPUs."""


def check_files(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Model, data and reward function must be there."""
    path = config.actor_rollout_ref.model.path
    if path is not None and is_local(path) and not expand(path).is_dir():
        yield f"actor_rollout_ref.model.path={path}; allowed: a directory with a model, or a hub's owner/name"
    function = config.reward.custom_reward_function.path
    if function and "://" not in function and not expand(function).is_file():
        yield f"reward.custom_reward_function.path={function}; allowed: a Python file that exists"
    for key in ("train_files", "val_files"):
        for file in listed(config.data.get(key)):
            if "://" not in file and not expand(file).exists():
                yield f"data.{key}={file}; allowed: a parquet file that exists"


def check_rows(settings: MRTSettings, config: Any) -> Iterator[str]:
    """The first rows of the training data must be ones that MRT can roll out and grade."""
    for file in listed(config.data.get("train_files")):
        if not readable_parquet(file):
            continue
        try:
            columns, rows = first_rows(file)
        except (OSError, ValueError) as error:
            yield f"data.train_files={file}: {error}; allowed: a parquet file"
            continue
        yield from _column_problems(file, columns, rows, settings, config)
        yield from _unscored(file, rows, settings, config)


def _column_problems(
    file: str, columns: Sequence[str], rows: Sequence[dict[str, Any]], settings: MRTSettings, config: Any
) -> Iterator[str]:
    loops = sorted({str(row["agent_name"]) for row in rows if row.get("agent_name")} - {"mrt", "mrt_prefix"})
    if loops:
        yield (
            f"data.train_files={file}: column agent_name={loops[0]}; allowed: mrt, or no such column, which would "
            "choose another agent loop for its rows"
        )
    prompt = config.data.get("prompt_key", "prompt")
    for column in (prompt, "reward_model"):
        if column not in columns:
            yield f"data.train_files={file}: no column {column}; got {', '.join(columns)}"
    media = [name for name in MEDIA if any(row.get(name) is not None and len(row[name]) for row in rows)]
    if media:
        yield f"data.train_files={file}: column {media[0]}; allowed: rows of text alone, MRT rolls out no media"
    truths = [(row.get("reward_model") or {}).get("ground_truth") for row in rows if "reward_model" in columns]
    missing = [number for number, truth in enumerate(truths) if truth is None or not str(truth).strip()]
    if missing:
        yield (
            f"data.train_files={file}: row {missing[0]} ({len(missing)} of the first {len(rows)}) has no "
            "reward_model.ground_truth; allowed: an answer in every row (python -m data_prep check --data FILE)"
        )
    if settings.variant == "prefix" and settings.prefix_source == "dataset" and "prefix" not in columns:
        yield f"mrt.prefix_source=dataset: {file} has no column `prefix`; python -m data_prep prefixes makes it"


def _unscored(file: str, rows: Sequence[dict[str, Any]], settings: MRTSettings, config: Any) -> Iterator[str]:
    """verl's own scorer must know the data sources, where it is asked to grade."""
    if settings.outcome != "compute_score" or config.reward.custom_reward_function.path:
        return
    from verl.utils.reward_score import default_compute_score

    for source in sorted({str(row.get("data_source")) for row in rows}):
        try:
            default_compute_score(source, "", "0")
        except NotImplementedError:
            yield (
                f"data.train_files={file}: verl has no scorer for data_source={source}; allowed with "
                "mrt.outcome=compute_score: a source that verl scores, or a reward.custom_reward_function"
            )
        except Exception:  # it knows the source; an empty answer is no answer of it
            continue


def check_trace_dir(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Traces must have a place, before the first step is spent."""
    if settings.trace_dir is None:
        return
    directory = expand(settings.trace_dir)
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        yield f"mrt.trace_dir={settings.trace_dir}: {error}; allowed: a directory that can be written, or null"


def check_ray(settings: MRTSettings, config: Any) -> Iterator[str]:
    """An address that nobody answers at makes Ray wait for ever."""
    address = os.environ.get("RAY_ADDRESS", "").removeprefix("ray://")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError as error:
        yield f"RAY_ADDRESS={address}: {error}; allowed: a cluster that runs, or unset it to start one on this machine"


def check_device(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A run on this machine alone needs a GPU, or the CPU's platform and settings together."""
    on_cpu = os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu"
    eager_dtype = config.actor_rollout_ref.rollout.dtype
    if on_cpu:
        if eager_dtype != "float32":
            yield (
                f"VERL_PLATFORM=cpu with actor_rollout_ref.rollout.dtype={eager_dtype}; allowed: float32; "
                "+hardware=cpu sets this and all else that a CPU needs"
            )
        if config.actor_rollout_ref.actor.use_kl_loss:
            yield (
                "actor_rollout_ref.actor.use_kl_loss=True with VERL_PLATFORM=cpu; allowed: False, verl's reference "
                "model pins memory for a GPU"
            )
        return
    if os.environ.get("RAY_ADDRESS") or config.ray_kwargs.ray_init.get("address") or RUNNING_CLUSTER.exists():
        return  # the workers may be elsewhere
    if not any(any(Path("/dev").glob(pattern)) for pattern in ACCELERATORS) and not _has_gpu():
        yield (
            "no GPU on this machine, and VERL_PLATFORM is not cpu; allowed: a machine with one, or "
            "VERL_PLATFORM=cpu python -m verl.trainer.main_ppo … +hardware=cpu"
        )


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


CHECKS = (check_files, check_rows, check_trace_dir, check_ray, check_device)

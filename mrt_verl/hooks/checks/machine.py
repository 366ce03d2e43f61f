"""What only this machine can tell: files and devices. Some take a trainer minutes to find out."""

import ast
import json
import tempfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mrt_verl.hooks.checks.cluster import joins_a_cluster
from mrt_verl.hooks.checks.local import expand, is_local, nearest_existing, tokenizer_error
from mrt_verl.platforms import is_on_cpu
from mrt_verl.settings import MRTSettings
from mrt_verl.weights import TORCH_FORMATS, broken_weights, has_weights

ACCELERATORS = ("nvidia[0-9]*", "davinci[0-9]*")
"""Devices of GPUs and NPUs."""


def check_files(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Model and reward function must be there."""
    model = config.actor_rollout_ref.model
    problems = list(_model_problems(model.path)) if is_local(model.path) else []
    yield from problems
    own = model.tokenizer_path
    if own and is_local(own) and not expand(own).is_dir():
        yield f"actor_rollout_ref.model.tokenizer_path={own}; allowed: a directory with a tokenizer, or null"
    elif not problems and (error := tokenizer_error(model)) is not None:
        key = "tokenizer_path" if own else "path"
        yield f"actor_rollout_ref.model.{key}={own or model.path}: no tokenizer can be loaded: {str(error)[:200]}"
    yield from _function_problems(config.reward.custom_reward_function)


def _model_problems(path: str) -> Iterator[str]:
    """Whether a directory holds a model: its config, and whole weights."""
    place, key = expand(path), f"actor_rollout_ref.model.path={path}"
    if not place.is_dir():
        yield f"{key}; allowed: a directory with a model, or a hub's owner/name"
        return
    try:
        json.loads((place / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield f"{key}: config.json: {error}; allowed: a directory with a model"
    if not has_weights(place):
        yield (
            f"{key}: no weights ({', '.join(TORCH_FORMATS)}); allowed: a directory with a model. A checkpoint of verl "
            "becomes one by python -m verl.model_merger merge --backend fsdp --local_dir …/actor --target_dir MODEL"
        )
    elif (problem := broken_weights(place)) is not None:
        yield f"{key}: {problem}; allowed: a directory with a whole model"


def _function_problems(node: Any) -> Iterator[str]:
    """A reward function's file must hold it; the file is read, not run."""
    path, name = node.path, node.get("name") or "compute_score"
    key = "reward.custom_reward_function"
    if not path or "://" in path:
        package = str(path or "").removeprefix("pkg://").partition(".")[0]
        # of its parts only the first can be looked for without running code
        if package and str(path).startswith("pkg://") and util.find_spec(package) is None:
            yield f"{key}.path={path}: no module {package}; allowed: a module that this environment has"
        return
    if not expand(path).is_file():
        yield f"{key}.path={path}; allowed: a Python file that exists"
        return
    try:
        source = expand(path).read_bytes()
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        yield f"{key}.path={path}: {error}; allowed: a Python file"
        return
    names = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    functions = [
        one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    imported = {one.asname or one.name for one in ast.walk(tree) if isinstance(one, ast.alias)}
    is_dynamic = "*" in imported or "__getattr__" in functions or b"globals()" in source
    if name not in {*functions, *names, *imported} and not is_dynamic:
        told = f" ({', '.join(functions)})" if functions else ""
        yield f"{key}.name={name}; allowed: a function of {path}{told}"


def check_directories(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Traces and checkpoints must have a place, before the first step is spent."""
    checkpoints = config.trainer.default_local_dir
    if settings.trace_dir is not None and (error := _write_error(settings.trace_dir)) is not None:
        yield f"mrt.trace_dir={settings.trace_dir}: {error}; allowed: a directory that can be written, or null"
    if config.trainer.save_freq > 0 and "://" not in checkpoints and (error := _write_error(checkpoints)) is not None:
        yield f"trainer.default_local_dir={checkpoints}: {error}; allowed: a directory that can be written"


def _write_error(directory: str) -> OSError | None:
    """Why nothing can be written there, None if something can."""
    try:
        tempfile.TemporaryFile(dir=nearest_existing(expand(directory))).close()
    except OSError as error:
        return error
    return None


def check_device(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A run on this machine alone needs a GPU, or the CPU's platform and settings together."""
    eager_dtype = config.actor_rollout_ref.rollout.dtype
    if is_on_cpu():
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
    if joins_a_cluster(config):
        return  # the workers may be elsewhere
    if not any(any(Path("/dev").glob(pattern)) for pattern in ACCELERATORS) and not _has_gpu():
        yield (
            "no GPU on this machine, and VERL_PLATFORM is not cpu; allowed: a machine with one, or "
            "VERL_PLATFORM=cpu python -m verl.trainer.main_ppo … +hardware=cpu"
        )


def check_checkpoint_engine(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Weights must reach replicas of their own, which verl tells after minutes; gloo is what mrt_verl.cpu adds."""
    engine = config.actor_rollout_ref.rollout.checkpoint_engine
    if config.trainer.v1.trainer_mode != "separate_async" or engine.custom_backend_module:
        return
    if is_on_cpu():
        is_able, where, allowed = engine.backend == "gloo", " and VERL_PLATFORM=cpu", "gloo"
    else:
        is_able, where = engine.backend not in ("naive", "gloo"), ""
        allowed = "nccl, nixl, mooncake or another that moves weights between machines"
    if not is_able:
        key = f"actor_rollout_ref.rollout.checkpoint_engine.backend={engine.backend}"
        yield f"{key} with trainer_mode=separate_async{where}; allowed: {allowed}"


def check_updates(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Old log-probs of all updates of a step must be those of one policy."""
    key = "trainer.v1.separate_async.parameter_sync_step"
    updates, correction = OmegaConf.select(config, key), config.algorithm.get("rollout_correction") or {}
    is_separate = config.trainer.v1.trainer_mode == "separate_async"
    if is_separate and updates > 1 and is_on_cpu() and not correction.get("bypass_mode"):
        yield (
            f"{key}={updates} with VERL_PLATFORM=cpu; allowed: 1, or algorithm.rollout_correction.bypass_mode=True. "
            "verl keeps the weights before a step's first update by moving them to the CPU, where that copies nothing"
        )


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


CHECKS = (check_files, check_directories, check_device, check_checkpoint_engine, check_updates)

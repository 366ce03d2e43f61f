"""Sizes that do not fit each other: what verl refuses in a traceback, minutes later, or never while workers idle."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from mrt_verl.hooks.checks.local import expand, listed
from mrt_verl.settings import MRTSettings

logger = logging.getLogger(__name__)

MINI = "actor_rollout_ref.actor.ppo_mini_batch_size"
TRAIN = "data.train_batch_size"


def check_as_verl_does(settings: MRTSettings, config: Any) -> Iterator[str]:
    """verl's own check of a config, as one line: `main_ppo` runs it after ours, in a traceback."""
    from omegaconf.errors import MissingMandatoryValue
    from verl.trainer.ppo.utils import need_reference_policy
    from verl.utils.config import validate_config

    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # a critic is refused by its key
            validate_config(config, need_reference_policy(config), use_critic=False)
    except MissingMandatoryValue:
        return  # a value that is not set has a line of its own
    except Exception as error:  # verl raises what it likes; it would be no other thing a moment later
        yield f"verl's own check of the config: {' '.join(str(error).split())}"


def check_mini_batches(settings: MRTSettings, config: Any) -> Iterator[str]:
    """An update's mini-batch must spread over the actor's ranks, which verl finds out at the first update."""
    mini, n = config.actor_rollout_ref.actor.ppo_mini_batch_size, config.actor_rollout_ref.rollout.n
    ranks = _ranks(config)
    if ranks is not None and mini * n % ranks:
        yield (
            f"{MINI}={mini} x actor_rollout_ref.rollout.n={n} over {ranks} data-parallel ranks; allowed: a multiple of "
            f"{ranks} rollouts"
        )
    train = config.data.train_batch_size
    if train % mini:
        logger.warning(
            "%s=%d is no multiple of %s=%d: verl fills the last mini-batch of a step up with rows that train nothing",
            *(TRAIN, train, MINI, mini),
        )


def _ranks(config: Any) -> int | None:
    """Data-parallel ranks of the actor; None for an engine that is not known here, or sizes verl refuses itself."""
    actor = config.actor_rollout_ref.actor
    gpus = config.trainer.n_gpus_per_node * config.trainer.nnodes
    if actor.strategy in ("fsdp", "fsdp2"):
        within = actor.get("ulysses_sequence_parallel_size", 1)
    elif actor.strategy == "megatron":
        node = actor.megatron
        within = node.tensor_model_parallel_size * node.pipeline_model_parallel_size * node.context_parallel_size
    else:
        return None
    return gpus // within if gpus % within == 0 else None


def check_trainer_mode(settings: MRTSettings, config: Any) -> Iterator[str]:
    """What the v1 trainers assert of sizes when they are made or take their first step, after Ray has started."""
    mode, rollout = config.trainer.v1.trainer_mode, config.actor_rollout_ref.rollout
    train, mini = config.data.train_batch_size, config.actor_rollout_ref.actor.ppo_mini_batch_size
    if not isinstance(mode, str):
        return  # switches.py says so
    key = f"trainer.v1.{mode}.parameter_sync_step"
    steps = config.trainer.v1.get(mode, {}).get("parameter_sync_step", 1)
    if mode == "separate_async":
        if train != steps * mini:
            yield f"{TRAIN}={train} with {key}={steps} and {MINI}={mini}; allowed: {steps * mini}, their product"
        for name in ("nnodes", "n_gpus_per_node"):
            if rollout[name] < 1:
                yield f"actor_rollout_ref.rollout.{name}={rollout[name]} with trainer_mode={mode}; allowed: 1 or more"
    elif steps != 1:
        yield (
            f"{key}={steps}; allowed: 1, or trainer.v1.trainer_mode=separate_async. This trainer's replicas rest from "
            "the first batch of a step until its end, and a second one would be waited for"
        )
    dispatched = config.data.get("gen_batch_size") or train
    refills = config.algorithm.filter_groups.enable or config.trainer.v1.sampler.sync_refill_failed_groups
    if mode == "sync" and not refills and train % dispatched:
        yield f"data.gen_batch_size={dispatched} with {TRAIN}={train}; allowed: a divisor of it, or null"


def check_idle_workers(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A warning where some of the agent-loop workers get no prompt of a step: verl cuts it into equal chunks."""
    workers, prompts = config.actor_rollout_ref.rollout.agent.num_workers, config.data.train_batch_size
    chunk = -(-prompts // workers)
    busy = -(-prompts // chunk)
    if config.trainer.v1.trainer_mode == "sync" and busy < workers:
        logger.warning(
            "%s=%d over actor_rollout_ref.rollout.agent.num_workers=%d: %d workers get no prompt; %d would do as well",
            *(TRAIN, prompts, workers, workers - busy, busy),
        )
    yield from ()


def check_enough_rows(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A training file must hold one batch: of less, verl trains no step and ends with exit code 0."""
    import pyarrow.parquet as pq

    files = [expand(file) for file in listed(config.data.get("train_files"))]
    if not files or not all(file.suffix == ".parquet" and file.is_file() for file in files):
        return
    try:
        rows = sum(pq.read_metadata(file).num_rows for file in files)
    except (OSError, ValueError):
        return  # check_rows names the file
    most = config.data.get("train_max_samples", -1)
    rows = min(rows, most) if most is not None and most > 0 else rows
    if rows < config.data.train_batch_size:
        yield f"{TRAIN}={config.data.train_batch_size} with {rows} rows of data.train_files; allowed: {rows} or less"


CHECKS = (check_mini_batches, check_trainer_mode, check_idle_workers)
OF_A_WHOLE_RUN = (check_as_verl_does, check_enough_rows)
"""Of a config that is complete, which the tests' are not."""

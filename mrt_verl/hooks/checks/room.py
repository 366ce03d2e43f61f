"""Whether the disk has room for a checkpoint; on a full one torch ends the run with an error that names no disk."""

import logging
import shutil
from collections.abc import Iterator
from typing import Any

from mrt_verl.hooks.checks.local import expand, lora_rank, model_directory, nearest_existing
from mrt_verl.settings import MRTSettings
from mrt_verl.weights import count_parameters

logger = logging.getLogger(__name__)

PARAMETER_BYTES = 12
"""Of a parameter in verl's FSDP checkpoint: its weight and Adam's two moments, each float32."""


def check_room(settings: MRTSettings, config: Any) -> Iterator[str]:
    """Warns: a run may be given more room before it saves."""
    yield from ()
    trainer, actor, model = config.trainer, config.actor_rollout_ref.actor, config.actor_rollout_ref.model
    directory = model_directory(model)
    if trainer.save_freq <= 0 or actor.strategy not in ("fsdp", "fsdp2") or directory is None:
        return
    if lora_rank(model) or "://" in str(trainer.default_local_dir):
        return
    try:
        parameters = count_parameters(directory)
    except ValueError:
        return  # machine.py says so
    place = nearest_existing(expand(str(trainer.default_local_dir)))
    needed, free = PARAMETER_BYTES * parameters / trainer.nnodes, shutil.disk_usage(place).free
    if free < needed:
        logger.warning(
            "trainer.default_local_dir=%s has %s left, and a checkpoint of this model takes about %s here: free some, "
            "or name another disk",
            *(trainer.default_local_dir, _size(free), _size(needed)),
        )


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


CHECKS = (check_room,)

"""verl's plugin entry point (group `verl.plugins`): says which of our modules joins which of verl's registries.

verl loads this module at `import verl` in every process, Ray and vLLM workers included. So it imports nothing heavy:
each of our modules is imported right after the module whose registry it fills, if that one is ever imported.
"""

import functools
import importlib
import logging
import sys
import traceback

import wrapt

from mrt_verl.log import speak_up
from mrt_verl.platforms import is_on_cpu

# module that owns a registry -> our module that joins it when imported
HOOKS = {
    "hydra": "mrt_verl.hooks.hydra_plugin",
    "verl.trainer.ppo.core_algos": "mrt_verl.hooks.advantage",
    "verl.experimental.agent_loop.agent_loop": "mrt_verl.hooks.loops",
    "verl.experimental.reward_loop.reward_manager.registry": "mrt_verl.hooks.reward_manager",
}


def join(ours: str) -> None:
    """Import one of our modules; a failure ends a run that asks for MRT and leaves any other run alone."""
    try:
        importlib.import_module(ours)
    except Exception as error:  # verl must go on without us whatever broke; who asked for MRT is told loudly
        if any(argument.startswith("reward_model=mrt") for argument in sys.argv):
            traceback.print_exc()
            raise SystemExit(f"reward_model=mrt: {ours} could not be loaded: {error!r}") from error
        logging.getLogger(__name__).debug("%s could not be loaded", ours, exc_info=True)


def _join_after(ours: str, _owner: object) -> None:
    join(ours)


def hook(hooks: dict[str, str]) -> None:
    """Import `ours` after `owner`, for each `owner: ours`; at once where the owner is imported already."""
    for owner, ours in hooks.items():
        wrapt.register_post_import_hook(functools.partial(_join_after, ours), owner)


speak_up()
hook(HOOKS)
if is_on_cpu():
    join("mrt_verl.cpu")

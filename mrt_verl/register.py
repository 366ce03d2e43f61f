"""verl's plugin entry point (group `verl.plugins`): says which of our modules joins which of verl's registries.

verl loads this module at `import verl` in every process, Ray and vLLM workers included, so it imports nothing heavy:
each of our modules is imported right after the verl module whose registry it fills, if that is ever imported.
"""

import os
import sys
import traceback

import wrapt

# verl (or Hydra) module that owns a registry -> our module that registers itself there when imported
HOOKS = {
    "hydra.core.global_hydra": "mrt_verl.hydra_plugin",
    "verl.trainer.ppo.core_algos": "mrt_verl.advantage",
    "verl.experimental.agent_loop.agent_loop": "mrt_verl.agent_loop",
    "verl.experimental.reward_loop.reward_manager.registry": "mrt_verl.reward_manager",
}


def _register() -> None:
    if os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu":
        from mrt_verl import cpu

        HOOKS.update(cpu.HOOKS)
        cpu.prepare_process()
    for owner, ours in HOOKS.items():
        wrapt.register_post_import_hook(f"{ours}:register", owner)


try:
    _register()
except Exception as error:
    # verl swallows a plugin's exception at DEBUG level: right for a run that did not ask for MRT, fatal for one that did.
    if any(argument.startswith("reward_model=mrt") for argument in sys.argv):
        traceback.print_exc()
        raise SystemExit(f"mrt-verl could not register itself with verl: {error!r}") from error
    raise

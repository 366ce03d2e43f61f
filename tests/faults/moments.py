"""Loaded into each process of a training that is asked to be ill: VERL_USE_EXTERNAL_MODULES names this module.

verl imports it at `import verl`; MRT_FAULT_MOMENT names the entry of MOMENTS that changes a module right after its own
import: a stage is stretched so that it can be hit, an engine answers as no healthy one does, a check is left out.
"""

import asyncio
import os
import random
import time
from typing import Any

import wrapt

NAME = "MRT_FAULT_MOMENT"
UPDATE_S = 12.0
"""Seconds by which an update is stretched: longer than two looks at the actors are apart."""
LATE_S = 3.0
"""Seconds that an answer of the unwell engine may be late, so that they come out of order."""
TRACE_TOKENS = 50
"""Requests for more tokens than this are traces."""


def during(name: str) -> dict[str, str]:
    """Environment of a training with one of MOMENTS."""
    return {"VERL_USE_EXTERNAL_MODULES": __name__, NAME: name}


def slow_update(trainer: Any) -> None:
    """Each update says that it begins, and is stretched."""
    real = trainer.PPOTrainer._update_actor

    def update(self: Any, *args: Any, **kwargs: Any) -> Any:
        print("MOMENT: update", flush=True)
        time.sleep(UPDATE_S)
        return real(self, *args, **kwargs)

    trainer.PPOTrainer._update_actor = update


def unwell_engine(engine: Any) -> None:
    """All answers are late; of traces 4 in a hundred each, of forced answers 2, come never, as an error, or empty."""
    real, draws = engine.VerlEngine.generate, random.Random(1)

    async def generate(self: Any, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Any:
        share = 0.04 if sampling_params.get("max_tokens", 0) > TRACE_TOKENS else 0.02
        draw, how = draws.random() / share, {"request_id": request_id, "prompt_ids": prompt_ids}
        await asyncio.sleep(10_000 if draw < 1 else draws.random() * LATE_S)
        if draw < 2:
            raise RuntimeError("the engine is unwell")
        answer = await real(self, **how, sampling_params=sampling_params)
        if draw < 3:
            answer.token_ids, answer.log_probs = [], []
        return answer

    engine.VerlEngine.generate = generate


def context_unchecked(feasibility: Any) -> None:
    """The start-up check does not ask whether the context has room for forced answers."""
    feasibility.CHECKS = tuple(check for check in feasibility.CHECKS if check is not feasibility.check_context)


MOMENTS = {
    "slow_update": (slow_update, "verl.trainer.ppo.v1.trainer_base"),
    "unwell_engine": (unwell_engine, "mrt_verl.hooks.engine"),
    "context_unchecked": (context_unchecked, "mrt_verl.hooks.checks.feasibility"),
}
"""By name what is changed in which module."""

if NAME in os.environ:
    wrapt.register_post_import_hook(*MOMENTS[os.environ[NAME]])

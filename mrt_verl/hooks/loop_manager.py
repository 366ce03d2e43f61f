"""verl's agent loop manager, which also tells each rollout whether it validates, and has its actors watched."""

from functools import partial
from typing import Any

from ray.exceptions import ActorDiedError
from tensordict import TensorDict
from verl.trainer.ppo.v1 import AgentLoopManagerTQ
from verl.utils import tensordict_utils as tu

from mrt_verl.hooks.actor_watch import ActorWatch, questions_of
from mrt_verl.hooks.stall import raise_if_dead
from mrt_verl.hooks.trainer_watch import Trainer
from mrt_verl.settings import MRTSettings


class MRTAgentLoopManager(AgentLoopManagerTQ):
    """Adds `mrt_validate: True` to the rows of a validation batch; training batches stay as they are."""

    async def _init_agent_loop_workers(self) -> Any:
        made = await super()._init_agent_loop_workers()
        if ActorWatch.of_process is not None:
            ActorWatch.of_process.stop()
        grace_s = MRTSettings.from_config(self.config.mrt).stall_timeout_s
        questions = partial(questions_of, self, Trainer.this(grace_s))
        ActorWatch.of_process = ActorWatch(questions, grace_s=grace_s)
        ActorWatch.of_process.start()
        return made

    def generate_sequences(self, prompts: TensorDict) -> None:
        if tu.get_non_tensor_data(prompts, key="validate", default=False):
            tu.assign_non_tensor_data(prompts, "mrt_validate", True)
        try:
            super().generate_sequences(prompts)
        except ActorDiedError:
            raise_if_dead("its prompts could not be handed out")
            raise

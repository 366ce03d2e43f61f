"""verl's agent loop manager, which also tells each rollout whether it validates: verl itself does not."""

from tensordict import TensorDict
from verl.trainer.ppo.v1 import AgentLoopManagerTQ
from verl.utils import tensordict_utils as tu


class MRTAgentLoopManager(AgentLoopManagerTQ):
    """Adds `mrt_validate: True` to the rows of a validation batch; training batches stay as they are."""

    def generate_sequences(self, prompts: TensorDict) -> None:
        if tu.get_non_tensor_data(prompts, key="validate", default=False):
            tu.assign_non_tensor_data(prompts, "mrt_validate", True)
        super().generate_sequences(prompts)

"""Weight sync inside a vLLM CPU worker."""

import logging
from typing import Any

import torch
from verl.workers.rollout.vllm_rollout.bucketed_weight_transfer import BucketedWeightReceiver
from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension
from vllm.model_executor.model_loader.reload import finalize_layerwise_reload, initialize_layerwise_reload

# It warns at every sync of layers that get no weights of their own: rotary tables and tied heads (handled below).
logging.getLogger("vllm.model_executor.model_loader.reload.layerwise").setLevel(logging.ERROR)


class CPUWorkerExtension(vLLMColocateWorkerExtension):
    """verl's worker extension, with the CPU's way of taking new weights."""

    model_runner: Any  # vLLM mixes this class into its worker, which has one

    def update_weights_from_ipc(
        self, peft_config: dict[str, Any] | None = None, base_sync_done: bool = False, use_shm: bool = False
    ) -> None:
        """Load the trainer's weights.

        vLLM's CPU layers pack their weights after loading and drop the originals, so a second load must go through
        vLLM's layerwise reload, which restores, loads and packs layer by layer.
        """
        if peft_config and base_sync_done:
            super().update_weights_from_ipc(peft_config, base_sync_done, use_shm)  # an adapter packs nothing
            return
        model = self.model_runner.model
        receiver = BucketedWeightReceiver(
            zmq_handle=self._get_zmq_handle(), device=torch.device("cpu"), use_shm=use_shm
        )

        def load(weights: list[tuple[str, torch.Tensor]], is_last: bool) -> None:
            # on the CPU the received tensors are views of the shared buffer, which is closed after the last of them
            model.load_weights([(name, tensor.clone()) for name, tensor in weights])

        initialize_layerwise_reload(model)
        receiver.receive_weights(on_bucket_received=load)
        finalize_layerwise_reload(model, self.model_runner.vllm_config.model_config)
        if getattr(model.config, "tie_word_embeddings", False) and hasattr(model, "lm_head"):
            # the tied head sees the new embedding, but its packed copy is the old one
            model.lm_head.quant_method.process_weights_after_loading(model.lm_head)

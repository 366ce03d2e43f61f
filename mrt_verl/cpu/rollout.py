"""vLLM server and replica for the CPU: verl's own, with a worker extension that reloads weights the CPU's way."""

import ray
from verl.workers.rollout.replica import RolloutReplica, RolloutReplicaRegistry


def _load_replica() -> type[RolloutReplica]:
    # vLLM is imported only by a process that launches servers
    from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMHttpServer, vLLMReplica

    class CPUHttpServer(vLLMHttpServer):
        def _get_worker_extension_cls(self) -> str:
            if self.lora_as_adapter and "dummy" in self.config.load_format:
                raise ValueError(
                    f"actor_rollout_ref.rollout.load_format={self.config.load_format} with LoRA; allowed on the CPU: "
                    "safetensors (only the adapter is synchronised there)"
                )
            return "mrt_verl.cpu.worker_extension.CPUWorkerExtension"

    class CPUReplica(vLLMReplica):
        def __init__(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            super().__init__(*args, **kwargs)
            self.server_class = ray.remote(CPUHttpServer)

    return CPUReplica


RolloutReplicaRegistry.register("vllm", _load_replica)

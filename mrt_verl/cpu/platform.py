"""verl's platform interface for a machine without an accelerator (VERL_PLATFORM=cpu)."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import psutil
import torch
from verl.plugin.platform import PlatformBase, PlatformRegistry


class CPUDevice(ModuleType):
    """The part of the torch.cuda namespace that verl calls, answered for the CPU; memory figures are the process's."""

    def __init__(self) -> None:
        super().__init__("mrt_verl.cpu.device")

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)

    def empty_cache(self) -> None: ...

    def ipc_collect(self) -> None: ...

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed = manual_seed_all

    def set_device(self, device: Any) -> None: ...

    def set_per_process_memory_fraction(self, *_: Any) -> None: ...

    def reset_peak_memory_stats(self, *_: Any) -> None: ...

    def get_device_name(self, *_: Any) -> str:
        return "cpu"

    def get_device_capability(self, *_: Any) -> tuple[None, None]:
        return None, None

    def get_rng_state(self, *_: Any) -> torch.Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, *_: Any) -> None:
        torch.set_rng_state(state)

    def memory_allocated(self, *_: Any) -> int:
        return psutil.Process().memory_info().rss

    memory_reserved = memory_allocated

    def max_memory_allocated(self, *_: Any) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    max_memory_reserved = max_memory_allocated

    def mem_get_info(self, *_: Any) -> tuple[int, int]:
        memory = psutil.virtual_memory()
        return memory.available, memory.total


@PlatformRegistry.register(platform="cpu")
class CPUPlatform(PlatformBase):
    """One CPU "device"; Ray's logical GPUs stand for the processes that would each hold one."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = CPUDevice()

    def is_available(self) -> bool:
        return True

    def current_device(self) -> str:  # type: ignore[override]
        # verl hands this to `tensor.to()`, where an index would mean "accelerator 0"
        return "cpu"

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None: ...

    def synchronize(self, device_index: int | None = None) -> None: ...

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def set_allocator_settings(self, settings: str) -> None: ...

    def empty_cache(self) -> None: ...

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None: ...

    def profiler_stop(self) -> None: ...

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None

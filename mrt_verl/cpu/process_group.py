"""verl asks for the backend "cpu:gloo,<device>:<backend>"; where the device is the cpu, that names it twice."""

import functools
import os
from typing import Any

import torch.distributed

_init_process_group = torch.distributed.init_process_group


@functools.wraps(_init_process_group)
def init_process_group(backend: str | None = None, *args: Any, **kwargs: Any) -> None:
    if backend == "cpu:gloo,cpu:gloo":
        backend = "cpu:gloo"
        # these processes are the trainer's: while they compute, the rollout's wait, so the cores are theirs
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ.get("WORLD_SIZE", 1))))
    _init_process_group(backend, *args, **kwargs)


torch.distributed.init_process_group = init_process_group

"""verl asks for the backend "cpu:gloo,<device>:<backend>"; where the device is the cpu, that names it twice."""

import functools
from typing import Any

import torch.distributed

_init_process_group = torch.distributed.init_process_group


@functools.wraps(_init_process_group)
def init_process_group(backend: str | None = None, *args: Any, **kwargs: Any) -> None:
    _init_process_group("cpu:gloo" if backend == "cpu:gloo,cpu:gloo" else backend, *args, **kwargs)


torch.distributed.init_process_group = init_process_group

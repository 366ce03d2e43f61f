"""Weights from the trainer to replicas of their own without a GPU: gloo, where verl's engines need NCCL or RDMA."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

import ray
import torch
from torch.distributed import ProcessGroupGloo, TCPStore
from verl.checkpoint_engine.base import CheckpointEngine, CheckpointEngineRegistry

Weights = Iterator[tuple[str, torch.Tensor]]
TIMEOUT = datetime.timedelta(minutes=10)


@CheckpointEngineRegistry.register("gloo")
class GlooCheckpointEngine(CheckpointEngine):
    """Broadcasts each tensor from the actor's first rank to all replicas; a store beside it says what comes next.

    verl makes the group anew at every synchronisation.
    """

    def __init__(self, bucket_size: int, is_master: bool = False) -> None:
        self._is_master = is_master
        self._store: TCPStore | None = None
        self._group: ProcessGroupGloo | None = None

    def prepare(self) -> tuple[str, int] | None:  # type: ignore[override]
        """Where the store listens; told by the actor's first rank alone."""
        if not self._is_master:
            return None
        host = ray.util.get_node_ip_address().strip("[]")
        self._store = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=TIMEOUT)
        return host, self._store.port

    @classmethod
    def build_topology(
        cls, actor_wg_world_size: int, rollout_world_size: int, metadata: list[Any]
    ) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """Rank 0 sends, replicas are 1 and above; the actor's other ranks (-1) only help to gather."""

        def arguments(ranks: list[int]) -> dict[str, list[Any]]:
            size = len(ranks)
            return {"rank": ranks, "world_size": [rollout_world_size + 1] * size, "address": [metadata[0]] * size}

        return arguments([0] + [-1] * (actor_wg_world_size - 1)), arguments(list(range(1, rollout_world_size + 1)))

    def init_process_group(self, rank: int, world_size: int, address: tuple[str, int]) -> None:
        """Meet the others."""
        if rank < 0:
            return
        if self._store is None:
            self._store = TCPStore(*address, is_master=False, timeout=TIMEOUT)
        self._group = ProcessGroupGloo(self._store, rank, world_size, TIMEOUT)

    async def send_weights(self, weights: Weights, global_steps: int | None = None) -> None:
        """Walk over the weights, which gathers them from all ranks of the actor, and send them."""
        count = 0
        for count, (name, tensor) in enumerate(weights, start=1):
            if self._group is not None:
                self._announce(count, [name, list(tensor.shape), str(tensor.dtype).removeprefix("torch.")])
                self._broadcast(tensor.detach().contiguous())
        if self._group is not None:
            self._announce(count + 1, None)

    async def receive_weights(self, global_steps: int | None = None) -> Any:
        """Yield (name, tensor) as sent."""
        assert self._store is not None
        count = 1
        while (told := json.loads(self._store.get(str(count)))) is not None:
            name, shape, dtype = told
            tensor = torch.empty(shape, dtype=getattr(torch, dtype))
            self._broadcast(tensor)
            yield name, tensor
            count += 1

    def finalize(self) -> None:
        """Part."""
        self._group = self._store = None

    def _announce(self, count: int, what: list[Any] | None) -> None:
        assert self._store is not None
        self._store.set(str(count), json.dumps(what))

    def _broadcast(self, tensor: torch.Tensor) -> None:
        assert self._group is not None
        self._group.broadcast(tensor.view(-1).view(torch.uint8), 0).wait()

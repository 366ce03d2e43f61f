"""Weights over gloo, as verl's manager has them sent: two ranks of an actor, of which one sends, and two replicas."""

import asyncio
import importlib.util
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.builders import ROOT

FILE = ROOT / "mrt_verl" / "cpu" / "checkpoint_engine.py"
ACTORS, REPLICAS = 2, 2


def named_weights(step):
    """A transposed view, a type that numpy lacks, and one number."""
    return {
        "view": torch.arange(6.0).view(2, 3).t() + step,
        "half": torch.full((3,), step, dtype=torch.bfloat16),
        "one": torch.tensor(float(step)),
    }


@pytest.fixture
def engines(monkeypatch):
    """One for each process of a run; here each works in a thread."""
    monkeypatch.setattr("ray.util.get_node_ip_address", lambda: "127.0.0.1")
    # its file alone: the package around it makes this process one for the CPU
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("gloo_engine", FILE))
    module.__spec__.loader.exec_module(module)
    return [module.GlooCheckpointEngine(bucket_size=1 << 20, is_master=rank == 0) for rank in range(ACTORS + REPLICAS)]


async def received(engine, step):
    return {name: tensor async for name, tensor in engine.receive_weights(global_steps=step)}


def test_all_replicas_get_what_the_first_rank_has(engines):
    with ThreadPoolExecutor(len(engines)) as threads:
        for step in (1, 2):  # a group is made anew for each
            addresses = [engine.prepare() for engine in engines]
            assert addresses[1:] == [None] * 3
            parts = engines[0].build_topology(ACTORS, REPLICAS, addresses)
            own = [{name: values[i] for name, values in part.items()} for part in parts for i in range(2)]
            list(threads.map(lambda engine, how: engine.init_process_group(**how), engines, own))
            left = [iter(named_weights(step).items()) for _ in range(ACTORS)]
            sent = [
                threads.submit(asyncio.run, engine.send_weights(weights, global_steps=step))
                for engine, weights in zip(engines, left, strict=False)
            ]
            got = [threads.submit(asyncio.run, received(engine, step)) for engine in engines[ACTORS:]]
            for future in got:
                weights = future.result(timeout=60)
                assert list(weights) == ["view", "half", "one"]
                assert all(torch.equal(weights[name], value) for name, value in named_weights(step).items())
            for future in sent:
                future.result(timeout=60)
            # a rank that does not send must walk over them all the same: that gathers them
            assert [list(weights) for weights in left] == [[], []]
            for engine in engines:
                engine.finalize()

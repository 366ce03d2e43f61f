"""Ray's part played in this process, for a machine too busy or too small for a Ray cluster (`drive.py --one-process`).

Actors are objects on one event loop; what they are called with is pickled, as by Ray: each call has objects of its
own.
"""

import asyncio
import concurrent.futures
import inspect
import os
import pickle
import threading
from collections.abc import Sequence
from typing import Any
from unittest import mock


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, coroutine: Any) -> "concurrent.futures.Future[Any]":
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)


class Actor:
    """A handle: `handle.method.remote(…)` is a future."""

    def __init__(self, loop: _Loop, kind: type, kwargs: dict[str, Any]) -> None:
        self._loop, self._object = loop, kind.__new__(kind)
        loop.run(self._object.__init__(**kwargs)).result()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._object, name)

        async def call(packed: bytes) -> Any:
            args, kwargs = pickle.loads(packed)
            found = method(*args, **kwargs)
            return await found if inspect.isawaitable(found) else found

        def remote(*args: Any, **kwargs: Any) -> Any:
            return self._loop.run(call(pickle.dumps((args, kwargs))))

        return mock.Mock(remote=remote)


class ActorClass:
    """What `@ray.remote` makes of a class."""

    def __init__(self, loop: _Loop, kind: type) -> None:
        self._loop, self._kind = loop, kind

    def options(self, **_: Any) -> "ActorClass":
        return self

    def remote(self, **kwargs: Any) -> Actor:
        return Actor(self._loop, self._kind, kwargs)


def get(refs: Any) -> Any:
    """`ray.get` of a future, of a value that was put, or of several."""
    if isinstance(refs, list):
        return [get(one) for one in refs]
    return refs.result() if isinstance(refs, concurrent.futures.Future) else refs


def wait(refs: Sequence[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
    """`ray.wait`."""
    concurrent.futures.wait(refs, timeout, concurrent.futures.FIRST_COMPLETED)
    ready = [one for one in refs if one.done()][:num_returns]
    return ready, [one for one in refs if one not in ready]


def start() -> None:
    """Let Ray's functions be these."""
    import ray
    from openrlhf.trainer.ray import vllm_engine

    os.environ["RAY_ADDRESS"] = "one process"  # else the actor asks a cluster for its address
    kind = vllm_engine.RolloutRayActor.__ray_metadata__.modified_class
    vllm_engine.RolloutRayActor = ActorClass(_Loop(), kind)
    for name, function in {"get": get, "wait": wait, "put": lambda value: value, "kill": lambda actor: None}.items():
        setattr(ray, name, function)

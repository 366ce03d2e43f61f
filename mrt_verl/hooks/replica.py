"""One replica for a trace and its branches.

verl's client asks its load balancer, one Ray actor for the whole cluster, before and after every request; a trace and
its branches, a dozen requests, go to the same replica anyway (their prefixes are in its cache). Asking once a trace
saves two of three Ray messages a branch.
"""

import asyncio
import contextlib
import copy
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from verl.workers.rollout.llm_server import LLMServerClient

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def pinned(client: Any, request_id: str, prompt_ids: Sequence[int]) -> AsyncIterator[Any]:
    """`client` for requests that all go to the replica of `request_id`, held until the block ends.

    Only verl's plain client is pinned: its subclasses and other servers may move requests, they are yielded as they
    are. So is a client whose load balancer fails here: its own `generate` will say what is wrong.
    """
    if type(client) is not LLMServerClient:
        yield client
        return
    # from 0.9.1 on a load balancer may look at the prompt
    looks = hasattr(client, "_lb_require_acquire_fields")
    try:
        server_id, server = await client._acquire_server(request_id, **({"prompt_ids": prompt_ids} if looks else {}))
    except Exception as error:
        logger.warning("no replica could be held, each branch will ask for one: %r", error)
        yield client
        return
    held = copy.copy(client)
    held._load_balancer = _OneReplica(server_id, server)  # type: ignore[assignment]
    try:
        yield held
    finally:
        client._release_server(server_id, **({"request_id": request_id} if looks else {}))


class _OneReplica:
    """What verl's client asks of its load balancer, answered without a message."""

    def __init__(self, server_id: str, server: Any) -> None:
        self.acquire_server = _Known((server_id, server))
        self.release_server = _Known(None)


class _Known:
    """A remote method whose answer is known already."""

    def __init__(self, answer: Any) -> None:
        # not a coroutine: verl does not await a release
        self._answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answer.set_result(answer)

    def remote(self, **_: Any) -> "asyncio.Future[Any]":
        return self._answer

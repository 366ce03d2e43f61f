"""A trace's branches on one replica, through verl's own client."""

import asyncio

import pytest


class Remote:
    """A Ray actor's method, called in this process."""

    def __init__(self, function):
        self.function, self.calls = function, []

    def remote(self, *args, **kwargs):
        self.calls.append(kwargs)

        async def answer():
            return self.function(*args, **kwargs)

        return asyncio.ensure_future(answer())


class Server:
    def __init__(self, name):
        self.generate = Remote(lambda **request: self.output(name, request))

    def output(self, name, request):
        from verl.workers.rollout.replica import TokenOutput

        scores = {"prompt_logprobs": [[-0.5], [0.0]]} if "prompt_logprobs" in request["sampling_params"] else {}
        return TokenOutput(token_ids=[1], log_probs=None, extra_fields={"by": name, "global_steps": 5, **scores})


class Balancer:
    """verl's own balancer, its methods as an actor's."""

    def __init__(self, servers):
        try:
            from verl.workers.rollout.router import GlobalRequestLoadBalancer
        except ImportError:  # verl 0.9.0
            from verl.workers.rollout.llm_server import GlobalRequestLoadBalancer

        self.balancer = GlobalRequestLoadBalancer(servers)
        for name in ("acquire_server", "release_server", "require_acquire_fields", "require_release_fields"):
            if hasattr(self.balancer, name):
                setattr(self, name, Remote(getattr(self.balancer, name)))

    @property
    def in_flight(self):
        return self.balancer._inflight_requests


@pytest.fixture
def balancer():
    return Balancer({"a": Server("a"), "b": Server("b")})


@pytest.fixture
def client(compose, balancer):
    from verl.workers.rollout.llm_server import LLMServerClient

    return LLMServerClient(
        compose("reward_model=mrt", "actor_rollout_ref.rollout.name=vllm"), load_balancer_handle=balancer
    )


def generate(client, request_id="trace"):
    return client.generate(request_id, prompt_ids=[1, 2], sampling_params={})


def test_the_branches_of_a_trace_go_where_the_trace_went_and_ask_the_balancer_once(client, balancer):
    from mrt_verl.hooks.replica import pinned

    async def run():
        trace = await generate(client)
        async with pinned(client, "trace", [1, 2]) as replica:
            branches = await asyncio.gather(*(generate(replica) for _ in range(5)))
            held = dict(balancer.in_flight)
        await asyncio.sleep(0.01)  # a release is not awaited
        return trace, branches, held

    trace, branches, held = asyncio.run(run())
    where = trace.extra_fields["by"]
    assert [branch.extra_fields for branch in branches] == [trace.extra_fields] * 5
    assert len(balancer.acquire_server.calls) == len(balancer.release_server.calls) == 2  # the trace, then its branches
    assert held[where] == 1, "the replica counts as busy while the branches run"
    assert set(balancer.in_flight.values()) == {0}


def test_the_replica_is_given_back_where_a_branch_raises(client, balancer):
    from mrt_verl.hooks.replica import pinned

    async def run():
        with pytest.raises(ZeroDivisionError):
            async with pinned(client, "trace", [1, 2]):
                raise ZeroDivisionError
        await asyncio.sleep(0.01)

    asyncio.run(run())
    assert set(balancer.in_flight.values()) == {0}


def test_a_client_that_may_move_requests_is_left_alone(client, balancer):
    from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient

    from mrt_verl.hooks.replica import pinned

    moving = FullyAsyncLLMServerClient(client.config, load_balancer_handle=balancer)

    async def run(some_client):
        async with pinned(some_client, "trace", [1, 2]) as replica:
            return replica

    engine = object()
    assert asyncio.run(run(moving)) is moving
    assert asyncio.run(run(engine)) is engine
    assert not balancer.acquire_server.calls


def test_scored_prompts_keep_their_log_probs_on_the_asynchronous_trainers(client, balancer):
    """Their client resumes aborted generations and builds its output anew, without the prompt's log-probs."""
    from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient

    from mrt_verl.hooks.engine import VerlEngine

    moving = FullyAsyncLLMServerClient(client.config, load_balancer_handle=balancer)
    request = {"request_id": "trace", "prompt_ids": [1, 2]}

    async def run(engine):
        scored = await engine.generate(**request, sampling_params={"max_tokens": 1, "prompt_logprobs": 0})
        return scored.extra_fields.get("prompt_logprobs")

    assert asyncio.run(run(VerlEngine(moving))) == [[-0.5], [0.0]]
    assert asyncio.run(run(moving)) is None  # what verl's own client makes of it


def test_without_a_replica_each_branch_asks_for_itself(client, balancer, caplog):
    from mrt_verl.hooks.replica import pinned

    def fail(**_):
        raise RuntimeError("No available servers in load balancer")

    balancer.acquire_server.function = fail

    async def run():
        async with pinned(client, "trace", [1, 2]) as replica:
            return replica

    assert asyncio.run(run()) is client
    assert "No available servers" in caplog.text

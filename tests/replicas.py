"""verl's load balancer and servers as Ray actors, called in this process."""

import asyncio


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

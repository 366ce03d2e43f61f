"""A step whose rollouts do not come: the sampler ends the run, in one line that says why."""

import pytest
from ray.exceptions import ActorDiedError

from mrt_verl.hooks import actor_watch
from mrt_verl.hooks.actor_watch import ActorWatch, is_there, questions_of, servers_of
from mrt_verl.hooks.stall import RolloutsStalled, StallWatch, raise_if_dead
from tests.faults.actors import Actor, Engine, Ray


def test_no_rollout_for_too_long_ends_the_run():
    stall = StallWatch(10)
    stall.begin()
    for _ in range(5):
        stall.polled(2, (0, 4), "step 3: 4 prompts running")
    stall.polled(2, (1, 4), "step 3: 4 prompts running")  # one has come
    for _ in range(4):
        stall.polled(2, (1, 4), "step 3: 4 prompts running")
    with pytest.raises(RolloutsStalled, match=r"for mrt\.stall_timeout_s=10 seconds; step 3: 4 prompts running"):
        stall.polled(2, (1, 4), "step 3: 4 prompts running")


def test_what_the_trainer_does_between_two_waits_is_no_stall():
    stall = StallWatch(10)
    for _ in range(3):
        stall.begin()
        for _ in range(5):
            stall.polled(2, (0, 4), "")


def test_without_a_limit_it_waits_for_ever():
    stall = StallWatch(None)
    for _ in range(1000):
        stall.polled(1e6, 0, "")


def test_a_killed_worker_ends_the_run_without_waiting(watch):
    watch({"agent-loop worker 0": Actor(), "agent-loop worker 1": Actor(dead=True)}, is_there).confirm()
    with pytest.raises(RolloutsStalled, match=r"^agent-loop worker 1 died: pid: 7 it was killed; step 3"):
        StallWatch(None).polled(2, 0, "step 3: 4 prompts running")


def test_a_dead_engine_is_told_by_its_server(watch):
    watch({"server a": Actor(engine=Engine(False)), "server b": Actor(engine=Engine(True))})
    with pytest.raises(RolloutsStalled, match=r"^server b has a dead engine core; step 3: 3 of 16 rollouts came$"):
        raise_if_dead("step 3: 3 of 16 rollouts came")


def test_prompts_that_cannot_be_handed_to_a_killed_worker_end_the_run(watch, monkeypatch):
    """Seen on a real run: killed between two steps, the worker is missed where verl hands it the next one's prompts."""
    from tensordict import TensorDict
    from verl.trainer.ppo.v1 import AgentLoopManagerTQ

    from mrt_verl.hooks.loop_manager import MRTAgentLoopManager

    def fail(*_):
        raise ActorDiedError()

    monkeypatch.setattr(AgentLoopManagerTQ, "generate_sequences", fail)
    watch({"agent-loop worker 0": Actor(dead=True)}, is_there)
    with pytest.raises(RolloutsStalled, match=r"^agent-loop worker 0 died: .*; its prompts could not be handed out$"):
        MRTAgentLoopManager.__new__(MRTAgentLoopManager).generate_sequences(TensorDict())


@pytest.mark.parametrize("actor", [Actor(engine=Engine(False)), Actor(), Actor(busy=True, dead=True)])
def test_who_answers_or_is_busy_is_no_fault(watch, actor):
    made = watch({"server": actor})
    assert made.confirm() is None
    raise_if_dead("nothing is missing")


def test_who_is_busy_is_asked_once(watch):
    actor = Actor(busy=True)
    made = watch({"server": actor})
    for _ in range(3):
        made.confirm()
    assert actor.asked == 1


def test_a_server_that_was_taken_away_on_purpose_is_no_fault(watch):
    servers = {"server a": Actor(dead=True)}
    made = watch(servers)
    first = made._look
    made._look = lambda: (first(), servers.clear())[0]  # gone by the second look
    assert made.confirm() is None


def test_ray_that_cannot_be_asked_is_no_fault(monkeypatch):
    def fail():
        raise ConnectionError("shutting down")

    monkeypatch.setattr(actor_watch, "AGAIN_S", 0)
    assert ActorWatch(fail).confirm() is None


def test_whom_a_manager_waits_for(monkeypatch):
    monkeypatch.setattr(actor_watch, "ray", Ray)

    class Manager:
        agent_loop_workers = ("w0", "w1")
        reward_loop_worker_handles = ("r0",)

        class llm_client:
            _load_balancer = Actor(_servers={"10.0.0.1:80": "s0"})

    found = questions_of(Manager)
    assert {name: actor for name, (actor, _) in found.items()} == {
        "agent-loop worker 0": "w0",
        "agent-loop worker 1": "w1",
        "reward worker 0": "r0",
        "server 10.0.0.1:80": "s0",
    }
    Manager.reward_loop_worker_handles, Manager.llm_client._load_balancer = None, None
    assert set(questions_of(Manager)) == {"agent-loop worker 0", "agent-loop worker 1"}
    assert servers_of(object()) == {}

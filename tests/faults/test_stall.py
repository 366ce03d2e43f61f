"""A step whose rollouts do not come: the sampler ends the run, in one line that says why."""

import contextlib
import inspect
import threading
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError

from mrt_verl.hooks import actor_watch
from mrt_verl.hooks.actor_watch import ActorWatch, engine_fault, handed_over, is_there, questions_of, servers_of
from mrt_verl.hooks.stall import RolloutsStalled, StallWatch, raise_if_dead


class Actor:
    """Answers `__ray_call__` as Ray's actors do: `call.remote(question)` gives a reference."""

    def __init__(self, *, dead=False, busy=False, **state):
        self.dead, self.busy, self.asked = dead, busy, 0
        self.__dict__.update(state)
        self.__dict__["__ray_call__"] = self

    def remote(self, question):
        self.asked += 1
        return self, question


class Ray:
    """`wait` and `get` on those references."""

    @staticmethod
    def wait(references, num_returns=1, timeout=None):
        return [one for one in references if not one[0].busy], [one for one in references if one[0].busy]

    @staticmethod
    def get(reference, timeout=None):
        actor, question = reference
        if actor.dead:
            error = ActorDiedError()
            error.error_msg = f"{ActorDiedError.BASE_ERROR_MSG}\n\tpid: 7\nit was killed"
            raise error
        return question(actor)


@pytest.fixture
def watch(monkeypatch):
    """watch({name: actor}) -> the ActorWatch of this process"""
    monkeypatch.setattr(actor_watch, "ray", Ray)
    monkeypatch.setattr(actor_watch, "AGAIN_S", 0)

    def of(actors, question=engine_fault):
        made = ActorWatch(lambda: {name: (actor, question) for name, actor in actors.items()})
        monkeypatch.setattr(ActorWatch, "of_process", made)
        return made

    return of


class Engine:
    def __init__(self, errored):
        self.errored = errored


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


def test_a_trainer_that_never_waits_again_is_ended_after_its_time(watch, monkeypatch, caplog):
    ended = []
    monkeypatch.setattr(actor_watch, "LOOK_S", 0)
    monkeypatch.setattr(actor_watch, "end_process", ended.append)
    made = watch({"agent-loop worker 0": Actor(dead=True)}, is_there)
    monkeypatch.setattr(made, "_stopped", StopsAfter(3))
    made._run()
    assert ended == [] and "agent-loop worker 0 died: pid: 7 it was killed: the run ends when its" in caplog.text
    made._grace_s, made._stopped = 0.0, StopsAfter(3)
    made._run()
    assert ended == [f"{made.fault}; the trainer did not end within mrt.stall_timeout_s=0"]


class StopsAfter:
    """An event that is set after so many waits."""

    def __init__(self, waits):
        self.waits = waits

    def wait(self, seconds):
        self.waits -= 1
        return self.waits < 0


FAULT = "server a has a dead engine core; "


@pytest.mark.parametrize(
    ("errored", "is_handing", "told"),
    [
        (True, [True] * 7, f"{FAULT}the trainer has handed over weights for 60 seconds, and nobody takes them"),
        (True, [True] * 4 + [False] + [True] * 6, None),
        (
            *(False, [True] * 13),
            "the trainer has handed over weights for mrt.stall_timeout_s=120 seconds, and nobody takes them",
        ),
        (False, [True] * 8 + [False] + [True] * 8, None),
    ],
)
def test_a_trainer_that_hands_weights_to_nobody_is_ended(watch, monkeypatch, errored, is_handing, told):
    """Seen on real runs: the engine died, or stopped, after the step's last rollout; the update waited for it."""
    clock, seen, why = iter(range(10, 1000, 10)), iter(is_handing), []
    made = watch({"server a": Actor(engine=Engine(errored))})
    made._stopped, made._grace_s = StopsAfter(len(is_handing)), 120.0
    monkeypatch.setattr(actor_watch, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
    monkeypatch.setattr(actor_watch, "handed_over", lambda: "weights" if next(seen) else None)
    monkeypatch.setattr(actor_watch, "end_process", why.append)
    made._run()
    assert why == ([] if told is None else [told])


def test_where_the_trainer_hands_over_weights():
    """In verl's own code: a thread that waits there is seen, one that waits elsewhere is not."""
    from verl.checkpoint_engine.base import CheckpointEngineManager

    class Workers:
        def update_weights(self, **_):
            reached.set()
            free.wait(60)
            raise ConnectionError("the server is gone")

    def hand_over():
        with contextlib.suppress(ConnectionError):
            CheckpointEngineManager.update_weights(manager, 1)

    reached, free = threading.Event(), threading.Event()
    manager = CheckpointEngineManager.__new__(CheckpointEngineManager)
    manager.backend, manager.actor_wg = "naive", Workers()
    assert handed_over() is None
    thread = threading.Thread(target=hand_over)
    thread.start()
    try:
        assert reached.wait(60) and handed_over() == "weights"
    finally:
        free.set()
        thread.join(60)
    assert handed_over() is None


def test_where_the_trainer_hands_out_prompts(monkeypatch):
    """Seen on a real run: a stopped agent-loop worker never takes the next step's."""
    from tensordict import TensorDict
    from verl.trainer.ppo.v1 import AgentLoopManagerTQ

    from mrt_verl.hooks.loop_manager import MRTAgentLoopManager

    seen = []
    monkeypatch.setattr(AgentLoopManagerTQ, "generate_sequences", lambda *_: seen.append(handed_over()))
    MRTAgentLoopManager.__new__(MRTAgentLoopManager).generate_sequences(TensorDict())
    assert seen == ["prompts"] and handed_over() is None


def test_the_trainers_hand_over_weights_where_a_step_ends():
    from verl.trainer.ppo.v1 import trainer_colocate_async, trainer_separate_async, trainer_sync

    for module in (trainer_sync, trainer_colocate_async, trainer_separate_async):
        classes = [one for one in vars(module).values() if "on_step_end" in getattr(one, "__dict__", {})]
        assert any("update_weights" in inspect.getsource(one.on_step_end) for one in classes), module


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

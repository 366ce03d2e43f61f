"""A trainer that does not go on by itself: ended where it waits for who does not answer, told where it may compute."""

import contextlib
import inspect
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from mrt_verl.hooks import actor_watch, trainer_watch
from mrt_verl.hooks.actor_watch import ActorWatch, handed_over, is_there, questions_of
from mrt_verl.hooks.stall import StallWatch
from mrt_verl.hooks.trainer_watch import Trainer, TrainerWatch
from mrt_verl.processes import cpu_seconds
from tests.faults.actors import Actor, Engine, StopsAfter


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


def test_an_update_that_does_not_end_is_told_once_and_ends_nothing(watch, monkeypatch, caplog):
    """As where an actor of the trainer's is stopped; the next wait for rollouts begins anew."""
    now = [0.0]
    monkeypatch.setattr(actor_watch, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=lambda _: None))
    monkeypatch.setattr(actor_watch, "end_process", pytest.fail)
    made = watch({})
    made._grace_s = 60.0

    def told(*seconds):
        caplog.clear()
        for later in seconds:
            now[0] += later
            made._stopped = StopsAfter(1)
            made._run()
        return [record.getMessage() for record in caplog.records]

    assert told(59) == []
    (line,) = told(1, 600)
    assert line.startswith("the trainer has not looked for rollouts for mrt.stall_timeout_s=60 seconds")
    StallWatch(60).begin()
    assert told(59) == []
    StallWatch(60).polled(2, 0, "")
    assert told(59) == [] and len(told(1)) == 1


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


@pytest.fixture
def ticks(monkeypatch):
    """ticks(n) -> n looks of the worker at how long the trainer has been silent; `killed` holds who was ended."""
    killed = []
    monkeypatch.setattr(TrainerWatch, "start", lambda self: None)
    monkeypatch.setattr(TrainerWatch, "of_process", None)
    monkeypatch.setattr(trainer_watch, "SAY_S", 0)
    monkeypatch.setattr(Trainer, "kill", lambda self: killed.append(self.pid))
    monkeypatch.setattr(Trainer, "processor_seconds", lambda self: 5.0)

    def run(count):
        TrainerWatch.of_process._stopped = StopsAfter(count)
        TrainerWatch.of_process._run()
        return killed

    return run


def test_a_trainer_whose_process_is_stopped_is_killed_by_a_worker(ticks, caplog):
    """20 seconds and the minute by which a look may be late: eight ticks of silence."""
    trainer = Trainer(77, "node", 20.0)
    assert trainer.is_heard(None) is None
    assert ticks(8) == []  # the first has nothing to compare the processor time with
    trainer.is_heard(None)
    assert ticks(7) == [] and caplog.text == ""
    assert ticks(1) == [77]
    assert "the trainer's process 77 has not run for mrt.stall_timeout_s=20 seconds: it is stopped" in caplog.text


@pytest.mark.parametrize("seconds", [range(100), [5.0, 5.01] * 50, [None] * 100])
def test_a_trainer_that_computes_or_is_elsewhere_is_left_alone(ticks, monkeypatch, caplog, seconds):
    taken = iter(seconds)
    monkeypatch.setattr(Trainer, "processor_seconds", lambda self: next(taken))
    Trainer(77, "node", 20.0).is_heard(None)
    assert ticks(99) == [] and caplog.text == ""


def test_the_processor_time_of_a_process_that_is_stopped_stands(tmp_path):
    code = "import time\nopen('there', 'w')\nwhile True: time.monotonic()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as process:
        try:
            while not (tmp_path / "there").exists() or not cpu_seconds(process.pid):
                time.sleep(0.05)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            taken = cpu_seconds(process.pid)
            time.sleep(0.3)
            assert cpu_seconds(process.pid) == taken > 0
        finally:
            process.kill()
    assert cpu_seconds(process.pid) is None


def test_another_trainer_takes_the_place_of_the_first(ticks):
    Trainer(77, "node", 20.0).is_heard(None)
    first = TrainerWatch.of_process
    Trainer(78, "node", 20.0).is_heard(None)
    first._run()  # ends, and kills nobody
    assert ticks(9) == [78]


def test_each_look_at_the_actors_is_heard(ticks, watch):
    """By the first agent-loop worker, and only where there is a limit."""

    class Manager:
        agent_loop_workers = (Actor(), Actor())
        reward_loop_worker_handles = None
        llm_client = None

    trainer = Trainer(77, "node", 20.0)
    asked = questions_of(Manager, trainer)
    assert [question for _, question in asked.values()] == [trainer.is_heard, is_there]
    assert {question for _, question in questions_of(Manager).values()} == {is_there}
    assert ActorWatch(lambda: asked).confirm() is None
    assert TrainerWatch.of_process.trainer is trainer
    assert Trainer.this(None) is None and Trainer.this(20.0) is None  # no actor of Ray's

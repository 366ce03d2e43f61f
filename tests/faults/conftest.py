"""The watcher of a run's actors, with actors of our own."""

import pytest

from mrt_verl.hooks import actor_watch
from mrt_verl.hooks.actor_watch import ActorWatch, engine_fault
from tests.faults.actors import Ray


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

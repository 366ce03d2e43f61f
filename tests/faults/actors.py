"""Ray's actors as the watcher of a run meets them, and its clock."""

from ray.exceptions import ActorDiedError


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


class Engine:
    def __init__(self, errored):
        self.errored = errored


class StopsAfter:
    """An event that is set after so many waits."""

    def __init__(self, waits):
        self.waits = waits

    def wait(self, seconds):
        self.waits -= 1
        return self.waits < 0

"""What grading cost in a step, over all the processes that grade: from the counters that rollouts bring along."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mrt_verl.grading.grades import GraderStats
from mrt_verl.rollout_record import RolloutRecord


@dataclass(frozen=True, slots=True)
class StepGrading:
    """The counters of each process that grades, since the last step."""

    by_process: Mapping[str, GraderStats] = field(default_factory=dict)

    def metrics(self) -> dict[str, float]:
        """Gradings per second while any was under way, the share answered by an equal one, and killed workers."""
        steps = self.by_process.values()
        graded = sum(step.graded for step in steps)
        if not graded:
            return {}
        return {
            "mrt/gradings_per_second": sum(step.graded / step.seconds for step in steps if step.seconds),
            "mrt/grade_cache_hits": sum(step.cache_hits for step in steps) / graded,
            "mrt/grade_restarts": float(sum(step.restarts for step in steps)),
        }

    @property
    def crashes(self) -> int:
        """Workers that died by themselves."""
        return sum(step.crashes for step in self.by_process.values())

    @property
    def timeouts(self) -> int:
        """Answers given up at the deadline, those that were known to hang included."""
        return sum(step.timeouts for step in self.by_process.values())

    @property
    def longest_s(self) -> float:
        """Seconds that the busiest process's workers computed."""
        return max((step.worker_seconds for step in self.by_process.values()), default=0.0)

    @property
    def seconds_an_answer(self) -> float:
        """Mean seconds of an answer that workers were asked."""
        asked = sum(step.asked for step in self.by_process.values())
        return sum(step.worker_seconds for step in self.by_process.values()) / asked if asked else 0.0


class GradingMeter:
    """Differences of the processes' counters between steps, validation included."""

    def __init__(self) -> None:
        self._last: dict[str, GraderStats] = {}

    def step(self, records: Sequence[RolloutRecord]) -> StepGrading:
        """What was graded since the last step."""
        latest: dict[str, GraderStats] = {}
        for record in records:
            if record.grading.grader:
                counters = dict(record.grading.grader)
                worker = counters.pop("worker")
                stats = GraderStats(**counters)
                if worker not in latest or stats.graded > latest[worker].graded:
                    latest[worker] = stats
        steps = {worker: stats - self._last.get(worker, GraderStats()) for worker, stats in latest.items()}
        self._last.update(latest)
        return StepGrading(steps)

"""One engine for all that an inspection samples, and a time after which it takes on nothing more."""

import dataclasses
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mrt_verl.evaluation.config import EvaluationConfig
from mrt_verl.evaluation.engines import ClosableEngine
from mrt_verl.evaluation.evaluate_models import check_context, check_gradings, check_scorer, open_engine
from mrt_verl.evaluation.problems import Problem, read_problems
from mrt_verl.evaluation.run import sample_missing
from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.evaluation.settings import describe_run
from mrt_verl.evaluation.store import Store
from mrt_verl.evaluation.timed import Timed
from mrt_verl.grading import Grader
from mrt_verl.grading.outcomes import FileFunction
from mrt_verl.inspect.recut import RecutSampler, Traces
from mrt_verl.parts import text_problems
from mrt_verl.settings import MRTSettings

FIRST_SHARE = 8
"""The first round samples one in so many problems; its pace tells how many more there is time for."""


def open_store(directory: Path, about: Mapping[str, Any], *, anew: bool) -> Store:
    """The store of a run; `anew`: one with other settings is replaced, its traces are kept elsewhere."""
    try:
        return Store(directory, about)
    except ValueError:
        if not anew:
            raise
        shutil.rmtree(directory)
        return Store(directory, about)


class Session:
    """Samples runs of one model; the engine starts when something is missing."""

    def __init__(
        self,
        config: EvaluationConfig,
        minutes: float,
        clock: Callable[[], float] = time.monotonic,
        stop_texts: Sequence[str] = (),
    ) -> None:
        """Read the problems; nothing is started yet.

        Args:
            config: with one model.
            minutes: for sampling, counted from when the engine is there.
            stop_texts: more of them to try; the tokenizer must hold each.
        """
        self.config = config
        self.problems = read_problems(config.data, config.problems)
        check_scorer(self.problems, config)
        self._seconds, self._clock = 60 * minutes, clock
        self._begun: float | None = None
        self._stop_texts = tuple(stop_texts)
        self._engine: ClosableEngine | None = None
        self.tokenizer: Any = None
        self.timed = Timed()
        """Of the traces that this session sampled; those that are cut anew take no time."""
        self.grader = Grader(deadline_s=config.settings.grade_timeout_s, thinking=None)

    def open(self) -> ClosableEngine:
        """The engine, started at the first call.

        Raises:
            ValueError: as `open_engine`, or the tokenizer does not hold a text of the settings or to try.
        """
        if self._engine is None:
            ((name, _),) = self.config.models.items()
            self._engine, self.tokenizer = open_engine(name, self.config)
            self._begun = self._clock()
            for text in (self.config.settings.stop_text, *self._stop_texts):
                for problem in self._problems(text):
                    raise ValueError(problem)
        return self._engine

    def keeps(self, stop_text: str) -> bool:
        """Whether the tokenizer holds a stop text."""
        return not any(self._problems(stop_text))

    def _problems(self, stop_text: str) -> Iterator[str]:
        ((name, _),) = self.config.models.items()
        settings = dataclasses.replace(self.config.settings, stop_text=stop_text)
        return text_problems(settings, self.tokenizer, name)

    def sampler(self, settings: MRTSettings, traces: Traces | None = None) -> RecordSampler:
        """What samples under these settings; with `traces` only forced answers, at those traces' boundaries."""
        engine, function = self.open(), FileFunction.from_node(self.config.reward_function)
        parts = (engine, self.tokenizer, settings, self.config.plan, self.grader, function)
        if traces is None:
            return RecordSampler(*parts)
        keep_before = settings.stop_text == self.config.settings.stop_text
        return RecutSampler(*parts, traces=traces, keep_before=keep_before)

    async def sample(self, name: str, settings: MRTSettings, *, share: float, traces: Traces | None = None) -> Path:
        """Sample what a run lacks, as many problems as there is time for; returns its directory.

        Args:
            share: of the session's time that may have passed when the last problems are begun.
            traces: cut these instead of sampling any.

        Raises:
            ValueError, RuntimeError: as `evaluate`.
        """
        (model,) = self.config.models.values()
        config = dataclasses.replace(self.config, models={name: model}, settings=settings)
        numbers = range(config.traces)
        about = describe_run(name, len(self.problems), config)
        with open_store(config.out / name, about, anew=traces is not None) as store:
            wanted = [p for p in self.problems if traces is None or all((p.index, t) in traces for t in numbers)]
            is_whole = {p.index: all((p.index, t) in store.records for t in numbers) for p in wanted}
            done, missing = ([p for p in wanted if is_whole[p.index] == whole] for whole in (True, False))
            if missing:
                sampler = self.sampler(settings, traces)
                check_context(self._engine, sampler, self.problems)

                async def sample_some(some: Sequence[Problem]) -> None:
                    await sample_missing(
                        [*done, *some], config.traces, sampler, store, concurrency=config.concurrency, label=name
                    )

                count = await self.in_rounds(missing, sample_some, share=share)
                check_gradings(name, self.grader, settings.max_error_share, store.path)
                done = [*done, *missing[:count]]
                self.timed = sampler.timed if traces is None else self.timed
            print(f"{name}: {len(done)} of {len(self.problems)} problems x {config.traces} traces", flush=True)
        return config.out / name

    async def in_rounds(
        self, problems: Sequence[Problem], sample: Callable[[Sequence[Problem]], Awaitable[None]], *, share: float
    ) -> int:
        """Sample problems in growing rounds, at least one of them; returns how many problems that were.

        Args:
            sample: samples some problems, those of former rounds with them.
        """
        assert self._begun is not None
        until = self._begun + share * self._seconds
        done, size = 0, max(1, len(self.problems) // FIRST_SHARE)
        while done < len(problems) and size:
            started, before = self._clock(), done
            done = min(done + size, len(problems))
            await sample(problems[:done])
            now = self._clock()
            pace = (now - started) / (done - before)
            size = min(2 * size, int((until - now) / pace)) if pace and until > now else 0
        return done

    def has_time(self, share: float) -> bool:
        """Whether less than a share of the session's time has passed."""
        return self._begun is None or self._clock() < self._begun + share * self._seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.grader.close()
        if self._engine is not None:
            await self._engine.close()

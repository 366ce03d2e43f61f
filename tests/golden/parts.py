"""Everything that the golden files take from mrt_verl: the one place to change where its modules move.

Imports stand inside the functions, because most of these modules load verl.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LATER = ("mrt/outcomes_unknown", "mrt/trace_timeouts")
"""Metrics that came after the files were made; they are compared where they are not 0."""


def agent_loop(name: str) -> Any:
    """What verl calls to build an agent loop of `default_agent_loop`; before the move two classes by their names."""
    from mrt_verl.hooks.loops import build_agent_loop

    assert name in ("mrt", "mrt_prefix")
    return build_agent_loop


def reward_manager(config: Any, tokenizer: Any, compute_score: Any) -> Any:
    """verl's reward manager of the run."""
    from mrt_verl.hooks.reward_manager import MRTRewardManager

    return MRTRewardManager(config, tokenizer, compute_score)


def close(manager: Any) -> None:
    """End the processes of a reward manager."""
    manager.grader.close()


def record(text: str) -> dict[str, Any]:
    """A graded record, as it travels through verl's reward info, as plain values."""
    values: dict[str, Any] = json.loads(text)
    for later in ("error_example", "answer_tokens", "before_tokens"):
        values.pop(later)
    return values


def advantages(**how: Any) -> Any:
    """Advantages (bs, response_length) by the estimator that the run's config names."""
    from mrt_verl.hooks.advantage import compute_mrt_advantage

    return compute_mrt_advantage(**how)[0]


def metrics(records: Sequence[str], config: Any) -> dict[str, float]:
    """What a training step logs for some graded records."""
    from mrt_verl.rollout_record import RolloutRecord
    from mrt_verl.settings import MRTSettings
    from mrt_verl.step_report import StepReport

    graded = [RolloutRecord.from_json(text) for text in records]
    settings = MRTSettings.from_config({**config.mrt, "trace_dir": None})
    values = StepReport(settings, response_tokens=config.data.max_response_length).step(graded, 1)
    return {name: value for name, value in values.items() if value or name not in LATER}


class Evaluation:
    """A RecordSampler on a fake engine, for one model and one set of problems."""

    def __init__(self, engine: Any, tokenizer: Any, overrides: Sequence[str], texts: dict[str, Any], plan: Any) -> None:
        from dataclasses import replace

        from mrt_verl.evaluation.plan import SamplingPlan
        from mrt_verl.evaluation.sampling import RecordSampler
        from mrt_verl.evaluation.settings import read_settings
        from mrt_verl.grading import Grader

        self.plan = SamplingPlan(**plan)
        self.settings = replace(read_settings([], overrides), **texts)
        self.grader = Grader(deadline_s=self.settings.grade_timeout_s, thinking=None)
        self.sampler = RecordSampler(engine, tokenizer, self.settings, self.plan, self.grader)

    async def sample(self, problems: Sequence[Any], traces: int) -> list[Any]:
        """The records of all problems, one after the other; a problem's answers without thinking are its traces'."""
        with self.grader:
            records = []
            for problem in problems:
                before = await self.sampler.answer_directly(problem)
                records += [await self.sampler.sample(problem, trace, before) for trace in range(traces)]
            return records

    def store(self, directory: Path, data: Path, records: Sequence[Any]) -> None:
        """Write the run as the evaluation does."""
        from mrt_verl.evaluation import EvaluationConfig
        from mrt_verl.evaluation.settings import describe_run
        from mrt_verl.evaluation.store import Store

        config = EvaluationConfig(
            models={"model": "path/to/model"},
            data=data,
            budgets=[self.plan.response_tokens],
            out=directory,
            traces=1 + max(record.trace for record in records),
            settings=self.settings,
        )
        about = describe_run("model", len({record.problem for record in records}), config)
        with Store(directory, about) as store:
            for record in records:
                store.append(record)


def read_problems(path: Path) -> list[Any]:
    """The problems of a verl parquet file."""
    from mrt_verl.evaluation.problems import read_problems

    return read_problems(path)


def choose_prefixes(directory: Path, seed: int) -> dict[int, dict[str, Any]]:
    """Prefixes by problem, chosen from a run of the evaluation."""
    from data_prep.prefixes import choose_prefixes
    from data_prep.traces import read_run

    return choose_prefixes(read_run(directory), seed)

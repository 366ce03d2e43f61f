"""What a training step tells of its rollouts: metrics, warnings and trace files; every host calls it once a step."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from mrt_verl.grading.accounts import WARN_SHARE
from mrt_verl.metrics import GradingMeter, compute_metrics, reference_metrics, right_at_the_end
from mrt_verl.provers import prover_class
from mrt_verl.rollout_record import LOST, RolloutRecord
from mrt_verl.settings import MRTSettings
from mrt_verl.trace_rows import choose_rollouts, trace_row

logger = logging.getLogger(__name__)

MIN_PROBABILITY, MIN_RIGHT = 0.02, 8
"""Mean probability of the reference below which its spelling is doubted, and right rollouts of a step that it takes."""


class StepReport:
    """Reports the steps of one run."""

    def __init__(self, settings: MRTSettings, *, response_tokens: int) -> None:
        """Keep the settings; `response_tokens` is the budget of the normalised regret."""
        self.settings = settings
        self._budget = response_tokens
        self._meter = GradingMeter()
        self._scores_reference = prover_class(settings).scores_reference

    def step(self, records: Sequence[RolloutRecord], step: int) -> dict[str, float]:
        """The metrics of a step; logs its warnings and writes its trace file."""
        metrics = {**compute_metrics(records, budget=self._budget), **self._meter.step(records)}
        if self._scores_reference:
            metrics |= reference_metrics(records)
            warn_of_spelling(records, metrics, self.settings, step)
        check_errors(records, self.settings.max_error_share, step)
        check_outcomes(records, self.settings, step)
        warn_of_timeouts(records, step)
        log_traces(records, self.settings, step)
        return metrics


class GradingFailed(RuntimeError):
    """So many gradings failed that the step teaches nothing."""


def check_errors(records: Sequence[RolloutRecord], max_share: float, step: int) -> None:
    """End the run where more than `max_share` of a step's gradings failed: a week of zeros helps nobody.

    Raises:
        GradingFailed: holds the first error's text.
    """
    errors = sum(record.grading.grade_errors for record in records)
    answers = sum(record.grading.answers for record in records)
    if errors > max_share * answers:
        example = next((one for record in records if (one := record.grading.error_example) is not None), "unknown")
        raise GradingFailed(
            f"step {step}: grading failed for {errors} of {answers} answers, more than mrt.max_error_share={max_share}"
            f": {example}"
        )


class NothingToTrainOn(RuntimeError):
    """So many rollouts of a step have no outcome that it teaches nothing."""


def check_outcomes(records: Sequence[RolloutRecord], settings: MRTSettings, step: int) -> None:
    """End the run where more than `max_error_share` of a step's rollouts are lost or ungraded.

    Raises:
        NothingToTrainOn: says how many of either.
    """
    lost = sum(record.response.kind == LOST for record in records)
    unknown = sum(record.values.outcome is None for record in records)
    if unknown > settings.max_error_share * len(records):
        raise NothingToTrainOn(
            f"step {step}: {unknown} of {len(records)} rollouts have no outcome, more than "
            f"mrt.max_error_share={settings.max_error_share}: {lost} traces came not within mrt.trace_timeout_s="
            f"{settings.trace_timeout_s}, grading {unknown - lost} answers took more than mrt.grade_timeout_s="
            f"{settings.grade_timeout_s} or failed"
        )


def warn_of_timeouts(records: Sequence[RolloutRecord], step: int) -> None:
    """One warning with one example if more than 1 % of a step's gradings timed out."""
    timeouts = sum(record.grading.grade_timeouts for record in records)
    answers = sum(record.grading.answers for record in records)
    if timeouts > WARN_SHARE * answers:
        examples = (record.grading.timeout_example for record in records)
        logger.warning(
            "step %d: %d of %d gradings timed out (%.1f %%) and are left out of J; one of them ends in %r",
            *(step, timeouts, answers, 100 * timeouts / answers, next(one for one in examples if one is not None)),
        )


def warn_of_spelling(
    records: Sequence[RolloutRecord], metrics: dict[str, float], settings: MRTSettings, step: int
) -> None:
    """A warning if the scored reference is improbable where the policy answers right: J misses those answers."""
    probability, right = metrics.get("mrt/reference_probability"), len(right_at_the_end(records))
    if probability is not None and probability < MIN_PROBABILITY and right >= MIN_RIGHT:
        logger.warning(
            "step %d: %d rollouts end in a right answer, but at the end of their thinking mrt.reference_text=%r has a "
            "mean probability of %.4f: the policy spells its answers otherwise. Look at forced answers in "
            "mrt.trace_dir and fit mrt.reference_text, or take mrt.prover=ht, which needs none",
            *(step, right, settings.reference_text, probability),
        )


def log_traces(records: Sequence[RolloutRecord], settings: MRTSettings, step: int) -> None:
    """Write `traces_per_step` rollouts of a step, of several prompts, to `trace_dir`/<step>.jsonl, if that is set."""
    if settings.trace_dir is None:
        return
    directory = Path(settings.trace_dir)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{step}.jsonl").open("w", encoding="utf-8") as file:
        for record in choose_rollouts(records, settings.traces_per_step):
            file.write(json.dumps(trace_row(record, step), ensure_ascii=False) + "\n")

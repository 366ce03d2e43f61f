"""What a training step tells of its rollouts: metrics, warnings and trace files; every host calls it once a step."""

import logging
import time
from collections.abc import Sequence

from mrt_verl.grading.accounts import WARN_SHARE
from mrt_verl.grading_meter import GradingMeter, StepGrading
from mrt_verl.log import printable
from mrt_verl.metrics import compute_metrics, reference_metrics, right_at_the_end
from mrt_verl.provers import prover_class
from mrt_verl.rollout_record import LOST, RolloutRecord
from mrt_verl.settings import MRTSettings
from mrt_verl.trace_log import TraceLog

logger = logging.getLogger(__name__)

MIN_PROBABILITY, MIN_RIGHT = 0.02, 8
"""Mean probability of the reference below which its spelling is doubted, and right rollouts of a step that it takes."""
SLOW_SHARE, SLOW_S = 0.5, 10.0
"""Share of a step's time, and seconds, above which the time that one grading process computed is worth a warning."""


class StepReport:
    """Reports the steps of one run."""

    def __init__(self, settings: MRTSettings, *, response_tokens: int) -> None:
        """Keep the settings; `response_tokens` is the budget of the normalised regret."""
        self.settings = settings
        self._budget = response_tokens
        self._meter = GradingMeter()
        self._scores_reference = prover_class(settings).scores_reference
        self._traces = TraceLog(settings.trace_dir, settings.traces_per_step)
        self._since = time.monotonic()

    def step(self, records: Sequence[RolloutRecord], step: int, *, asked: int | None = None) -> dict[str, float]:
        """The metrics of a step; logs its warnings and writes its trace file.

        Args:
            asked: rollouts that the step asked for, where the host knows; what did not come has no record.

        Raises:
            GradingFailed, NothingToTrainOn: it teaches nothing.
        """
        now = time.monotonic()
        grading, seconds, self._since = self._meter.step(records), now - self._since, now
        metrics = {**compute_metrics(records, budget=self._budget), **grading.metrics()}
        if self._scores_reference:
            metrics |= reference_metrics(records)
            warn_of_spelling(records, metrics, self.settings, step)
        check_errors(records, self.settings.max_error_share, step)
        check_outcomes(records, self.settings, step, asked=asked)
        warn_of_timeouts(records, step)
        warn_of_crashes(grading, step)
        warn_of_slow_grading(grading, seconds, self.settings, step)
        self._traces.write(records, step)
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
            f": {printable(example)}"
        )


class NothingToTrainOn(RuntimeError):
    """So many rollouts of a step have no outcome that it teaches nothing."""


def check_outcomes(
    records: Sequence[RolloutRecord], settings: MRTSettings, step: int, *, asked: int | None = None
) -> None:
    """End the run where more than `max_error_share` of a step's rollouts are missing, lost or ungraded.

    Args:
        asked: rollouts of the step, those that are missing included; None where all have a record.

    Raises:
        NothingToTrainOn: says how many of each.
    """
    asked = len(records) if asked is None else asked
    missing = max(asked - len(records), 0)
    lost = sum(record.response.kind == LOST for record in records)
    unknown = sum(record.values.outcome is None for record in records)
    if unknown + missing > settings.max_error_share * asked:
        failed = f"{missing} rollouts failed (read the errors above), " if missing else ""
        raise NothingToTrainOn(
            f"step {step}: {unknown + missing} of {asked} rollouts have no outcome, more than "
            f"mrt.max_error_share={settings.max_error_share}: {failed}{lost} traces were lost "
            f"(mrt.trace_timeout_s={settings.trace_timeout_s}, or a forced answer that failed), "
            f"grading {unknown - lost} answers took more than mrt.grade_timeout_s={settings.grade_timeout_s} or failed"
        )
    if missing:
        logger.warning(
            "step %d: %d of %d rollouts failed and are not trained on; read the errors above", step, missing, asked
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


def warn_of_crashes(grading: StepGrading, step: int) -> None:
    """One warning if grading processes died by themselves: a function that exits, or one that takes too much memory."""
    if grading.crashes:
        logger.warning(
            "step %d: grading processes died %d times on an answer, by a function that ends its process or for want "
            "of memory; an answer on which two died counts as an error (mrt/grade_errors)",
            *(step, grading.crashes),
        )


def warn_of_slow_grading(grading: StepGrading, seconds: float, settings: MRTSettings, step: int) -> None:
    """One warning if a grading process computed for half of the step, with what an answer cost.

    Args:
        seconds: since the last step's report.
    """
    if grading.longest_s > max(SLOW_S, SLOW_SHARE * seconds):
        logger.warning(
            "step %d: a grading process computed for %.0f of the step's %.0f s, %.2f s an answer that it was asked, of "
            "which %d were given up after mrt.grade_timeout_s=%g; take a faster function, a smaller deadline or more "
            "reward.num_workers",
            *(step, grading.longest_s, seconds, grading.seconds_an_answer, grading.timeouts, settings.grade_timeout_s),
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

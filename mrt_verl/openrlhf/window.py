"""StepReport for an engine that is not told where a step ends: once for every `report_rollouts` training rollouts."""

import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mrt_verl.openrlhf.config import RunConfig
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.step_report import StepReport

logger = logging.getLogger(__name__)


class WindowedReport:
    """Errors, warnings and trace files of an engine's rollouts."""

    def __init__(self, config: RunConfig) -> None:
        self._size, self._settings = config.host.report_rollouts, config.settings
        if self._settings.trace_dir is not None:  # engines write side by side
            own = Path(self._settings.trace_dir) / f"{platform.node()}-{os.getpid()}"
            self._settings = replace(self._settings, trace_dir=str(own))
        self._records: list[RolloutRecord] = []
        self._report: StepReport | None = None
        self._windows = 0

    def add(self, records: list[RolloutRecord], logged: Mapping[str, float], budget: int) -> None:
        """Take a group's records.

        Args:
            logged: metrics that OpenRLHF logs; the others, which some groups lack, are one line of this process's log.
            budget: tokens a response may have.

        Raises:
            GradingFailed, NothingToTrainOn: as StepReport, of the last `report_rollouts` rollouts.
        """
        self._records += records
        if len(self._records) < self._size:
            return
        self._windows += 1
        records, self._records = self._records, []
        self._report = self._report or StepReport(self._settings, response_tokens=budget)
        metrics = self._report.step(records, self._windows)
        further = (f"{name} {value:.4g}" for name, value in metrics.items() if name not in logged)
        logger.info("%d rollouts, report %d: %s", len(records), self._windows, ", ".join(further))

"""The reward manager "mrt": grades the final answer and all forced answers, and estimates J and progress from them."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.experimental.reward_loop.reward_manager.registry import register

from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.judgement import judge
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings

Answers = Sequence[tuple[str, bool, float | None]]
"""(text, finished, weight), as prover.ForcedAnswer."""


@register("mrt")
class MRTRewardManager(RewardManagerBase):
    """The outcome as `reward_score` and `acc`; J, progress and the cost of grading in the rollout record.

    The dense rewards are laid out by the agent loop's output (agent_loop.py), the one place verl lets them through.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        self.settings = MRTSettings.from_config(config.mrt)
        # the loop hands over what stands behind the thinking block, so the grader has no tags to look for
        self.grader = Grader(deadline_s=self.settings.grade_timeout_s, thinking=None)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Grade one rollout; `reward_extra_info` holds `acc` and the record as a JSON string."""
        row = data[-1:][0]
        record = RolloutRecord(**row.non_tensor_batch["tool_extra_fields"]["mrt"])
        response_ids = row.batch["responses"][: int(row.non_tensor_batch["response_len"])].tolist()
        started = time.perf_counter()
        own = await self._grade_final(record, response_ids, row.non_tensor_batch)
        forced = [
            await self._grade_forced(answers, response_ids[:end], row.non_tensor_batch)
            for answers, (_, _, end) in zip(record.forced, record.episodes, strict=False)
        ]
        before = await self._grade_forced(
            record.forced_before, response_ids[: record.prefix_tokens], row.non_tensor_batch
        )
        judge(record, own, forced, before, alpha=self.settings.alpha)
        record.grade_seconds = time.perf_counter() - started
        record.timeout_example = self._timeout_example(record, response_ids, own, [*forced, before])
        record.grader = {"worker": f"{platform.node()}:{os.getpid()}", **asdict(self.grader.stats())}
        return {"reward_score": own.score, "reward_extra_info": {"acc": own.score, "mrt": record.to_json()}}

    async def _grade_final(self, record: RolloutRecord, response_ids: list[int], row: Any) -> Grade:
        if self.settings.outcome == "compute_score":
            return await self._compute_score(self._decode(response_ids), row)
        if record.answer_start is None:
            return Grade(Verdict.NO_ANSWER, 0.0, "the thinking was never closed")
        text = self._decode(response_ids[record.answer_start :])
        reference = row["reward_model"]["ground_truth"]
        return (await self.grader.grade([text], reference, finished=record.finished))[0]

    async def _grade_forced(self, answers: Answers, prefix_ids: list[int], row: Any) -> list[Grade]:
        if self.settings.outcome == "compute_score":
            prefix = self._decode(prefix_ids) + self.settings.stop_text
            return [await self._compute_score(prefix + text, row) for text, _, _ in answers]
        return await self.grader.grade(
            [text for text, _, _ in answers],
            row["reward_model"]["ground_truth"],
            stop_text=self.settings.stop_text,
            finished=[finished for _, finished, _ in answers],
        )

    async def _compute_score(self, solution: str, row: Any) -> Grade:
        """verl's own outcome, called as its reward managers call it, under our deadline."""
        return await self.grader.grade_outcome(
            self.compute_score,
            data_source=row["data_source"],
            solution_str=solution,
            ground_truth=row["reward_model"]["ground_truth"],
            extra_info=dict(row.get("extra_info") or {}),
        )

    def _timeout_example(
        self, record: RolloutRecord, response_ids: list[int], own: Grade, forced: Sequence[Sequence[Grade]]
    ) -> str | None:
        """The end of one answer whose grading timed out."""
        if own.verdict is Verdict.TIMEOUT:
            return self._decode(response_ids[record.answer_start or 0 :])[-200:]
        answers = chain.from_iterable(
            zip(texts, grades, strict=True)
            for texts, grades in zip([*record.forced, record.forced_before], forced, strict=True)
        )
        return next((text[-200:] for (text, *_), grade in answers if grade.verdict is Verdict.TIMEOUT), None)

    def _decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)

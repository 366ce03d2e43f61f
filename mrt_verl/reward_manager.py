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

from mrt_verl.answer_grading import AnswerGrader
from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.judgement import judge
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings


@register("mrt")
class MRTRewardManager(RewardManagerBase):
    """The outcome as `reward_score` and `acc`; J, progress and the cost of grading in the rollout record.

    The dense rewards are laid out by the agent loop's output (agent_loop.py), the one place verl lets them through.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        self.settings = MRTSettings.from_config(config.mrt)
        self.grader = Grader(deadline_s=self.settings.grade_timeout_s, thinking=None)
        self.answers = AnswerGrader(self.grader, tokenizer, self.settings, compute_score)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Grade one rollout; `reward_extra_info` holds `acc` and the record as a JSON string."""
        row = data[-1:][0]
        record = RolloutRecord(**row.non_tensor_batch["tool_extra_fields"]["mrt"])
        response_ids = row.batch["responses"][: int(row.non_tensor_batch["response_len"])].tolist()
        started = time.perf_counter()
        own = await self.answers.grade_final(
            response_ids, record.answer_start, row.non_tensor_batch, finished=record.finished
        )
        forced = [
            await self.answers.grade_forced(answers, response_ids[:end], row.non_tensor_batch)
            for answers, (_, _, end) in zip(record.forced, record.episodes, strict=False)
        ]
        before = await self.answers.grade_forced(
            record.forced_before, response_ids[: record.prefix_tokens], row.non_tensor_batch
        )
        judge(record, own, forced, before, alpha=self.settings.alpha)
        record.grade_seconds = time.perf_counter() - started
        record.timeout_example = self._timeout_example(record, response_ids, own, [*forced, before])
        record.grader = {"worker": f"{platform.node()}:{os.getpid()}", **asdict(self.grader.stats())}
        return {"reward_score": own.score, "reward_extra_info": {"acc": own.score, "mrt": record.to_json()}}

    def _timeout_example(
        self, record: RolloutRecord, response_ids: list[int], own: Grade, forced: Sequence[Sequence[Grade]]
    ) -> str | None:
        """The end of one answer whose grading timed out."""
        if own.verdict is Verdict.TIMEOUT:
            return self.answers.decode(response_ids[record.answer_start or 0 :])[-200:]
        answers = chain.from_iterable(
            zip(texts, grades, strict=True)
            for texts, grades in zip([*record.forced, record.forced_before], forced, strict=True)
        )
        return next((text[-200:] for (text, *_), grade in answers if grade.verdict is Verdict.TIMEOUT), None)

"""The reward manager "mrt": grades the final answer and all forced answers, estimates J and its progress."""

import inspect
from collections.abc import Sequence
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.experimental.reward_loop.reward_manager.registry import register

from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.progress import compute_progress
from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.settings import MRTSettings


@register("mrt")
class MRTRewardManager(RewardManagerBase):
    """Outcome in {0, 1} as `reward_score` and `acc`; J, progress and what grading cost in the rollout record.

    The dense rewards are laid out by the agent loop's output, the only place verl lets them through.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        self.settings = MRTSettings.from_config(config.mrt)
        self.grader = Grader(deadline_s=self.settings.grade_timeout_s)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Grade one rollout; `reward_extra_info` holds scalars and the record as a JSON string."""
        row = data[-1:][0]
        fields = row.non_tensor_batch
        record = RolloutRecord(**fields["tool_extra_fields"]["mrt"])

"""The reward manager "mrt": grades the final answer and all forced answers, and estimates J and progress from them."""

from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.experimental.reward_loop.reward_manager.registry import register

from mrt_verl.grading import Grade, Grader, Verdict
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.grading.outcomes import FileFunction
from mrt_verl.hooks.overlong import OverlongBuffer
from mrt_verl.metrics import validation_values
from mrt_verl.rollout_grading import grade_rollout
from mrt_verl.rollout_record import LOST, RECORD, RolloutRecord
from mrt_verl.settings import MRTSettings


@register("mrt")
class MRTRewardManager(RewardManagerBase):
    """The outcome as `reward_score` and `acc`; J, progress and the cost of grading in the rollout record.

    The dense rewards are laid out by the agent loop's output (loop_output.py), the one place verl lets them through.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        self.settings = MRTSettings.from_config(config.mrt)
        self.grader = Grader(deadline_s=self.settings.grade_timeout_s, thinking=None)
        # by its file: what verl has loaded may be a lambda or a decorated function, which no worker could import
        function = FileFunction.from_node(config.reward.get("custom_reward_function"))
        self.overlong = OverlongBuffer.from_config(config.reward)
        self.answers = AnswerGrader(self.grader, tokenizer, self.settings, function or compute_score)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """Grade one rollout; `reward_extra_info` holds `acc` and the record as a JSON string."""
        row = data[-1:][0]
        fields = row.non_tensor_batch
        record = RolloutRecord.from_dict(fields["tool_extra_fields"][RECORD])
        response_ids = row.batch["responses"][: int(fields["response_len"])].tolist()
        if record.response.kind == LOST:  # there is nothing to grade; verl wants numbers
            return {"reward_score": 0.0, "reward_extra_info": {"acc": 0.0, RECORD: record.to_json()}}
        own = await grade_rollout(self.answers, record, response_ids, fields)
        score = own.score
        info = {**_extras(own), "acc": float(own.verdict is Verdict.RIGHT), RECORD: record.to_json()}
        if self.settings.val_branches and fields.get("mrt_validate", False):
            info |= validation_values(record, self.config.data.max_response_length)
        if self.overlong is not None:
            penalty = self.overlong.penalty(len(response_ids))
            score += penalty
            if self.overlong.log:
                info |= {"overlong_reward": penalty, "overlong": penalty < 0}
        return {"reward_score": score, "reward_extra_info": info}


def _extras(grade: Grade) -> dict[str, float | str]:
    """What a user's function returned beside the score; verl's validation takes numbers and texts."""
    plain = (grade.info or {}).items()
    return {key: value for key, value in plain if isinstance(value, int | float | str) and key != RECORD}

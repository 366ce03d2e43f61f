"""The reward manager "mrt": grades the final answer and all forced answers, and estimates J and progress from them."""

import os
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.experimental.reward_loop.reward_manager.registry import register

from mrt_verl.grading import Grade, Grader, Verdict, extract_answer
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.grading.comparison import as_references
from mrt_verl.grading.outcomes import FileFunction
from mrt_verl.grading.text.boxes import answer_end
from mrt_verl.hooks.overlong import OverlongBuffer
from mrt_verl.metrics import validation_values
from mrt_verl.provers import ForcedAnswer
from mrt_verl.rollout_record import LOST, RECORD, GradingPart, ResponsePart, RolloutRecord, TextPart
from mrt_verl.settings import MRTSettings
from mrt_verl.value_estimates import estimate_values


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
        response, branches = record.response, record.branches
        response_ids = row.batch["responses"][: int(fields["response_len"])].tolist()
        if response.kind == LOST:  # there is nothing to grade; verl wants numbers
            return {"reward_score": 0.0, "reward_extra_info": {"acc": 0.0, RECORD: record.to_json()}}
        started = time.perf_counter()
        own = await self._grade_own(response, response_ids, fields)
        forced = [
            await self.answers.grade_forced(answers, response_ids[:end], fields)
            for answers, (_, _, end) in zip(branches.forced, response.episodes, strict=False)
        ]
        before_ids = response_ids[: response.prefix_tokens]
        before = await self.answers.grade_forced(branches.forced_before, before_ids, fields)
        record.values = estimate_values(branches, own, forced, before, alpha=self.settings.alpha)
        record.grading = self._grading([own, *before, *chain.from_iterable(forced)])
        record.grading.grade_seconds = time.perf_counter() - started
        record.grading.timeout_example = self._timeout_example(record, response_ids, own, [*forced, before])
        if self.settings.trace_dir is not None:
            record.texts = self._texts(record.response, response_ids, fields, own, forced, before)
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

    async def _grade_own(self, response: ResponsePart, response_ids: list[int], row: Mapping[str, Any]) -> Grade:
        """The outcome; that of a rollout which was forced to answer by the rule that grades all forced answers."""
        if response.kind == "forced":
            start = response.prefix_tokens + response.inserted_tokens
            text = self.answers.decode(response_ids[start:])
            text = text[: answer_end(self.settings.stop_text, text, self.settings.branch_stop)]
            answer = ForcedAnswer(text, response.finished, None)
            return (await self.answers.grade_forced([answer], response_ids[: response.prefix_tokens], row))[0]
        return await self.answers.grade_final(response_ids, response.answer_start, row, finished=response.finished)

    def _texts(
        self,
        response: ResponsePart,
        response_ids: list[int],
        row: Mapping[str, Any],
        own: Grade,
        forced: Sequence[Sequence[Grade]],
        before: Sequence[Grade],
    ) -> TextPart:
        """What a trace file shows beside the numbers."""
        first, last = (response.episodes[0][0], response.episodes[-1][2]) if response.episodes else (None, None)
        answer = "" if response.answer_start is None else self.answers.decode(response_ids[response.answer_start :])
        stop_text = self.settings.stop_text if response.kind == "forced" else ""
        references = as_references(row["reward_model"]["ground_truth"])
        messages = row.get("raw_prompt")
        asked = messages[-1]["content"] if messages is not None and len(messages) else response.prompt_text
        return TextPart(
            uid=str(row.get("uid", "")),
            data_source=str(row.get("data_source", "")),
            problem=asked if isinstance(asked, str) else str(response.prompt_text),
            reference=references[0] if len(references) == 1 else list(references),
            lead_text=self.tokenizer.decode(response_ids[:first]),
            rest_text="" if last is None else self.tokenizer.decode(response_ids[last:]),
            extracted=extract_answer(answer, stop_text=stop_text, thinking=None, finished=response.finished),
            verdict=str(own.verdict),
            detail=own.detail,
            forced_verdicts=[[str(grade.verdict) for grade in grades] for grades in forced],
            before_verdicts=[str(grade.verdict) for grade in before],
        )

    def _grading(self, grades: Sequence[Grade]) -> GradingPart:
        verdicts = Counter(grade.verdict for grade in grades)
        return GradingPart(
            answers=len(grades),
            no_answers=verdicts[Verdict.NO_ANSWER],
            grade_timeouts=verdicts[Verdict.TIMEOUT],
            grade_errors=verdicts[Verdict.ERROR],
            error_example=next((grade.detail for grade in grades if grade.verdict is Verdict.ERROR), None),
            grader={"worker": f"{platform.node()}:{os.getpid()}", **asdict(self.grader.stats())},
        )

    def _timeout_example(
        self, record: RolloutRecord, response_ids: list[int], own: Grade, forced: Sequence[Sequence[Grade]]
    ) -> str | None:
        """The end of one answer whose grading timed out."""
        if own.verdict is Verdict.TIMEOUT:
            return self.answers.decode(response_ids[record.response.answer_start or 0 :])[-200:]
        texts = [*record.branches.forced, record.branches.forced_before]
        pairs = chain.from_iterable(
            zip(answers, grades, strict=True) for answers, grades in zip(texts, forced, strict=True)
        )
        return next((answer.text[-200:] for answer, grade in pairs if grade.verdict is Verdict.TIMEOUT), None)


def _extras(grade: Grade) -> dict[str, float | str]:
    """What a user's function returned beside the score; verl's validation takes numbers and texts."""
    plain = (grade.info or {}).items()
    return {key: value for key, value in plain if isinstance(value, int | float | str) and key != RECORD}

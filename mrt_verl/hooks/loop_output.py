"""verl's agent loop output, whose rewards are laid out per episode once the reward manager has graded the record."""

from typing import Any

import torch
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput

from mrt_verl.rollout_grading import reward_row
from mrt_verl.rollout_record import RECORD, RolloutRecord
from mrt_verl.trace import Trace


class MRTAgentLoopOutput(AgentLoopOutput):
    """The one place where verl lets a rollout's own token-level rewards through."""

    def as_dict(self) -> dict[str, Any]:
        """verl's fields; `rm_scores` (response_length,) float32 carries outcome and episode rewards."""
        fields = super().as_dict()
        extra_fields = fields["extra_fields"]
        extra_fields.pop(RECORD, None)
        graded = extra_fields.get("reward_extra_info", {}).get(RECORD)
        if graded is not None and self.reward_score is not None:
            rewards = reward_row(RolloutRecord.from_json(graded), self.reward_score, self.response_mask)
            fields["rm_scores"] = torch.from_numpy(rewards)
        return fields


def make_output(
    prompt_ids: list[int],
    trace: Trace,
    record: RolloutRecord,
    of_row: dict[str, Any],
    *,
    eos_token_id: int,
    trace_seconds: float,
) -> MRTAgentLoopOutput:
    """One rollout as verl wants it; `of_row` holds the fields that a vision model's rows have besides."""
    response_ids, mask, log_probs = trace.ids, trace.mask, trace.log_probs
    if not response_ids:
        # verl cannot hold an empty response: one token the policy did not sample, which trains nothing
        response_ids, mask, log_probs = [eos_token_id], [0], [0.0]
    return MRTAgentLoopOutput(
        prompt_ids=prompt_ids,
        response_ids=response_ids,
        response_mask=mask,
        response_logprobs=log_probs if trace.has_log_probs else None,
        num_turns=2,
        metrics=AgentLoopMetrics(
            generate_sequences=trace_seconds,
            tool_calls=record.branches.branch_seconds,
            num_preempted=-1 if trace.preempted is None else trace.preempted,
        ),
        extra_fields={**trace.extra_fields, "turn_scores": [], "tool_rewards": [], RECORD: record.to_dict()},
        **of_row,
    )

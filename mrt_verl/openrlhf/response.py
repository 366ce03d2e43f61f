"""A rollout as the dict that OpenRLHF makes its Experience of."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mrt_verl.trace import Trace


def make_response(
    prompt: str,
    label: Any,
    prompt_ids: list[int],
    trace: Trace,
    *,
    reward: float,
    score: float,
    is_truncated: bool,
    has_log_probs: bool,
    logs: Mapping[str, float],
) -> dict[str, Any]:
    """The dict of one rollout.

    Args:
        reward: what the estimator gets; of an evaluation its figures are made of it.
        score: the outcome, which dynamic filtering reads.
        logs: numbers that the step's log shows the mean of.
    """
    return {
        "prompt": prompt,
        "label": label,
        "images": None,
        "mm_train_inputs": None,
        "reward": float(reward),
        "scores": float(score),
        "observation_tokens": [*prompt_ids, *trace.ids],
        "action_ranges": action_ranges(trace.mask, len(prompt_ids)),
        "rollout_log_probs": [0.0] * len(prompt_ids) + trace.log_probs if has_log_probs else None,
        "truncated": is_truncated,
        "extra_logs": dict(logs),
    }


def action_ranges(mask: list[int], start: int) -> list[tuple[int, int]]:
    """Runs [first, end) of sampled tokens, positions after `start` tokens of prompt."""
    edges = np.flatnonzero(np.diff([0, *mask, 0])) + start
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def make_trainable(trace: Trace, eos_token_id: int) -> Trace:
    """The trace; one without a sampled token, as that of a lost rollout, gets an end of sequence.

    OpenRLHF divides by the sampled tokens of a row, so there must be one.
    """
    if not any(trace.mask):
        trace.add_sampled([eos_token_id], None)
    return trace

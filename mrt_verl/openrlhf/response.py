"""A rollout as the dict that OpenRLHF makes its Experience of."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mrt_verl.openrlhf.group import Graded


def make_response(
    graded: Graded,
    *,
    prompt: str,
    label: Any,
    prompt_ids: list[int],
    reward: float,
    has_log_probs: bool,
    logs: Mapping[str, float],
) -> dict[str, Any]:
    """The dict of one rollout.

    Args:
        reward: what the estimator gets; of an evaluation its figures are made of it.
        logs: numbers that the step's log shows the mean of.
    """
    trace, record = graded.rolled_out.trace, graded.rolled_out.record
    return {
        "prompt": prompt,
        "label": label,
        "images": None,
        "mm_train_inputs": None,
        "reward": float(reward),
        "scores": float(graded.score),  # which dynamic filtering reads
        "observation_tokens": [*prompt_ids, *trace.ids],
        "action_ranges": action_ranges(trace.mask, len(prompt_ids)),
        "rollout_log_probs": [0.0] * len(prompt_ids) + trace.log_probs if has_log_probs else None,
        "truncated": not record.response.finished,
        "extra_logs": dict(logs),
    }


def action_ranges(mask: list[int], start: int) -> list[tuple[int, int]]:
    """Runs [first, end) of sampled tokens, positions after `start` tokens of prompt."""
    edges = np.flatnonzero(np.diff([0, *mask, 0])) + start
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]

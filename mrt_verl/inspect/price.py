"""What forced answers would add to a training run at these lengths (pure)."""

from collections.abc import Sequence

import numpy as np

from mrt_verl.branching import choose_evenly
from mrt_verl.evaluation.records import TraceRecord

SCORED_TOKENS = 5
"""Tokens that an engine generates for one scored reference, about: docs/forced_answers.md."""


def extra_tokens(
    records: Sequence[TraceRecord], *, stop_tokens: int, branches: int, max_episodes: int, group: int
) -> dict[str, float]:
    """Generated tokens of branches ÷ those of the traces, by prover.

    Args:
        stop_tokens: of the stop text, which the records' answers include.
        branches: G.
        max_episodes: most boundaries of a trace that are branched.
        group: rollouts of a prompt, which share the answers without thinking.
    """
    traces = max(sum(record.response_tokens for record in records), 1)
    boundaries = (
        sum(len(choose_evenly(len(record.episodes), max_episodes)) for record in records) + len(records) / group
    )
    lengths = [
        (episode.answer_tokens - stop_tokens, len(episode.forced)) for record in records for episode in record.episodes
    ]
    weights = [count for _, count in lengths]
    answer = float(np.average([length for length, _ in lengths], weights=weights)) if sum(weights) else 0.0
    return {
        f"sample or ht, G = {branches}": boundaries * branches * answer / traces,
        "ht or seen, G = 2": boundaries * 2 * answer / traces,
        "seen, G = 1": boundaries * answer / traces,
        "anchored or anchored_seen, G = 1": boundaries * (answer + SCORED_TOKENS) / traces,
        "likelihood": boundaries * SCORED_TOKENS / traces,
    }

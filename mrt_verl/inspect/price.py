"""What forced answers would add to a training run at these lengths (pure)."""

from collections.abc import Sequence

from mrt_verl.branching import choose_evenly
from mrt_verl.evaluation.records import TraceRecord

SCORED_TOKENS = 5
"""Tokens that an engine generates for one scored reference, about: docs/forced_answers.md."""


def extra_tokens(records: Sequence[TraceRecord], *, branches: int, max_episodes: int, group: int) -> dict[str, float]:
    """Generated tokens of branches ÷ those of the traces, by prover.

    Args:
        branches: G.
        max_episodes: most boundaries of a trace that are branched.
        group: rollouts of a prompt, which share the answers without thinking.
    """
    traces = max(sum(record.response_tokens for record in records), 1)
    boundaries = (
        sum(len(choose_evenly(len(record.episodes), max_episodes)) for record in records) + len(records) / group
    )
    answers = sum(len(episode.forced) for record in records for episode in [*record.episodes, *record.extension])
    answer = sum(record.branch_tokens for record in records) / max(answers, 1)
    return {
        f"sample or ht, G = {branches}": boundaries * branches * answer / traces,
        "ht or seen, G = 2": boundaries * 2 * answer / traces,
        "seen, G = 1": boundaries * answer / traces,
        "anchored or anchored_seen, G = 1": boundaries * (answer + SCORED_TOKENS) / traces,
        "likelihood, or pooled with one spelling": boundaries * SCORED_TOKENS / traces,
    }

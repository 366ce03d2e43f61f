"""Measures of one trace, from its record (pure)."""

import itertools
from collections.abc import Sequence

from mrt_verl.evaluation.records import EpisodeRecord, TraceRecord
from mrt_verl.evaluation.voting import majority_at_k, majority_score
from mrt_verl.progress import Points, compute_progress, paper_regret, success_points
from mrt_verl.progress import mean_answer_tokens as mean_of

REACHED = 0.9
"""J from which on further thinking counts as overthinking."""

NO_THINKING = (
    "no trace contains any thinking, so there are no episodes, no J and no progress. mrt.think_open and "
    "mrt.think_close must be the tags that the model itself writes (mrt_family), or null for a model without "
    "(mrt_family=plain)"
)


def curve_points(record: TraceRecord, *, extended: bool = False) -> Points:
    """The points of the trace's curve J(c), as training's mrt/regret has them (progress.success_points).

    Args:
        extended: with the boundaries of budget forcing beyond the trace's own.
    """
    episodes = [*record.episodes, *(record.extension if extended else [])] if record.episodes else []
    return success_points(
        [episode.end for episode in episodes],
        [episode.j for episode in episodes],
        mean_answer_tokens(record, episodes),
        response_tokens=record.response_tokens,
        outcome=record.own.score,
    )


def regret_of_the_paper(record: TraceRecord, budget: float) -> float | None:
    """progress.paper_regret of the trace; None where J_{-1} is not known."""
    if record.j_before is None:
        return None
    direct = (record.before_tokens, record.j_before)
    return paper_regret(curve_points(record), direct, record.prompt_tokens, budget)


def majority_points(record: TraceRecord) -> Points:
    """maj@k at every boundary, k being all its forced answers; tokens count all k answers (arXiv 2503.07572, maj@p)."""
    answer_tokens = mean_answer_tokens(record, record.episodes)
    voted = [
        (
            episode.end + answer_tokens * len(episode.forced),
            majority_score([a.extracted for a in episode.forced], [a.score for a in episode.forced]),
        )
        for episode in record.episodes
        if episode.forced
    ]
    # where the trace's own answer is one of the last boundary's, fewer are forced there; tokens do not decrease
    return list(itertools.accumulate((tokens for tokens, _ in voted), max)), [score for _, score in voted]


def prefix_votes(record: TraceRecord, k: int) -> list[tuple[int, float]]:
    """(boundary, maj@k of its forced answers) where there are any; of fewer than k, all of them vote."""
    return [
        (
            index,
            majority_at_k(
                [answer.extracted for answer in episode.forced],
                [answer.score for answer in episode.forced],
                min(k, len(episode.forced)),
            ),
        )
        for index, episode in enumerate(record.episodes)
        if episode.forced
    ]


def mean_answer_tokens(record: TraceRecord, episodes: Sequence[EpisodeRecord]) -> float:
    """Mean tokens of a forced answer of the trace; of its own final answer, if none was forced."""
    own = float(record.response_tokens - record.episodes[-1].end) if record.episodes else 0.0
    return mean_of([(episode.answer_tokens, len(episode.forced)) for episode in episodes], own)


def known_js(record: TraceRecord) -> list[float]:
    """J_0 … where known."""
    return [episode.j for episode in record.episodes if episode.j is not None]


def progress(record: TraceRecord) -> list[tuple[int, float]]:
    """(boundary, progress) per rewarded step, see mrt_verl.progress.compute_progress."""
    steps = compute_progress(record.j_before, [episode.j for episode in record.episodes])
    return [(step.boundary, step.progress) for step in steps]


def overthinking_tokens(record: TraceRecord, reached: float = REACHED) -> int:
    """Thinking tokens after the first boundary with J >= `reached`; 0 if there is none."""
    for episode in record.episodes:
        if episode.j is not None and episode.j >= reached:
            return record.episodes[-1].end - episode.end
    return 0


def own_score_within(record: TraceRecord, budget: int) -> float:
    """Score of the trace's own final answer if it was given within `budget` tokens, else 0."""
    return record.own.score if record.response_tokens <= budget else 0.0

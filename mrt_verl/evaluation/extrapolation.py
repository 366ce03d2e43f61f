"""Thinking that a plain rollout does not do: beyond its end (budget forcing), or with a window of episodes."""

from typing import Any

from mrt_verl.episodes import Episode, EpisodeSplitter
from mrt_verl.evaluation.plan import SamplingPlan
from mrt_verl.rollout import Boundary, Response, Rollout
from mrt_verl.sampling_params import ended_by_itself, without_end
from mrt_verl.token_text import PARAGRAPH, new_paragraph
from mrt_verl.trace import Trace, in_time


async def extend(
    rollout: Rollout, plan: SamplingPlan, prompt_ids: list[int], response: Response, request_id: str
) -> list[Boundary]:
    """Budget forcing (arXiv 2503.07572): up to W times a switch marker, in rotation, where the thinking ended.

    Returns:
        One boundary per insertion, positions counted on from the end of the thinking; [] without thinking.
    """
    if not response.boundaries:
        return []
    settings, eos = rollout.settings, rollout.tokenizer.eos_token_id
    context = without_end(response.boundaries[-1].context_ids, eos)
    shift = response.boundaries[-1].episode.end - len(context)
    stop = {"stop": [settings.think_close], "skip_special_tokens": False} if settings.think_close else {}
    boundaries = []
    for insertion in range(plan.insertions):
        marker = settings.markers[insertion % len(settings.markers)]
        kept, joint, opening = new_paragraph(rollout.tokenizer, context, marker)
        shift += len(context) - kept - len(joint)
        context = [*context[:kept], *joint]
        start = len(context)
        context += opening
        marker_end = len(context)
        chunk = await _generate(rollout, plan, [*prompt_ids, *context], request_id, plan.insertion_tokens, **stop)
        closed_at = rollout.splitter.split(chunk, thinking_open=True).think_end
        context += without_end(chunk[:closed_at], eos)
        episode = Episode(start + shift, marker_end + shift, len(context) + shift)
        boundaries.append(Boundary(episode, list(context)))
    return boundaries


async def sample_linearised(
    rollout: Rollout, plan: SamplingPlan, prompt_ids: list[int], request_id: str, window: int
) -> Response:
    """Write on with only the last `window` finished episodes in the context (the paper's linearised evaluation)."""
    splitter = rollout.splitter
    thinking_open = splitter.is_thinking_open(prompt_ids)
    texts, eos, at_text = list(splitter.pause_texts), rollout.tokenizer.eos_token_id, False
    stream = Trace()
    context: list[int] = []
    boundaries: list[Boundary] = []
    known = markers = 0  # episodes of the context whose boundary is known; markers of what left it
    while True:
        room = plan.response_tokens - len(stream.ids)
        limit = min(room, _tokens_to_look(splitter, at_text, is_first=not stream.ids) or room)
        stop = {"stop": texts} if texts else {}
        piece = await _generate(rollout, plan, [*prompt_ids, *context], request_id, limit, **stop)
        stream.add_sampled(piece, None)
        context += piece
        shift = len(stream.ids) - len(context)
        text = rollout.tokenizer.decode(piece)
        at_text = any(one in text for one in texts)
        ended = limit == room == len(piece) or piece[-1:] == [eos] or not (at_text or len(piece) == limit)
        split = splitter.split(context, thinking_open=thinking_open, growing=not ended)
        finished = len(split.episodes) if split.closed or ended else len(split.episodes) - 1
        for episode in split.episodes[known:finished]:
            boundaries.append(Boundary(_moved(episode, shift), context[: episode.end]))
        known = max(known, finished)
        if ended:
            start = split.final_answer_start
            answer_start = start + shift if start else start
            by_itself = ended_by_itself(stream.ids, plan.response_tokens, rollout.tokenizer.eos_token_id)
            return Response(stream, boundaries, answer_start, markers + split.markers, by_itself)
        if known > window and not split.closed:
            dropped = known - window
            first, kept = split.episodes[0].start, split.episodes[dropped].start
            context = context[:first] + context[kept:]
            markers += sum(episode.marker_end > episode.start for episode in split.episodes[:dropped])
            known = window


def _tokens_to_look(splitter: EpisodeSplitter, at_text: bool, *, is_first: bool) -> int | None:
    """Tokens after which a new episode may be seen; None where only a pause text shows one.

    Args:
        at_text: whether a pause text was written last; after a blank line alone the next tokens tell what it opened.
        is_first: whether nothing is written; a token of the second episode shows the end of the first.
    """
    if at_text and PARAGRAPH in splitter.pause_texts:
        return splitter.head_tokens
    return None if splitter.pause_tokens is None else splitter.pause_tokens + is_first


def _moved(episode: Episode, shift: int) -> Episode:
    return Episode(episode.start + shift, episode.marker_end + shift, episode.end + shift)


async def _generate(
    rollout: Rollout, plan: SamplingPlan, prompt_ids: list[int], request_id: str, max_tokens: int, **params: Any
) -> list[int]:
    params = {**plan.sampling_params, "max_tokens": max_tokens, **params}
    sampling = rollout.engine.generate(request_id=request_id, prompt_ids=prompt_ids, sampling_params=params)
    output = await in_time(sampling, rollout.settings.trace_timeout_s)
    return list(output.token_ids)

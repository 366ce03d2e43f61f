"""One episode, sampled piece by piece until it ends: what prefix mode one_episode writes after its cut."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mrt_verl.episode_kinds import load_splitter
from mrt_verl.episodes import Episode
from mrt_verl.rollout import Rollout
from mrt_verl.sampling_params import without_end
from mrt_verl.trace import Trace


class EpisodeSampler:
    """Samples single episodes of a run; the cap on episodes does not count."""

    def __init__(self, rollout: Rollout) -> None:
        self.rollout, self.eos = rollout, rollout.tokenizer.eos_token_id
        self.splitter = load_splitter(rollout.tokenizer, replace(rollout.settings, boundary_choice="uncertain"))

    async def sample(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], request_id: str, trace: Trace, *, purpose: str
    ) -> int:
        """Continue a trace by one episode, or to where its thinking ends.

        Returns:
            Tokens that were sampled after the end of the episode and taken off again: the first of the next one.
        """
        begin, sampler, splitter, may_open = len(trace.ids), self.rollout.sampler, self.splitter, False
        while (left := self.rollout.thinking_room - len(trace.ids)) > 0:
            # where an episode may have opened its first tokens tell; what is sampled beyond them is taken off again
            limit = min(left, splitter.head_tokens if may_open else splitter.pause_tokens or left)
            params = sampler.params(sampling_params, limit, *splitter.pause_texts)
            piece = await sampler.piece(trace, prompt_ids, params, request_id, purpose)
            thinking_open = splitter.is_thinking_open(prompt_ids)
            split = splitter.split(trace.ids, thinking_open=thinking_open, growing=True)
            end = end_of_first([one for one in split.episodes if one.end > begin], len(trace.ids))
            is_paused = self._is_paused(piece)
            is_over = piece[-1:] == [self.eos] or not (len(piece) == limit or is_paused)
            if end is not None or is_over or sampler.close_of(trace.ids, piece) is not None:
                end = len(without_end(trace.ids[: split.think_end], self.eos)) if end is None else end
                dropped = len(trace.ids) - end
                trace.rewrite(end, [])
                return dropped
            is_blank = not self.rollout.tokenizer.decode(piece).strip()  # which tells nothing
            may_open = is_paused or splitter.pause_tokens is not None or (may_open and is_blank)
        return 0

    def _is_paused(self, piece: list[int]) -> bool:
        """Whether a piece stopped at a text that may open an episode."""
        texts = self.splitter.pause_texts
        tail = self.rollout.tokenizer.decode(piece[-max(map(len, texts), default=1) :]) if piece else ""
        return any(text in tail for text in texts)


def end_of_first(episodes: Sequence[Episode], length: int) -> int | None:
    """Where the first of some episodes ends; None while no other has opened after it for certain.

    Args:
        length: of the response so far; the word of a marker at its very end may go on.
    """
    if episodes and episodes[-1].start < episodes[-1].marker_end == length:
        episodes = episodes[:-1]
    return episodes[0].end if len(episodes) > 1 else None

"""A response that grows in pieces: what the policy sampled, and what was written for it."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from mrt_verl.insertions import EstimateJ, InsertionPolicy, Pause
from mrt_verl.sampling_params import ended_by_itself, request_seed, segment_params
from mrt_verl.token_text import PARAGRAPH, Paragraph, Tag, append, decode, new_paragraph

PARAGRAPH_TOKENS = 3
"""Tokens at the end of a piece among which the blank line is that it stopped at."""
Result = TypeVar("Result")


class TraceLost(RuntimeError):
    """A rollout did not come; its group trains on the others."""


class TraceTimeout(TraceLost):
    """The engine did not answer within `mrt.trace_timeout_s`."""


async def in_time(sampling: Awaitable[Result], seconds: float | None) -> Result:
    """The result of `sampling`; None waits for ever.

    Raises:
        TraceTimeout: it took longer.
    """
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await sampling
    except TimeoutError as error:
        if not deadline.expired():
            raise  # the engine's own
        raise TraceTimeout(f"no answer within mrt.trace_timeout_s={seconds:g}") from error


@dataclass(slots=True)
class Trace:
    """Token ids of a response with their masks; text the policy did not sample has mask 0 and log-prob 0."""

    ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    has_log_probs: bool = True
    """False if the engine gave none; `log_probs` is then meaningless."""
    inserted: list[tuple[int, int]] = field(default_factory=list)
    """Token spans [start, end) written for the policy to open an episode."""
    extra_fields: dict[str, Any] = field(default_factory=dict)
    """Of the last piece, as the engine gave them."""
    preempted: int | None = None

    def add_sampled(self, ids: Sequence[int], log_probs: Sequence[float] | None) -> None:
        self.ids += ids
        self.mask += [1] * len(ids)
        self.log_probs += log_probs[: len(ids)] if log_probs else [0.0] * len(ids)
        self.has_log_probs = self.has_log_probs and (bool(log_probs) or not ids)

    def add_written(self, ids: Sequence[int]) -> None:
        self.ids += ids
        self.mask += [0] * len(ids)
        self.log_probs += [0.0] * len(ids)

    def insert(self, paragraph: Paragraph) -> None:
        """Append text that opens an episode."""
        self.rewrite(paragraph.kept, paragraph.joint)
        self.add_written(paragraph.ids)
        self.inserted.append((len(self.ids) - len(paragraph.ids), len(self.ids)))

    def rewrite(self, kept: int, ids: Sequence[int]) -> None:
        """Put other tokens in place of those from `kept` on."""
        for values in (self.ids, self.mask, self.log_probs):
            del values[kept:]
        self.add_written(ids)
        # an insertion keeps its place where its own end is rewritten
        self.inserted = [(min(a, kept), b if b <= kept else len(self.ids)) for a, b in self.inserted]


class TraceSampler:
    """Samples a trace through `engine.generate`, pausing where an insertion policy wants to write.

    Every piece continues under one request id, so the engine's prefix cache holds what came before.
    """

    def __init__(
        self,
        engine: Any,
        tokenizer: Any,
        *,
        response_length: int,
        think_close: str | None,
        min_left: int,
        seed: int | None = None,
    ) -> None:
        """Keep the settings.

        Args:
            response_length: most tokens of a response, inserted ones included.
            think_close: the tag that closes the thinking; None for a model without: the end of the sequence does.
            min_left: tokens of the budget that must be left after an insertion.
            seed: `mrt.seed`.
        """
        self.engine = engine
        self.tokenizer = tokenizer
        self.response_length = response_length
        self._close_tag = think_close
        self._close = None if think_close is None else Tag(tokenizer, think_close)
        close_token = tokenizer.eos_token_id if self._close is None else self._close.token
        self._pause_ids = [] if close_token is None else [close_token]
        # a tag of several tokens may be merged with what stands around it: only its text tells where it is whole
        self._pause_texts = [think_close] if think_close is not None and close_token is None else []
        self.min_left = min_left
        self.seed = seed

    async def sample(
        self,
        trace: Trace,
        prompt_ids: list[int],
        sampling_params: dict[str, Any],
        request_id: str,
        *,
        policy: InsertionPolicy | None = None,
        estimate_j: EstimateJ | None = None,
        purpose: str = "trace",
    ) -> Trace:
        """Continue `trace` until the policy ends it or the budget is spent; returns it."""
        while (left := self.response_length - len(trace.ids)) > 0:
            every = policy.pause_every if policy is not None else None
            limit = min(left, every) if every else left
            params = self.params(sampling_params, limit) if policy else {**sampling_params, "max_tokens": limit}
            piece = await self.piece(trace, prompt_ids, params, request_id, purpose)
            close = self.close_of(trace.ids, piece)
            if policy is None or not (close or (every and limit < left)):
                return trace
            if close is None:
                if ended_by_itself(piece, limit, self.tokenizer.eos_token_id):
                    return trace  # at whatever its engine takes for an end of sequence
                # finish the paragraph, an insertion opens a new one
                params = self.params(sampling_params, left - limit, PARAGRAPH)
                piece = await self.piece(trace, prompt_ids, params, request_id, purpose)
                close = self.close_of(trace.ids, piece)
                if not (close or self._ends_a_paragraph(piece)):
                    return trace
            text = await policy.insert(
                Pause(prompt_ids, trace.ids, tuple(trace.inserted), close and close[0], estimate_j, self.tokenizer)
            )
            if not self._insert(trace, text, close):
                # what closed the thinking stays closed; otherwise the policy had its say until the end
                if piece[-1:] == [self.tokenizer.eos_token_id]:
                    return trace
                policy = None
        return trace

    def params(self, sampling_params: dict[str, Any], max_tokens: int, *texts: str) -> dict[str, Any]:
        """Of a piece that also ends where it closes the thinking, or at one of the texts."""
        pause_texts = [*texts, *self._pause_texts]
        return segment_params(
            sampling_params, max_tokens=max_tokens, pause_ids=self._pause_ids, pause_texts=pause_texts
        )

    async def piece(
        self, trace: Trace, prompt_ids: list[int], params: dict[str, Any], request_id: str, purpose: str
    ) -> list[int]:
        """Sample one piece; its tokens, [] if the engine returned nothing."""
        ids = [*prompt_ids, *trace.ids]
        # a dict of its own: the engine's client takes settings out of the one it is given
        seeded = {**params, **request_seed(self.seed, ids, purpose)}
        output = await self.engine.generate(request_id=request_id, prompt_ids=ids, sampling_params=seeded)
        ids = list(output.token_ids)[: params["max_tokens"]]
        trace.add_sampled(ids, output.log_probs)
        trace.extra_fields = output.extra_fields
        if output.num_preempted is not None:
            trace.preempted = (trace.preempted or 0) + output.num_preempted
        return ids

    def _ends_a_paragraph(self, piece: list[int]) -> bool:
        """Whether a piece stopped where its paragraph ended, not at an end of sequence or its limit."""
        ends = piece[-1:] == [self.tokenizer.eos_token_id]
        return not ends and PARAGRAPH in self.tokenizer.decode(piece[-PARAGRAPH_TOKENS:])

    def close_of(self, ids: list[int], piece: list[int]) -> tuple[int, int] | None:
        """Tokens [first, end) of what closes the thinking in the last piece of a trace, None if nothing does."""
        if self._close is None:
            return (len(ids) - 1, len(ids)) if piece and piece[-1:] == self._pause_ids else None
        begin = len(ids) - len(piece)
        near = max(begin - len(str(self._close_tag).encode()), 0)  # a tag may have begun in the piece before
        found = ((near + a, near + b) for a, b in self._close.occurrences(np.asarray(ids[near:], dtype=np.int64)))
        return next((span for span in found if span[1] > begin), None)

    def _insert(self, trace: Trace, text: str | None, close: tuple[int, int] | None) -> bool:
        """Write `text` as a new paragraph in place of the close, if there is budget for it.

        A tag that began before the piece it ended in stopped no request: what follows it is the answer, so it stays.
        """
        if text is None or (close and close[1] < len(trace.ids)):
            return False
        kept, end = append(self.tokenizer, *self._without(trace.ids, close))
        thinking = [*trace.ids[:kept], *end]
        paragraph = new_paragraph(self.tokenizer, thinking, text)
        if paragraph.kept + len(paragraph.joint + paragraph.ids) + self.min_left > self.response_length:
            return False
        trace.rewrite(kept, end)
        trace.insert(paragraph)
        return True

    def _without(self, ids: list[int], close: tuple[int, int] | None) -> tuple[list[int], str]:
        """The tokens before the close, and the text that its first token holds before the tag."""
        if close is None:
            return ids, ""
        lost = "" if self._pause_ids else decode(self.tokenizer, ids[close[0] :]).partition(str(self._close_tag))[0]
        return ids[: close[0]], lost

"""A response that grows in pieces: what the policy sampled, and what was written for it."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mrt_verl.insertions import EstimateJ, InsertionPolicy, Pause
from mrt_verl.sampling_params import ended_by_itself, request_seed, segment_params
from mrt_verl.token_text import paragraph_break

PARAGRAPH = "\n\n"
PARAGRAPH_TOKENS = 3
"""Tokens at the end of a piece among which the blank line is that it stopped at."""
Result = TypeVar("Result")


class TraceTimeout(RuntimeError):
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

    def insert(self, ids: Sequence[int]) -> None:
        """Append text that opens an episode."""
        self.add_written(ids)
        self.inserted.append((len(self.ids) - len(ids), len(self.ids)))

    def drop_last(self) -> None:
        """Take back the last token: the one that closed the thinking."""
        for values in (self.ids, self.mask, self.log_probs):
            values.pop()


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
        close_ids: Sequence[int],
        min_left: int,
        seed: int | None = None,
    ) -> None:
        """Keep the settings.

        Args:
            response_length: most tokens of a response, inserted ones included.
            close_ids: tokens that close the thinking: the close tag, or the end of the sequence for a model without.
            min_left: tokens of the budget that must be left after an insertion.
            seed: `mrt.seed`.
        """
        self.engine = engine
        self.tokenizer = tokenizer
        self.response_length = response_length
        self.close_ids = list(close_ids)
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
            pause_ids = self.close_ids if policy is not None else []
            limit = min(left, every) if every else left
            params = segment_params(sampling_params, max_tokens=limit, pause_ids=pause_ids)
            piece = await self._piece(trace, prompt_ids, params, request_id, purpose)
            is_closing = bool(piece) and piece[-1] in self.close_ids
            if policy is None or not (is_closing or (every and limit < left)):
                return trace
            if not is_closing:
                if ended_by_itself(piece, limit, self.tokenizer.eos_token_id):
                    return trace  # at whatever its engine takes for an end of sequence
                # finish the paragraph, an insertion opens a new one
                params = segment_params(sampling_params, max_tokens=left - limit, pause_ids=pause_ids)
                piece = await self._piece(trace, prompt_ids, {**params, "stop": [PARAGRAPH]}, request_id, purpose)
                is_closing = bool(piece) and piece[-1] in self.close_ids
                if not is_closing and not self._ends_a_paragraph(piece):
                    return trace
            text = await policy.insert(
                Pause(prompt_ids, trace.ids, tuple(trace.inserted), is_closing, estimate_j, self.tokenizer)
            )
            if not self._insert(trace, text, is_closing):
                # what closed the thinking stays closed; otherwise the policy had its say until the end
                if piece[-1:] == [self.tokenizer.eos_token_id]:
                    return trace
                policy = None
        return trace

    async def _piece(
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

    def _insert(self, trace: Trace, text: str | None, is_closing: bool) -> bool:
        """Write `text` as a new paragraph in place of the close, if there is budget for it."""
        if text is None:
            return False
        kept = trace.ids[:-1] if is_closing else trace.ids
        ids = self.tokenizer.encode(paragraph_break(self.tokenizer, kept) + text, add_special_tokens=False)
        if len(kept) + len(ids) + self.min_left > self.response_length:
            return False
        if is_closing:
            trace.drop_last()
        trace.insert(ids)
        return True

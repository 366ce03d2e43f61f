"""Sampling parameters of traces, forced answers and scored prompts, and when a generation ended by itself.

verl's `server_manager.generate` takes vLLM's names and hands them on. `max_tokens`, `stop`, `stop_token_ids`,
`logprobs`, `temperature` mean the same to sglang; what vLLM alone has is said here.
"""

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

UNTRUNCATED = {"temperature": 1.0, "top_p": 1.0, "top_k": -1}
"""The distribution of scored prompts; answers that are set off against a score are drawn from it as well."""


def answer_params(
    of_trace: dict[str, Any], *, max_tokens: int, stop: Sequence[str], temperature: float | None, log_probs: bool
) -> dict[str, Any]:
    """Parameters of a forced answer: the trace's own distribution unless a temperature is given."""
    params = {**of_trace, "max_tokens": max_tokens, "logprobs": log_probs}
    if temperature is not None:
        params["temperature"] = temperature
    if stop:
        params["stop"] = list(stop)
    return params


def segment_params(
    of_trace: dict[str, Any], *, max_tokens: int, pause_ids: Sequence[int] = (), pause_texts: Sequence[str] = ()
) -> dict[str, Any]:
    """Parameters of a piece of a trace that may also end at one of some tokens, or where one of some texts is whole."""
    params = {**of_trace, "max_tokens": max_tokens}
    if pause_ids:
        params["stop_token_ids"] = list(pause_ids)
    if pause_texts:
        params["stop"] = list(pause_texts)
    return params


def score_params(*, read_prefix_cache: bool) -> dict[str, Any]:
    """Parameters of a prompt that is scored, not continued (vLLM).

    vLLM reads no cache for scored prompts unless told to, and leaves the log-probs of what it read undefined; their
    undefined token ids must not be detokenised. One token is the least it generates.
    """
    return {
        "max_tokens": 1,
        "temperature": 0.0,
        "prompt_logprobs": 0,
        "skip_reading_prefix_cache": not read_prefix_cache,
        "detokenize": False,
    }


def free_token_params() -> dict[str, Any]:
    """Parameters of the likeliest next token, with its log-prob at temperature 1."""
    return {
        **UNTRUNCATED,
        "temperature": 0.0,
        "max_tokens": 1,
        "logprobs": True,
        "repetition_penalty": 1.0,
        "detokenize": False,
    }


def restricted_token_params(token_ids: Sequence[int]) -> dict[str, Any]:
    """Parameters of the likeliest of some tokens, with its log-prob among them (vLLM)."""
    return {**free_token_params(), "allowed_token_ids": list(token_ids)}


def request_seed(seed: int | None, prompt_ids: Sequence[int], purpose: str) -> dict[str, int]:
    """{"seed": …} of one request; {} without `mrt.seed`.

    Requests with the same prompt differ by their purpose (which answer, which rollout). A server that seeds them all
    alike, as verl's does under full_determinism, would draw the G answers of a boundary G times the same.
    """
    if seed is None:
        return {}
    content = f"{seed}:{purpose}:".encode() + array("q", prompt_ids).tobytes()
    return {"seed": int.from_bytes(blake2b(content, digest_size=4).digest(), "big") >> 1}


def ended_by_itself(ids: Sequence[int], max_tokens: int, eos_token_id: int | None) -> bool:
    """Whether a generation ended by itself, not by its token limit; verl's `stop_reason` does not tell.

    Args:
        max_tokens: what it was allowed: asked for, or left in the context, whichever is less.
    """
    return len(ids) < max_tokens or ids[-1] == eos_token_id


def without_end(ids: Sequence[int], eos_token_id: int | None) -> list[int]:
    """The tokens without an end of sequence at their end, after which nothing sensible follows."""
    return list(ids[:-1] if len(ids) and ids[-1] == eos_token_id else ids)

"""Sampling parameters by rollout server: the one place that knows in what a server differs from vLLM.

verl's `server_manager.generate` takes vLLM's names and hands them on. `max_tokens`, `stop`, `stop_token_ids`,
`logprobs`, `temperature` mean the same to both servers below; what one server alone has is said here.
"""

from collections.abc import Sequence
from typing import Any

SERVERS = ("vllm", "sglang")
"""Values of `rollout.name` whose parameters are known here; sglang's were read in verl's code, not run."""

PROVERS_OF_SERVER = {
    "vllm": ("sample", "ht", "likelihood", "anchored"),
    # sglang's log-probs are not those of the truncated distribution, and verl's scored prompts skip its prefix cache
    "sglang": ("sample",),
}

UNTRUNCATED = {"temperature": 1.0, "top_p": 1.0, "top_k": -1}
"""The distribution of scored prompts; answers that are set off against a score are drawn from it as well."""


def check_server(server: str, prover: str) -> None:
    """Raises ValueError: the server is unknown, or cannot give what the prover needs."""
    if server not in SERVERS:
        raise ValueError(f"actor_rollout_ref.rollout.name={server}; allowed: {', '.join(SERVERS)}")
    if prover not in PROVERS_OF_SERVER[server]:
        allowed = ", ".join(PROVERS_OF_SERVER[server])
        raise ValueError(f"mrt.prover={prover} with actor_rollout_ref.rollout.name={server}; allowed there: {allowed}")


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


def segment_params(of_trace: dict[str, Any], *, max_tokens: int, pause_ids: Sequence[int]) -> dict[str, Any]:
    """Parameters of a piece of a trace that may also end at one of `pause_ids`."""
    params = {**of_trace, "max_tokens": max_tokens}
    if pause_ids:
        params["stop_token_ids"] = list(pause_ids)
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

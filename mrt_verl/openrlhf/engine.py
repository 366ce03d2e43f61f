"""OpenRLHF's vLLM actor as a rollout's engine."""

from typing import Any

from mrt_verl.evaluation.engines import TokenOutput, read_output, vllm_params


class OpenRLHFEngine:
    """`llm_engine.generate(token ids, SamplingParams)`; one server, which makes an id for every request itself."""

    def __init__(self, llm_engine: Any) -> None:
        self._engine = llm_engine

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        """One continuation; `request_id` has no use here, the actor's own cache finds the prefix."""
        return read_output(await self._engine.generate(list(prompt_ids), vllm_params(sampling_params)))


def trace_params(sampling_params: Any) -> dict[str, Any]:
    """Of OpenRLHF's SamplingParams what every request of a trace has; the rest is set for each."""
    return {
        "temperature": sampling_params.temperature,
        "top_p": sampling_params.top_p,
        "top_k": sampling_params.top_k,
        "logprobs": sampling_params.logprobs is not None,
    }

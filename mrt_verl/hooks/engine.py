"""verl's server client as a rollout's engine."""

from typing import Any

from verl.workers.rollout.llm_server import LLMServerClient


class VerlEngine:
    """`client.generate`, but for scored prompts: those go past the clients that resume aborted generations.

    Such a client (both asynchronous v1 trainers have one) builds its output anew and drops the prompt's log-probs. A
    scored prompt generates one token, so there is nothing to resume.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Any:
        """verl's TokenOutput."""
        how: dict[str, Any] = {"prompt_ids": prompt_ids, "sampling_params": sampling_params}
        if "prompt_logprobs" in sampling_params and isinstance(self._client, LLMServerClient):
            return await LLMServerClient.generate(self._client, request_id, **how)
        return await self._client.generate(request_id=request_id, **how)

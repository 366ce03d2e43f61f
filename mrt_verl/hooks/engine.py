"""verl's server client as a rollout's engine."""

from collections.abc import Mapping
from typing import Any, Self

from verl.workers.rollout.llm_server import LLMServerClient

VLLM_ONLY = ("logit_bias",)
"""Parameters of forced answers that verl's sglang server would not take by these names and types."""


class VerlEngine:
    """`client.generate`, but for scored prompts: those go past the clients that resume aborted generations.

    Such a client (both asynchronous v1 trainers have one) builds its output anew and drops the prompt's log-probs. A
    scored prompt generates one token, so there is nothing to resume.
    """

    def __init__(self, client: Any, of_row: Mapping[str, Any] | None = None, *, server: str = "vllm") -> None:
        """Keep the parts.

        Args:
            of_row: what each request of the row carries beside its tokens: images, priority (row_inputs.py).
            server: `rollout.name`; sglang names its parameters otherwise.
        """
        self._client = client
        self._server = server
        self.of_row = dict(of_row or {})

    def on(self, client: Any) -> Self:
        """The same row's engine on another client."""
        return type(self)(client, self.of_row, server=self._server)

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Any:
        """verl's TokenOutput."""
        if self._server == "sglang":
            sampling_params = {key: value for key, value in sampling_params.items() if key not in VLLM_ONLY}
        how: dict[str, Any] = {"prompt_ids": prompt_ids, "sampling_params": sampling_params, **self.of_row}
        if "prompt_logprobs" in sampling_params and isinstance(self._client, LLMServerClient):
            return await LLMServerClient.generate(self._client, request_id, **how)
        return await self._client.generate(request_id=request_id, **how)

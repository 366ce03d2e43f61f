"""OpenRLHF's rollout actor without OpenRLHF: it starts the n calls of a prompt together and hands over token ids."""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

from tests.fakes import FakeServer, Request, run_at_once
from tests.rollouts import NEVER, STOP, Write, is_forced

SETTINGS = {
    "prover": "sample",
    "branches": 3,
    "min_steps": 1,
    "min_episode_tokens": 0,
    "max_episodes": 4,
    "branch_timeout_s": 0.2,
    "stop_text": STOP,
}
"""The `mrt:` node of these tests, as tests.rollouts.OVERRIDES is for verl's."""
PROMPT = "<|im_start|>user\nNumbers: 3, 7, 9, 4?<|im_end|>\n<|im_start|>assistant\n<think>\n"


class Params(SimpleNamespace):
    """vLLM's SamplingParams as far as both sides read it; vLLM itself takes most of a minute to import."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**{"temperature": 1.0, "top_p": 1.0, "top_k": -1, "logprobs": None, **values})


def stand_in_for_vllm(monkeypatch: Any) -> None:
    """Let `vllm.SamplingParams` be Params."""
    kinds = SimpleNamespace(RequestOutputKind=SimpleNamespace(FINAL_ONLY="final"))
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=Params))
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", kinds)


class FakeActor:
    """`RolloutRayActor.generate` on a fake server, which plays verl's."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server

    async def generate(self, prompt_token_ids: list[int], sampling_params: Params, multi_modal_data: Any = None) -> Any:
        values = dict(vars(sampling_params))
        has_log_probs = values.pop("logprobs") is not None
        assert values.pop("output_kind") == "final"
        output = await self.server.generate(
            request_id="", prompt_ids=prompt_token_ids, sampling_params={**values, "logprobs": has_log_probs}
        )
        rows = None
        if has_log_probs:
            pairs = zip(output.token_ids, output.log_probs or [], strict=True)
            rows = [{token: SimpleNamespace(logprob=value)} for token, value in pairs]
        completion = SimpleNamespace(token_ids=output.token_ids, logprobs=rows, finish_reason="stop")
        # vLLM's rows are those of all prompt tokens, the first without one; verl's end in a filler instead
        scores = output.extra_fields.get("prompt_logprobs")
        scored = None if scores is None else [None, *({0: SimpleNamespace(logprob=row[0])} for row in scores[:-1])]
        return SimpleNamespace(outputs=[completion], num_cached_tokens=1, prompt_logprobs=scored)


class MoltClient(FakeActor):
    """`RouterGenerateClient.generate` of molt-rl on a fake server."""

    async def generate(self, prompt_token_ids: list[int], sampling_params: Params, session_id: Any = None) -> Any:  # type: ignore[override]
        return await super().generate(prompt_token_ids, sampling_params), 0


def generate_responses(
    executor: Any,
    tokenizer: Any,
    write: Write,
    *,
    samples: int = 4,
    label: Any = "9, 4",
    prompt: str = PROMPT,
    params: Params | None = None,
    max_length: int = 400,
    is_hanging: Any = lambda _: False,
    is_molt: bool = False,
    **further: Any,
) -> tuple[list[Any], FakeServer]:
    """(the responses to a prompt, the server that was asked); raises what a call raises, as the actor does.

    Args:
        is_molt: what a call raises is its response, as molt takes it; TimeoutError where one waits for ever.
    """

    def delay(request: Request) -> float:
        return NEVER if is_hanging(request) else 0.0 if is_forced(request) else 0.1

    server = FakeServer(tokenizer, write, delay=delay)
    shared = params or Params(max_tokens=120, logprobs=1)

    async def group() -> list[Any]:
        calls = [
            executor.execute(
                prompt=prompt,
                label=label,
                sampling_params=shared,
                max_length=max_length,
                hf_tokenizer=tokenizer,
                llm_engine=(MoltClient if is_molt else FakeActor)(server),
                **further,
            )
            for _ in range(samples)
        ]
        found = asyncio.gather(*calls, return_exceptions=is_molt)
        return await asyncio.wait_for(found, 10 * NEVER if is_molt else None)

    return run_at_once(group()), server

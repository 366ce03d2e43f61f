"""Rollouts of one prompt in verl's own agent loops, written by a fake server."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.fakes import FakeServer, Request, Written, run_at_once

STOP = "Time is up.\n</think>\n\nThe answer is \\boxed{"
TAIL = STOP.partition("Time is up.\n")[2]
ATTEMPT = "Let me try 3 and 7. 3 + 7 = 10, no.\n\n"
WAIT = "Wait, let me try 9 and 4. 9 + 4 = 6, yes.\n\n"
ANSWER = "</think>\n\nThe answer is \\boxed{9, 4}<|im_end|>"
FORCED = "9, 4}"
OVERRIDES = (
    "actor_rollout_ref.rollout.name=vllm",
    "actor_rollout_ref.rollout.response_length=120",
    "mrt.prover=sample",
    "mrt.branches=3",
    "mrt.min_steps=1",
    "mrt.min_episode_tokens=0",
    "mrt.max_episodes=4",
    "mrt.branch_timeout_s=0.2",
)
STEPS = {"min_global_steps": 3, "max_global_steps": 3}
"""verl's client adds them to every output, and its trainer wants them of every rollout."""

NEVER = 1e5
"""Seconds."""

Write = Callable[[Request], Written]


def author(trace: str | Write, forced: Write = lambda _: FORCED) -> Write:
    """A `write` for the fake server: `forced` after the stop text, `trace` after everything else."""
    return lambda request: (
        forced(request) if is_forced(request) else trace if isinstance(trace, str) else trace(request)
    )


def is_forced(request: Request) -> bool:
    """Whether a forced answer is asked for: after the stop text, or after a close of the policy's own and its end."""
    return request.text.endswith(TAIL)


def split(server: FakeServer) -> tuple[list[Request], list[Request]]:
    """(requests for traces, requests for forced answers)."""
    return [one for one in server.requests if not is_forced(one)], list(filter(is_forced, server.requests))


def roll_out(
    loop_class: Any,
    config: Any,
    tokenizer: Any,
    write: Write,
    *,
    sessions: int,
    is_hanging: Callable[[Request], bool] = lambda _: False,
    processor: Any = None,
    prompt: Any = None,
    **row: Any,
) -> tuple[list[Any], FakeServer]:
    """(outputs of a prompt's concurrent sessions, or what they raised; the server they asked).

    Args:
        processor: of a vision model.
        prompt: the chat messages; null takes a problem of the search task.
    """
    from omegaconf import OmegaConf
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap
    from verl.utils.dataset.rl_dataset import RLHFDataset

    OmegaConf.update(config, "mrt.stop_text", STOP)
    # as in life, all sessions of a prompt have started before one has ended
    server = FakeServer(
        tokenizer,
        write,
        delay=lambda one: NEVER if is_hanging(one) else 0.0 if is_forced(one) else 0.1,
        cached=lambda _: 1,
        extra_fields=STEPS,
    )

    async def session(number: int) -> Any:
        loop = loop_class(
            trainer_config=DictConfigWrap(config),
            server_manager=server,
            tokenizer=tokenizer,
            processor=processor,
            dataset_cls=RLHFDataset,
            data_config=DictConfigWrap(config.data),
        )
        messages = prompt or [{"role": "user", "content": "Numbers: 3, 7, 9, 4?"}]
        params = {"temperature": 1.0, "logprobs": True}
        return await loop.run(params, raw_prompt=messages, uid="u", session_id=number, **row)

    async def group() -> list[Any]:
        return await asyncio.gather(*map(session, range(sessions)), return_exceptions=True)

    return run_at_once(group()), server


def record(output: Any) -> dict[str, Any]:
    """What a rollout tells the reward manager."""
    fields: dict[str, Any] = output.extra_fields["mrt"]
    return fields

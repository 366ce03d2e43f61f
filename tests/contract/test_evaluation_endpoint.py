"""EndpointEngine against a server of our own: what it sends, and answers of servers other than vLLM's."""

import asyncio
import json
from contextlib import asynccontextmanager

import openai
import pytest
from aiohttp import web

from mrt_verl.evaluation.engines import EndpointEngine
from tests.fakes import toy_tokenizer

PARAMS = {"temperature": 0.5, "top_k": 5, "max_tokens": 7, "stop": ["\n"], "logprobs": True}
TOKENIZER = toy_tokenizer(("a", "b"), adds_start=True)


def completion(**choice):
    values = {"index": 0, "text": "ab", "finish_reason": "stop", "logprobs": None, **choice}
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 2},
    }
    return {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [values], "usage": usage}


@asynccontextmanager
async def serving(*answers):
    """A server that gives one answer a call: a completion, or the status of a failure; yields (base URL, bodies)."""
    left, bodies = list(answers), []

    async def respond(request):
        bodies.append(await request.json())
        answer = left.pop(0)
        if isinstance(answer, int):
            return web.json_response({"error": {"message": "no"}}, status=answer)
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/v1/completions", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1", bodies
    finally:
        await runner.cleanup()


def generate(*answers):
    """The engine's output and the bodies that the server got."""

    async def run():
        async with serving(*answers) as (url, bodies), EndpointEngine(url, "m", TOKENIZER) as engine:
            output = await engine.generate(request_id="r", prompt_ids=[1, 2, 3], sampling_params=PARAMS)
            return output, bodies

    return asyncio.run(run())


def test_token_ids_go_out_and_come_back():
    log_probs = {"token_logprobs": [-0.5, -0.25], "tokens": ["a", "b"], "top_logprobs": None, "text_offset": [0, 1]}
    output, (body,) = generate(completion(token_ids=[11, 12], logprobs=log_probs))
    assert body["prompt"] == [1, 2, 3]
    assert {key: body[key] for key in ("model", "temperature", "top_k", "max_tokens", "stop", "logprobs")} == {
        "model": "m",
        "temperature": 0.5,
        "top_k": 5,
        "max_tokens": 7,
        "stop": ["\n"],
        "logprobs": 0,
    }
    assert body["return_token_ids"] is True
    assert (output.token_ids, output.log_probs, output.stop_reason) == ([11, 12], [-0.5, -0.25], "completed")
    assert output.extra_fields == {"num_cached_tokens": 2}
    assert PARAMS["logprobs"] is True  # the caller's dict is left alone


@pytest.mark.parametrize(("reason", "expected"), [("stop", [0, 1, TOKENIZER.eos_token_id]), ("length", [0, 1])])
def test_text_of_another_server_is_tokenised(reason, expected):
    output, _ = generate(completion(finish_reason=reason))
    assert (output.token_ids, output.log_probs) == (expected, None)


def test_an_overloaded_server_is_asked_again():
    output, bodies = generate(503, completion(token_ids=[5]))
    assert (output.token_ids, len(bodies)) == ([5], 2)


def test_a_refusal_is_an_error():
    with pytest.raises(openai.BadRequestError, match="no"):
        generate(400)


def test_tensorboard_logs_are_read(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    from mrt_verl.evaluation.page.training import read_metrics

    with SummaryWriter(tmp_path / "run") as writer:
        for step in (1, 2):
            writer.add_scalar("mrt/regret", step / 4, step)
    assert read_metrics(tmp_path) == {1: {"mrt/regret": 0.25}, 2: {"mrt/regret": 0.5}}
    assert json.dumps(read_metrics(tmp_path))

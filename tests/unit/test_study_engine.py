"""The study's PyTorch engine against transformers' own forward pass, on a tiny Llama with random weights."""

import asyncio

import numpy as np
import pytest
import torch

from data_prep.search_task import make_problems
from recipes.quickstart.make_model import make_model, make_tokenizer, tokenizer_texts
from recipes.study.fast.engine import TorchEngine

SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "logprobs": True}


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(tokenizer_texts(make_problems(0)[:200], np.random.default_rng(0)))


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return make_model(tokenizer).eval()


@pytest.fixture
def engine(model, tokenizer):
    return TorchEngine(model, tokenizer, seed=1)


def ask(engine, *requests):
    """Outputs of (request id, prompt, params), asked at once."""

    async def all_of_them():
        calls = (engine.generate(request_id=i, prompt_ids=p, sampling_params={**SAMPLING, **s}) for i, p, s in requests)
        return await asyncio.gather(*calls)

    return asyncio.run(all_of_them())


def expected(model, prompt, ids, temperature=1.0):
    """Log-probs of `ids` after `prompt` by transformers."""
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1] / temperature
    return torch.log_softmax(logits, -1).gather(1, torch.tensor(ids)[:, None])[:, 0].tolist()


PROMPTS = [list(range(5, 5 + length)) for length in (3, 17, 40)]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_of_what_was_drawn(engine, model, temperature):
    """Prompts of several lengths in one batch, which is cut down as its rows end."""
    params = [{"temperature": temperature, "max_tokens": tokens} for tokens in (50, 40, 60)]
    requests = [(f"{n}", prompt, one) for n, (prompt, one) in enumerate(zip(PROMPTS, params, strict=True))]
    for (_, prompt, one), output in zip(requests, ask(engine, *requests), strict=True):
        assert 0 < len(output.token_ids) <= one["max_tokens"]
        assert output.log_probs == pytest.approx(expected(model, prompt, output.token_ids, temperature), abs=1e-4)


def test_a_kept_prefix_changes_nothing_but_the_cost(engine, model):
    prompt = PROMPTS[1]
    (trace,) = ask(engine, ("a", prompt, {"max_tokens": 60}))
    after = [*prompt, *trace.token_ids[:20], 7, 8, 9]
    score = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}
    kept, scored, fresh = ask(engine, ("a", after, {"max_tokens": 8}), ("a", after, score), ("b", after, score))
    assert [one.extra_fields["num_cached_tokens"] for one in (kept, scored, fresh)] == [
        len(after) - 3,
        len(after) - 3,
        0,
    ]
    assert kept.log_probs == pytest.approx(expected(model, after, kept.token_ids), abs=1e-4)
    rows = [[row[0] for row in one.extra_fields["prompt_logprobs"][:-1][-2:]] for one in (scored, fresh)]
    assert rows[0] == pytest.approx(rows[1], abs=1e-4)
    assert rows[0] == pytest.approx(expected(model, after[:-2], after[-2:]), abs=1e-4)
    assert len(fresh.extra_fields["prompt_logprobs"]) == len(after)


def test_nothing_is_kept_of_other_weights(engine):
    (trace,) = ask(engine, ("a", PROMPTS[0], {"max_tokens": 40}))
    engine.forget()
    (after,) = ask(engine, ("a", [*PROMPTS[0], *trace.token_ids[:5]], {"max_tokens": 2}))
    assert after.extra_fields["num_cached_tokens"] == 0


def test_allowed_and_banned_tokens(engine, model):
    allowed = [11, 12]
    only, without = ask(
        engine,
        ("a", PROMPTS[0], {"max_tokens": 1, "temperature": 0.0, "allowed_token_ids": allowed}),
        ("b", PROMPTS[0], {"max_tokens": 6, "logit_bias": dict.fromkeys(range(400), -100.0)}),
    )
    chances = [np.exp(expected(model, PROMPTS[0], [token])[0]) for token in allowed]
    assert only.token_ids == [allowed[int(np.argmax(chances))]]
    assert np.exp(only.log_probs[0]) == pytest.approx(max(chances) / sum(chances), abs=1e-5)
    assert min(without.token_ids) >= 400 or without.token_ids[-1] == engine.end


def test_ends(engine, model, tokenizer):
    """At a stop token, at a text that some tokens write together, at the limit."""
    (free,) = ask(engine, ("a", PROMPTS[1], {"temperature": 0.0, "max_tokens": 12}))
    ids = free.token_ids
    text = tokenizer.decode(ids[2:4])
    by_token, by_text, by_limit = ask(
        engine,
        ("b", PROMPTS[1], {"temperature": 0.0, "max_tokens": 12, "stop_token_ids": [ids[3]]}),
        ("c", PROMPTS[1], {"temperature": 0.0, "max_tokens": 12, "stop": [text]}),
        ("d", PROMPTS[1], {"temperature": 0.0, "max_tokens": 5}),
    )
    first = ids.index(ids[3])
    assert by_token.token_ids == ids[: first + 1]
    assert text in tokenizer.decode(by_text.token_ids) and text not in tokenizer.decode(by_text.token_ids[:-1])
    assert by_limit.token_ids == ids[:5]


def test_truncated_sampling_is_refused(engine):
    with pytest.raises(ValueError, match="top_p"):
        ask(engine, ("a", PROMPTS[0], {"max_tokens": 2, "top_p": 0.9}))


def test_a_prompt_that_fills_the_context_is_refused(engine):
    with pytest.raises(ValueError, match="512"):
        ask(engine, ("a", [5] * 512, {"max_tokens": 2}))

"""The fakes that other tests build on: where the server cuts, what it scores, and whose turn it is on the clock."""

import asyncio
import dataclasses

import pytest

from mrt_verl.evaluation.engines import TokenOutput
from tests.fakes import END, FakeServer, Output, play, run_at_once, toy_tokenizer

WORDS = ("a", "b", " a", "\n", "\n\n", "</think>", "Wait")
TOKENIZER = toy_tokenizer(WORDS, added=("</think>",))


def ask(server, text="a", **params):
    return asyncio.run(
        server.generate(request_id="r", prompt_ids=TOKENIZER.encode(text), sampling_params={"max_tokens": 9, **params})
    )


def test_text_falls_into_the_longest_tokens_and_then_into_bytes():
    ids = TOKENIZER.encode("a a\n\nWait</think>\n é")
    assert ids[:6] == [WORDS.index(word) for word in ("a", " a", "\n\n", "Wait", "</think>", "\n")]
    assert len(ids) == 6 + 3  # a space and two bytes of one letter
    assert TOKENIZER.decode(ids) == "a a\n\nWait</think>\n é"
    assert TOKENIZER.decode(TOKENIZER.encode(f"a</think>{END}"), skip_special_tokens=True) == "a</think>"


def test_a_tokenizer_that_adds_a_start_does_so_unless_told_not_to():
    starting = toy_tokenizer(WORDS, adds_start=True)
    ids = TOKENIZER.encode("a b</think>")
    assert starting.encode("a b</think>", add_special_tokens=False) == ids
    assert starting.encode("a b</think>") == [starting.pad_token_id, *ids]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, f"ab\n\na{END}"),
        ({"max_tokens": 2}, "ab"),
        ({"stop": ["\n"]}, "ab\n\n"),  # with the token that completes it
        ({"stop": ["b\n"]}, "ab\n\n"),
        ({"stop_token_ids": [WORDS.index("b")]}, "ab"),
    ],
)
def test_what_is_written_ends_where_vllm_ends_it(params, text):
    output = ask(FakeServer(TOKENIZER, lambda _: f"ab\n\na{END}b"), **params)
    assert TOKENIZER.decode(output.token_ids) == text
    assert output.log_probs is None


def test_a_scored_prompt_agrees_with_the_sampled_answer_where_it_was_computed():
    server = FakeServer(TOKENIZER, lambda _: "ba", cached=lambda request: len(request.prompt_ids) - 2)
    sampled = ask(server, "a\n", logprobs=True).log_probs
    assert len(sampled) == 2 and all(-1.5 <= log_prob < 0 for log_prob in sampled) and len(set(sampled)) == 2
    cached = ask(server, "a\nba", prompt_logprobs=0).extra_fields
    assert cached["num_cached_tokens"] == 2
    assert cached["prompt_logprobs"] == [[9.0], [9.0], [sampled[1]], [0.0]]
    computed = ask(server, "a\nba", prompt_logprobs=0, skip_reading_prefix_cache=True).extra_fields
    assert computed["prompt_logprobs"][1:] == [[sampled[0]], [sampled[1]], [0.0]]


def test_a_script_is_played_and_every_request_is_kept():
    made = Output([1, 2, 3], [-1.0] * 3)
    server = FakeServer(TOKENIZER, play("a", [1], made, RuntimeError("engine died")))
    params = {"max_tokens": 1}
    for expected in ([0], [1], made.token_ids):
        assert ask(server, "b", **params).token_ids == expected
    with pytest.raises(RuntimeError, match="engine died"):
        ask(server, "b", max_tokens=2)
    assert [(request.text, request.nth) for request in server.requests] == [("b", 0), ("b", 1), ("b", 2), ("b", 0)]
    assert len({request.key for request in server.requests}) == 2


def test_an_output_has_all_that_the_evaluations_engines_return():
    assert dataclasses.asdict(TokenOutput([1])) == dataclasses.asdict(Output([1]))


def test_a_closed_server_says_so():
    server = FakeServer(TOKENIZER, play())
    assert not server.is_closed
    asyncio.run(server.close())
    assert server.is_closed


def test_settings_are_taken_out_of_the_dict():
    params = {"max_tokens": 1}
    asyncio.run(FakeServer(TOKENIZER, play("a")).generate(request_id="r", prompt_ids=[0], sampling_params=params))
    assert params == {}


def test_hours_pass_at_once_and_in_order():
    async def late(seconds):
        await asyncio.sleep(seconds)
        return asyncio.get_running_loop().time()

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.sleep(7200)
        done = [await one for one in asyncio.as_completed([late(30.0), late(10.0), late(20.0)])]
        return [*done, await asyncio.get_running_loop().run_in_executor(None, lambda: "in place")]

    assert run_at_once(main()) == [3610.0, 3620.0, 3630.0, "in place"]

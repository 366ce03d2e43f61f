"""Traces that grow in pieces: hand-checked masks of every kind of inserted text."""

import asyncio

import pytest

from mrt_verl.insertions import Backtrack, BudgetForcing, load_policy
from mrt_verl.trace import Trace, TraceSampler
from tests.builders import default_settings
from tests.fakes import FakeServer, Output, play, toy_tokenizer

CLOSE = "</think>"
WORDS = ("\n", "\n\n", CLOSE, "Wait", *"abcdQ", "no", "Step", " 1", " 2", " 3", ":", "Back", " to", ".")
TOKENIZER = toy_tokenizer(WORDS)
PARAMS = {"temperature": 1.0, "logprobs": True}


def serve(*pieces):
    """A server that writes one piece after the other."""
    return FakeServer(TOKENIZER, play(*pieces))


def sample(server, *, length=40, policy=None, estimate_j=None, start="", min_left=2):
    trace = Trace()
    if start:
        trace.add_written(TOKENIZER.encode(start))
    sampler = TraceSampler(server, TOKENIZER, response_length=length, think_close=CLOSE, min_left=min_left)
    prompt = TOKENIZER.encode("Q")
    asyncio.run(sampler.sample(trace, prompt, PARAMS, "r", policy=policy, estimate_j=estimate_j))
    assert len(trace.ids) == len(trace.mask) == len(trace.log_probs) <= length
    whole = [*prompt, *trace.ids]
    log_probs = [server.log_prob(whole[:end], whole[end]) for end in range(len(prompt), len(whole))]
    assert trace.log_probs == [value if mask else 0 for value, mask in zip(log_probs, trace.mask, strict=True)]
    return trace


def shown(trace):
    """The text, what was not sampled in brackets."""
    texts = [TOKENIZER.decode([token]) for token in trace.ids]
    pieces = [text if mask else f"[{text}]" for text, mask in zip(texts, trace.mask, strict=True)]
    return "".join(pieces).replace("][", "")


def budget_forcing(**changes):
    return BudgetForcing(default_settings(insert_texts=["Wait", "no"], **changes))


def test_without_a_policy_one_request_does_it():
    server = serve("ab</think>c<|im_end|>")
    assert shown(sample(server)) == "ab</think>c<|im_end|>"
    (request,) = server.requests
    assert (request.request_id, request.text, request.params) == ("r", "Q", {**PARAMS, "max_tokens": 40})


def test_budget_forcing_takes_the_place_of_the_close_in_rotation():
    server = serve("ab</think>", "c\n</think>", "d\n\n</think>", "a<|im_end|>")
    trace = sample(server, policy=budget_forcing(insert_max=2))
    # a line break that was sampled becomes the blank line, which is one token; the third close stays, then the answer
    assert shown(trace) == "ab[\n\nWait]c[\n\nno]d\n\n</think>a<|im_end|>"
    assert trace.inserted == [(2, 4), (5, 7)]
    assert [request.text for request in server.requests] == [
        "Q",
        "Qab\n\nWait",
        "Qab\n\nWaitc\n\nno",
        "Qab\n\nWaitc\n\nnod\n\n</think>",
    ]
    assert [request.params["max_tokens"] for request in server.requests] == [40, 36, 33, 30]
    assert [request.params.get("stop_token_ids") for request in server.requests] == [[2], [2], [2], None]


def test_a_sentence_and_its_blank_line_become_the_token_that_a_model_writes_there():
    tokenizer = toy_tokenizer((*WORDS, ".\n\n", ".\n"))
    end = tokenizer.encode(".\n</think>")
    server = FakeServer(tokenizer, play(tokenizer.encode("a") + end, "b" + CLOSE, "c<|im_end|>"))
    sampler = TraceSampler(server, tokenizer, response_length=40, think_close=CLOSE, min_left=2)
    trace = asyncio.run(sampler.sample(Trace(), [0], PARAMS, "r", policy=budget_forcing(insert_max=1)))
    assert tokenizer.convert_ids_to_tokens(trace.ids[:4]) == ["a", ".ĊĊ", "Wait", "b"]
    # the sentence's end was written with the blank line, but is none of the new episode
    assert (trace.mask[:4], trace.inserted) == ([1, 0, 0, 1], [(2, 3)])
    assert len(trace.log_probs) == len(trace.ids)


def test_an_insertion_whose_end_is_rewritten_keeps_its_place():
    tokenizer = toy_tokenizer((*WORDS, ".\n\n"))
    server = FakeServer(tokenizer, play("a" + CLOSE, CLOSE, "c<|im_end|>"))
    sampler = TraceSampler(server, tokenizer, response_length=40, think_close=CLOSE, min_left=2)
    policy = BudgetForcing(default_settings(insert_texts=["no.", "Wait"], insert_max=2))
    trace = asyncio.run(sampler.sample(Trace(), [0], PARAMS, "r", policy=policy))
    texts = [tokenizer.decode(trace.ids[start:end]) for start, end in trace.inserted]
    assert (texts, trace.inserted) == (["\n\nno.\n\n", "Wait"], [(1, 4), (4, 5)])


class TestTagOfSeveralTokens:
    """A close tag that is plain text to the tokenizer: found whole, whatever it is merged with."""

    tokenizer = toy_tokenizer((*"abcx", "\n\n", "</", "think", ">", ">\n\n", ".</", ".", "Wait", " >"), added=())

    def sample(self, *pieces, **changes):
        server = FakeServer(self.tokenizer, play(*pieces))
        sampler = TraceSampler(server, self.tokenizer, response_length=40, think_close=CLOSE, min_left=2)
        policy = BudgetForcing(default_settings(insert_texts=["Wait"], insert_max=1, **changes))
        trace = asyncio.run(sampler.sample(Trace(), [0], PARAMS, "r", policy=policy))
        return server, trace, self.tokenizer.decode(trace.ids)

    def test_an_insertion_takes_its_place(self):
        server, trace, text = self.sample("ab" + CLOSE, "c<|im_end|>")
        assert (text, trace.mask) == ("ab\n\nWaitc<|im_end|>", [1, 1, 0, 0, 1, 1])
        assert (server.requests[0].params["stop"], "stop_token_ids" in server.requests[0].params) == ([CLOSE], False)

    def test_what_its_tokens_hold_beside_it_stays(self):
        _, _, text = self.sample("ab.</think>\n\n", "c<|im_end|>")
        assert text == "ab.\n\nWaitc<|im_end|>"

    def test_one_of_its_tokens_closes_nothing(self):
        _, _, text = self.sample("a > b" + CLOSE, "c<|im_end|>")
        assert text == "a > b\n\nWaitc<|im_end|>"

    def test_a_tag_across_two_pieces_with_text_after_it_stays(self):
        server, _, text = self.sample("ab</", "think>x\n\n", "c<|im_end|>", insert_every=3)
        assert text == "ab</think>x\n\nc<|im_end|>"
        assert [sorted(request.params.get("stop", ())) for request in server.requests] == [[CLOSE], ["\n\n", CLOSE], []]


def test_every_k_tokens_at_the_end_of_the_paragraph():
    server = serve("abc", "d\n\n", "a</think>", "b<|im_end|>")
    trace = sample(server, policy=budget_forcing(insert_max=1, insert_every=3))
    assert shown(trace) == "abcd\n\n[Wait]a</think>b<|im_end|>"
    assert server.requests[1].params["stop"] == ["\n\n"]


def test_only_while_budget_is_left():
    server = serve("abcd</think>", "a<|im_end|>")
    trace = sample(server, policy=budget_forcing(), length=8, min_left=3)  # 4 + 2 inserted + 3 > 8
    assert shown(trace) == "abcd</think>a<|im_end|>"
    assert (
        shown(sample(serve("abcd</think>", "ab"), policy=budget_forcing(), length=8, min_left=2)) == "abcd[\n\nWait]ab"
    )


def test_a_model_that_ends_without_closing_is_left_alone():
    assert shown(sample(serve("ab<|im_end|>"), policy=budget_forcing())) == "ab<|im_end|>"
    assert shown(sample(serve(""), policy=budget_forcing())) == ""


@pytest.mark.parametrize("end", ["<|endoftext|>", "<|im_end|>"])
def test_a_piece_that_its_engine_ends_is_the_end_of_the_trace(end):
    """Also at another end token than the tokenizer's, as a generation config with several has it."""
    ids = TOKENIZER.encode("ab" + end)
    server = serve(Output(ids, [-1.0] * len(ids)))
    sampler = TraceSampler(server, TOKENIZER, response_length=40, think_close=CLOSE, min_left=2)
    policy = budget_forcing(insert_max=2, insert_every=5)
    trace = asyncio.run(sampler.sample(Trace(), TOKENIZER.encode("Q"), PARAMS, "r", policy=policy))
    assert (shown(trace), len(server.requests)) == ("ab" + end, 1)


@pytest.mark.parametrize("rest", ["d<|im_end|>", "d\n\n<|im_end|>"])
def test_nothing_is_written_after_an_end_that_finished_the_paragraph(rest):
    ids = TOKENIZER.encode(rest)
    server = serve("abc", Output(ids, [-1.0] * len(ids)))
    sampler = TraceSampler(server, TOKENIZER, response_length=40, think_close=CLOSE, min_left=2)
    policy = budget_forcing(insert_max=1, insert_every=3)
    trace = asyncio.run(sampler.sample(Trace(), TOKENIZER.encode("Q"), PARAMS, "r", policy=policy))
    assert (shown(trace), len(server.requests)) == ("abc" + rest, 2)


def test_a_written_prefix_is_not_trained():
    trace = sample(serve("c</think>a<|im_end|>"), start="ab\n\n")
    assert shown(trace) == "[ab\n\n]c</think>a<|im_end|>"
    assert trace.inserted == []  # a prefix opens no episode


BACKTRACK = {"backtrack_text": "Back to {step}.\n\nStep {step}:", "step_pattern": "Step (\\d)", "insert_max": 1}
ATTEMPT = "Step 1:a\n\nStep 2:b\n\nStep 3:c"


class Forced:
    """J by the text that a prefix ends in; 0 after every other."""

    def __init__(self, js):
        self.js, self.asked = js, []

    async def __call__(self, ids):
        self.asked.append(TOKENIZER.decode(ids).removesuffix("</think>"))  # it is asked from the close where it closed
        return next((j for end, j in self.js.items() if self.asked[-1].endswith(end)), 0.0)


def backtrack(forced, *pieces, **settings):
    return sample(serve(*pieces), policy=Backtrack(default_settings(**BACKTRACK, **settings)), estimate_j=forced)


def test_backtrack_names_the_step_where_success_is_likeliest():
    # after steps 1 and 2: going back to 2 or to 3 may succeed, the later keeps more
    forced = Forced({"b\n\n": 0.4, "a\n\n": 0.4})
    trace = backtrack(forced, ATTEMPT + CLOSE, "d</think>", "a<|im_end|>")
    assert shown(trace) == ATTEMPT + "[\n\nBack to 3.\n\nStep 3:]d</think>a<|im_end|>"
    assert forced.asked == [ATTEMPT, "", "Step 1:a\n\n", "Step 1:a\n\nStep 2:b\n\n"]


def test_backtrack_without_any_chance_starts_anew():
    trace = backtrack(Forced({}), ATTEMPT + CLOSE, "d</think>", "a<|im_end|>")
    assert shown(trace) == ATTEMPT + "[\n\nBack to 1.\n\nStep 1:]d</think>a<|im_end|>"


def test_backtrack_prefers_the_likelier_step():
    trace = backtrack(Forced({"b\n\n": 0.3, "a\n\n": 0.4}), ATTEMPT + CLOSE, "d</think>", "a<|im_end|>")
    assert "[\n\nBack to 2." in shown(trace)


def test_backtrack_asks_no_more_steps_than_boundaries_are_branched():
    forced = Forced({})
    backtrack(forced, ATTEMPT + CLOSE, "d</think>", "a<|im_end|>", max_episodes=2)
    assert forced.asked == [ATTEMPT, "", "Step 1:a\n\nStep 2:b\n\n"]


def test_backtrack_does_nothing_where_the_end_could_not_be_judged():
    assert shown(backtrack(Forced({"c": None}), ATTEMPT + CLOSE, "a<|im_end|>")) == ATTEMPT + "</think>a<|im_end|>"


def test_backtrack_leaves_right_answers_and_validation_alone():
    right = Forced({"c": 0.6})
    assert shown(backtrack(right, ATTEMPT + CLOSE, "a<|im_end|>")) == ATTEMPT + "</think>a<|im_end|>"
    assert right.asked == [ATTEMPT]
    assert shown(backtrack(None, ATTEMPT + CLOSE, "a<|im_end|>")) == ATTEMPT + "</think>a<|im_end|>"


def test_backtrack_goes_back_within_the_last_attempt():
    again = ATTEMPT + "\n\nBack to 2.\n\nStep 2:d"
    forced = Forced({"2.\n\n": 1.0})
    trace = backtrack(forced, again + CLOSE, "a</think>", "b<|im_end|>")
    assert shown(trace) == again + "[\n\nBack to 2.\n\nStep 2:]a</think>b<|im_end|>"
    assert forced.asked == [again, ATTEMPT + "\n\nBack to 2.\n\n"]


class AskTwice:
    pause_every = None

    def __init__(self, settings):
        pass

    async def insert(self, pause):
        return "no" if not pause.inserted else None


def test_a_policy_of_ones_own():
    policy = load_policy(default_settings(insertion=f"{__name__}:AskTwice"))
    trace = sample(serve("a</think>", "b</think>", "c<|im_end|>"), policy=policy)
    assert shown(trace) == "a[\n\nno]b</think>c<|im_end|>"


@pytest.mark.parametrize("name", ["nothing", "no.such.module:Kind", "math:Kind"])
def test_an_unknown_policy(name):
    with pytest.raises(ValueError, match=r"mrt\.insertion='.*allowed: null, budget_forcing, backtrack, or package"):
        load_policy(default_settings(insertion=name))

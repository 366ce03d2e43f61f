"""Traces that grow in pieces: hand-checked masks of every kind of inserted text."""

import asyncio
from dataclasses import dataclass, field

import pytest

from mrt_verl.insertions import Backtrack, BudgetForcing, load_policy
from mrt_verl.trace import Trace, TraceSampler
from tests.builders import default_settings

CLOSE, END = "</think>", "<end>"
WORDS = ["\n", "\n\n", CLOSE, END, "Wait", "a", "b", "c", "d", "no", "Step", " 1", " 2", " 3", ":", "Back", " to", "."]


@dataclass
class Output:
    token_ids: list[int]
    log_probs: list[float] | None
    extra_fields: dict = field(default_factory=dict)
    num_preempted: int | None = None


class Tokenizer:
    """Words as tokens; the longest first, as text falls into them."""

    eos_token_id = WORDS.index(END)

    def encode(self, text, add_special_tokens=False):
        ids = []
        while text:
            word = max((word for word in WORDS if text.startswith(word)), key=len)
            ids.append(WORDS.index(word))
            text = text[len(word) :]
        return ids

    def decode(self, ids, **_):
        return "".join(WORDS[i] for i in ids)

    def batch_decode(self, lists, **_):
        return [self.decode(ids) for ids in lists]

    def get_vocab(self):
        return {word: i for i, word in enumerate(WORDS)}

    def __len__(self):
        return len(WORDS)


TOKENIZER = Tokenizer()


class Server:
    """Plays scripted pieces, cut at `max_tokens`; every piece must continue what the trace holds."""

    def __init__(self, *pieces):
        self.pieces, self.calls = list(pieces), []

    async def generate(self, *, request_id, prompt_ids, sampling_params):
        self.calls.append((request_id, TOKENIZER.decode(prompt_ids[1:]), dict(sampling_params)))
        ids = TOKENIZER.encode(self.pieces.pop(0))
        assert len(ids) <= sampling_params["max_tokens"]
        sampling_params.clear()
        return Output(ids, [-1.0] * len(ids))


def sample(server, *, length=40, policy=None, estimate_j=None, start="", min_left=2):
    trace = Trace()
    if start:
        trace.add_written(TOKENIZER.encode(start))
    sampler = TraceSampler(server, TOKENIZER, response_length=length, close_ids=[WORDS.index(CLOSE)], min_left=min_left)
    asyncio.run(sampler.sample(trace, [99], {"temperature": 1.0}, "r", policy=policy, estimate_j=estimate_j))
    assert len(trace.ids) == len(trace.mask) == len(trace.log_probs) <= length
    assert [bool(mask) for mask in trace.mask] == [log_prob != 0 for log_prob in trace.log_probs]
    return trace


def shown(trace):
    """The text, what was not sampled in brackets."""
    pieces = [f"[{WORDS[i]}]" if not mask else WORDS[i] for i, mask in zip(trace.ids, trace.mask, strict=True)]
    return "".join(pieces).replace("][", "")


def budget_forcing(**changes):
    return BudgetForcing(default_settings(insert_texts=["Wait", "no"], **changes))


def test_without_a_policy_one_request_does_it():
    server = Server("ab</think>c<end>")
    assert shown(sample(server)) == "ab</think>c<end>"
    assert server.calls == [("r", "", {"temperature": 1.0, "max_tokens": 40})]


def test_budget_forcing_takes_the_place_of_the_close_in_rotation():
    server = Server("ab</think>", "c\n</think>", "d\n\n</think>", "a<end>")
    trace = sample(server, policy=budget_forcing(insert_max=2))
    # a blank line is completed, not doubled; the third close stays and the answer follows it
    assert shown(trace) == "ab[\n\nWait]c\n[\nno]d\n\n</think>a<end>"
    assert trace.inserted == [(2, 4), (6, 8)]
    assert [text for _, text, _ in server.calls] == [
        "",
        "ab\n\nWait",
        "ab\n\nWaitc\n\nno",
        "ab\n\nWaitc\n\nnod\n\n</think>",
    ]
    assert [params["max_tokens"] for *_, params in server.calls] == [40, 36, 32, 29]
    assert [params.get("stop_token_ids") for *_, params in server.calls] == [[2], [2], [2], None]


def test_every_k_tokens_at_the_end_of_the_paragraph():
    server = Server("abc", "d\n\n", "a</think>", "b<end>")
    trace = sample(server, policy=budget_forcing(insert_max=1, insert_every=3))
    assert shown(trace) == "abcd\n\n[Wait]a</think>b<end>"
    assert server.calls[1][2]["stop"] == ["\n\n"]


def test_only_while_budget_is_left():
    server = Server("abcd</think>", "a<end>")
    trace = sample(server, policy=budget_forcing(), length=8, min_left=3)  # 4 + 2 inserted + 3 > 8
    assert shown(trace) == "abcd</think>a<end>"
    assert (
        shown(sample(Server("abcd</think>", "ab"), policy=budget_forcing(), length=8, min_left=2)) == "abcd[\n\nWait]ab"
    )


def test_a_model_that_ends_without_closing_is_left_alone():
    assert shown(sample(Server("ab<end>"), policy=budget_forcing())) == "ab<end>"
    assert shown(sample(Server(""), policy=budget_forcing())) == ""


def test_a_written_prefix_is_not_trained():
    trace = sample(Server("c</think>a<end>"), start="ab\n\n")
    assert shown(trace) == "[ab\n\n]c</think>a<end>"
    assert trace.inserted == []  # a prefix opens no episode


BACKTRACK = {"backtrack_text": "Back to {step}.\n\nStep {step}:", "step_pattern": "Step (\\d)", "insert_max": 1}
ATTEMPT = "Step 1:a\n\nStep 2:b\n\nStep 3:c"


class Forced:
    """J by the text that a prefix ends in; 0 behind every other."""

    def __init__(self, js):
        self.js, self.asked = js, []

    async def __call__(self, ids):
        self.asked.append(TOKENIZER.decode(ids))
        return next((j for end, j in self.js.items() if self.asked[-1].endswith(end)), 0.0)


def backtrack(forced, *pieces, **settings):
    return sample(Server(*pieces), policy=Backtrack(default_settings(**BACKTRACK, **settings)), estimate_j=forced)


def test_backtrack_names_the_step_where_success_is_likeliest():
    # behind steps 1 and 2: going back to 2 or to 3 may succeed, the later keeps more
    forced = Forced({"b\n\n": 0.4, "a\n\n": 0.4})
    trace = backtrack(forced, ATTEMPT + CLOSE, "d</think>", "a<end>")
    assert shown(trace) == ATTEMPT + "[\n\nBack to 3.\n\nStep 3:]d</think>a<end>"
    assert forced.asked == [ATTEMPT, "", "Step 1:a\n\n", "Step 1:a\n\nStep 2:b\n\n"]


def test_backtrack_without_any_chance_starts_anew():
    trace = backtrack(Forced({}), ATTEMPT + CLOSE, "d</think>", "a<end>")
    assert shown(trace) == ATTEMPT + "[\n\nBack to 1.\n\nStep 1:]d</think>a<end>"


def test_backtrack_prefers_the_likelier_step():
    trace = backtrack(Forced({"b\n\n": 0.3, "a\n\n": 0.4}), ATTEMPT + CLOSE, "d</think>", "a<end>")
    assert "[\n\nBack to 2." in shown(trace)


def test_backtrack_asks_no_more_steps_than_boundaries_are_branched():
    forced = Forced({})
    backtrack(forced, ATTEMPT + CLOSE, "d</think>", "a<end>", max_episodes=2)
    assert forced.asked == [ATTEMPT, "", "Step 1:a\n\nStep 2:b\n\n"]


def test_backtrack_does_nothing_where_the_end_could_not_be_judged():
    assert shown(backtrack(Forced({"c": None}), ATTEMPT + CLOSE, "a<end>")) == ATTEMPT + "</think>a<end>"


def test_backtrack_leaves_right_answers_and_validation_alone():
    right = Forced({"c": 0.6})
    assert shown(backtrack(right, ATTEMPT + CLOSE, "a<end>")) == ATTEMPT + "</think>a<end>"
    assert right.asked == [ATTEMPT]
    assert shown(backtrack(None, ATTEMPT + CLOSE, "a<end>")) == ATTEMPT + "</think>a<end>"


def test_backtrack_goes_back_within_the_last_attempt():
    again = ATTEMPT + "\n\nBack to 2.\n\nStep 2:d"
    forced = Forced({"2.\n\n": 1.0})
    trace = backtrack(forced, again + CLOSE, "a</think>", "b<end>")
    assert shown(trace) == again + "[\n\nBack to 2.\n\nStep 2:]a</think>b<end>"
    assert forced.asked == [again, ATTEMPT + "\n\nBack to 2.\n\n"]


class AskTwice:
    pause_every = None

    def __init__(self, settings):
        pass

    async def insert(self, pause):
        return "no" if not pause.inserted else None


def test_a_policy_of_ones_own():
    policy = load_policy(default_settings(insertion=f"{__name__}:AskTwice"))
    assert shown(sample(Server("a</think>", "b</think>", "c<end>"), policy=policy)) == "a[\n\nno]b</think>c<end>"


@pytest.mark.parametrize("name", ["nothing", "no.such.module:Kind", "math:Kind"])
def test_an_unknown_policy(name):
    with pytest.raises(ValueError, match=r"mrt\.insertion='.*allowed: null, budget_forcing, backtrack, or package"):
        load_policy(default_settings(insertion=name))

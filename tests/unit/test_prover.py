"""The meta-prover against a server that misbehaves."""

import asyncio
from dataclasses import dataclass, field

import pytest

from mrt_verl.prover import ForcedAnswer, MetaProver
from tests.builders import default_settings

OWN = {"stop_text": "stop", "branch_max_tokens": 3, "branch_stop": ["\n"], "branch_timeout_s": 0.05}
SETTINGS = default_settings(**OWN)
EOS = 9


@dataclass
class Output:
    token_ids: list[int]
    extra_fields: dict = field(default_factory=lambda: {"num_cached_tokens": 2})


class Tokenizer:
    eos_token_id = EOS

    def encode(self, text, add_special_tokens=True):
        assert text == "stop" and not add_special_tokens
        return [7, 8]

    def decode(self, ids, skip_special_tokens=False):
        return "".join(map(str, (i for i in ids if not (skip_special_tokens and i == EOS))))


class Server:
    """Plays one scripted answer a call: token ids, an exception to raise, or seconds to sleep."""

    def __init__(self, *script):
        self.script = list(script)
        self.calls = []

    async def generate(self, *, request_id, prompt_ids, sampling_params):
        self.calls.append((request_id, prompt_ids, dict(sampling_params)))
        sampling_params.clear()  # verl's server takes settings out of the dict
        act = self.script.pop(0)
        if isinstance(act, float):
            await asyncio.sleep(act)
            return Output([1])
        if isinstance(act, Exception):
            raise act
        return Output(act)


def branch(server, count, params=None, settings=SETTINGS):
    prover = MetaProver(server, Tokenizer(), settings)
    return asyncio.run(
        prover.branch([1, 2, 3], count=count, sampling_params=params or {"temperature": 0.9}, request_id="r")
    )


def test_token_ids_are_concatenated_and_params_are_the_traces():
    server, params = Server([4], [5]), {"temperature": 0.9, "top_p": 1.0, "logprobs": True}
    branches = branch(server, 2, params)
    assert [call[:2] for call in server.calls] == [("r", [1, 2, 3, 7, 8])] * 2
    expected = {"temperature": 0.9, "top_p": 1.0, "logprobs": False, "max_tokens": 3, "stop": ["\n"]}
    assert [call[2] for call in server.calls] == [expected] * 2
    assert params == {"temperature": 0.9, "top_p": 1.0, "logprobs": True}  # shared by all rollouts of the prompt
    assert (branches.tokens, branches.prompt_tokens, branches.cached_tokens, branches.failures) == (2, 10, 4, 0)


def test_own_temperature():
    server = Server([4])
    branch(server, 1, settings=default_settings(**OWN, branch_temperature=0.5))
    assert server.calls[0][2]["temperature"] == 0.5


def test_an_answer_cut_by_the_token_limit_is_not_finished():
    branches = branch(Server([4, 5, 6], [4, 5, EOS], [4]), 3)
    assert branches.answers == (ForcedAnswer("456", False), ForcedAnswer("45", True), ForcedAnswer("4", True))


@pytest.mark.parametrize("trouble", [RuntimeError("engine died"), 1.0, []], ids=["raises", "hangs", "returns nothing"])
def test_a_branch_that_fails_is_counted_and_left_out(trouble):
    branches = branch(Server([4], trouble, [5]), 3)
    assert [answer.text for answer in branches.answers] == ["4", "5"]
    assert branches.failures == 1
    assert branches.prompt_tokens == 10


def test_all_branches_fail():
    branches = branch(Server(*[ValueError("prompt too long")] * 4), 4)
    assert branches.answers == ()
    assert (branches.failures, branches.tokens, branches.prompt_tokens) == (4, 0, 0)

"""`mrt.seed`: requests that must differ have other seeds, and a run that is repeated has the same."""

import asyncio

from mrt_verl.rollout import Rollout
from mrt_verl.settings import MRTSettings
from tests.fakes import FakeServer, toy_tokenizer

TOKENIZER = toy_tokenizer()
PROMPT = TOKENIZER.encode("take 3 and 7", add_special_tokens=False)


def seeds(seed, *, rollouts=2, branches=4, purpose="rollout {}"):
    """The seeds of all traces, and of the forced answers after the prompt."""
    server = FakeServer(TOKENIZER, lambda request: "10}")
    settings = MRTSettings(seed=seed, branches=branches)
    rollout = Rollout(server, TOKENIZER, settings, response_tokens=20)

    async def run():
        for number in range(rollouts):
            await rollout.sample(PROMPT, {"temperature": 1.0}, "r", purpose=purpose.format(number))
        await rollout.prover.branch(PROMPT, count=branches, sampling_params={"temperature": 1.0}, request_id="r")

    asyncio.run(run())
    found = [request.params.get("seed") for request in server.requests]
    return found[:rollouts], found[rollouts:]


def test_rollouts_and_answers_of_one_prompt_have_seeds_of_their_own():
    traces, answers = seeds(7)
    assert len({*traces, *answers}) == 2 + 4
    assert all(0 <= one < 2**31 for one in (*traces, *answers))


def test_a_run_repeats_itself_and_another_seed_is_another_run():
    assert seeds(7) == seeds(7)
    assert not {*seeds(7)[1]} & {*seeds(8)[1]}


def test_without_a_seed_it_is_the_engines_business():
    assert seeds(None) == ([None, None], [None] * 4)

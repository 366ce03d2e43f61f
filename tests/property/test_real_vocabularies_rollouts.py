"""Rollouts on real vocabularies: where a backtrack goes, and what prefix mode one_episode samples."""

import itertools

import pytest

from mrt_verl.prefix.episode import EpisodeSampler
from mrt_verl.rollout import Rollout
from mrt_verl.settings import MRTSettings
from mrt_verl.trace import Trace
from tests.fakes import FakeServer, Request, run_at_once
from tests.vocabularies import Vocabulary

pytestmark = pytest.mark.long
PARAMS = {"temperature": 1.0, "logprobs": True}
LONG = "Then a very long paragraph goes on and on about all the numbers that there are. " * 4
TEXTS = {
    "paragraphs": ("First I try to add three and four.\n\n", LONG + "\n\nSo it is seven."),
    "steps": ("Step 1: add them.\n\n3.14 is no number here.\n\n", f"Step 2: {LONG}\n\nStep 3: done."),
    "markers": ("Let me see.\n\nWaitress numbers are three and four.\n\n", f"Wait, no. {LONG}\n\nWait, yes."),
}
"""Of `mrt.episodes`: the first episode, and what goes on after it."""
DROPPED = {"paragraphs": 2, "steps": 14, "markers": 3}
"""Most tokens that may be sampled in vain to see that an episode is over."""


def rollout_of(vocabulary: Vocabulary, write, **settings) -> tuple[Rollout, FakeServer]:
    server = FakeServer(vocabulary.tokenizer, write)
    return Rollout(server, vocabulary.tokenizer, MRTSettings(**settings), response_tokens=400), server


def one_episode(vocabulary: Vocabulary, text: str | list[int], **settings) -> tuple[list[int], int, FakeServer]:
    """(tokens kept, tokens dropped, the server) of an episode of a model that writes the text after <think>."""
    prompt = vocabulary.prompt(opening="<think>\n")
    ids = vocabulary.encode(text) if isinstance(text, str) else text

    def write(request: Request) -> list[int]:
        return ids[len(request.prompt_ids) - len(prompt) :]

    own = {"prover": "sample", "variant": "prefix", "min_steps": 1, "min_episode_tokens": 0, "markers": ("Wait",)}
    rollout, server = rollout_of(vocabulary, write, **own, **settings)
    trace = Trace()
    sampling = EpisodeSampler(rollout).sample(prompt, PARAMS, "r", trace, purpose="x")
    return trace.ids, run_at_once(sampling), server


@pytest.mark.parametrize("kind", TEXTS)
def test_one_episode_and_hardly_a_token_of_the_next(vocabulary, kind):
    first, rest = TEXTS[kind]
    kept, dropped, _ = one_episode(vocabulary, f"{first}{rest}</think>", episodes=kind)
    assert vocabulary.tokenizer.decode(kept) == first
    assert 1 <= dropped <= DROPPED[kind]


def test_one_episode_of_a_number_of_tokens(vocabulary):
    kept, dropped, server = one_episode(vocabulary, LONG, episodes="tokens:16")
    assert (kept, dropped) == (vocabulary.encode(LONG)[:16], 1)
    assert [request.params["max_tokens"] for request in server.requests] == [16, 1]


def test_an_episode_ends_with_the_sequence(vocabulary):
    """The end of the sequence may be the very token after which a piece is looked at: nothing is sampled after it."""
    ids = vocabulary.encode(LONG)[:15]
    kept, dropped, server = one_episode(vocabulary, [*ids, vocabulary.tokenizer.eos_token_id], episodes="tokens:16")
    assert (kept, dropped, len(server.requests)) == (ids, 1, 1)


@pytest.mark.parametrize("opening", ["", "<think>\n"])
def test_a_backtrack_may_go_to_the_first_step(vocabulary, opening):
    """Whether the prompt or the policy writes the tag that opens the thinking, which is no part of the first step."""
    count = itertools.count()
    written = "" if opening else "<think>\n"

    def write(request: Request) -> str:
        if next(count) == 0:
            return f"{written}Step 1: try 3 and 7.\n\nStep 2: so 10.\n</think>\n\n3"
        return " try 9.\n</think>\n\n7"

    rollout, _ = rollout_of(vocabulary, write, insertion="backtrack", insert_max=1, insert_min_left=1)
    asked: list[str] = []

    async def estimate_j(ids) -> float:
        asked.append(vocabulary.tokenizer.decode(list(ids)))
        return 0.0

    prompt = vocabulary.prompt(opening=opening)
    response = run_at_once(rollout.sample(prompt, PARAMS, "r", estimate_j=estimate_j))
    assert "Wait, let me go back to step 1.\n\nStep 1:" in vocabulary.tokenizer.decode(response.ids)
    assert asked[1:] == [written, f"{written}Step 1: try 3 and 7.\n\n"]

"""Texts written into traces on real vocabularies: insertions, prefixes, what templates open, tags and settings."""

import asyncio
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.traces import prefix_text
from mrt_verl.episodes import EpisodeSplitter
from mrt_verl.insertions import BudgetForcing
from mrt_verl.rollout import Rollout
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import HALF_CHARACTER, Tag, append, decode, encode_open, new_paragraph, paragraph_starts
from mrt_verl.trace import Trace, TraceSampler
from tests.builders import default_settings
from tests.fakes import FakeServer, play
from tests.vocabularies import TAGS, Vocabulary
from tests.vocabulary_traces import ENDS, GAPS, MARKERS, SENTENCES, sampled, written

pytestmark = pytest.mark.long
EXAMPLES = settings(deadline=None, max_examples=60)
INSERTED = ("Wait", "But let me double-check", "Alternatively", "等等", "Wait, back to step 2.\n\nStep 2:", "Is it so?")
FAMILIES = ("r1", "qwen3", "plain")


@pytest.fixture(scope="module")
def splitter(vocabulary):
    """One per vocabulary that splits at every marker."""
    return EpisodeSplitter(
        vocabulary.tokenizer, markers=MARKERS, think_open=TAGS[0], think_close=TAGS[1], min_steps=1, max_episodes=1000
    )


def blank_line(text: str) -> str:
    """The line breaks that a new paragraph after a text needs."""
    return "\n" * max(0, 2 - text[len(text.rstrip()) :].count("\n")) if text else ""


def sample(vocabulary: Vocabulary, *pieces: list[int], **changes) -> Trace:
    """A trace from the pieces that a server gives, under budget forcing."""
    server = FakeServer(vocabulary.tokenizer, play(*pieces))
    policy = BudgetForcing(MRTSettings(**changes))
    sampler = TraceSampler(server, vocabulary.tokenizer, response_length=5000, think_close=TAGS[1], min_left=1)
    return asyncio.run(sampler.sample(Trace(), vocabulary.prompt(), {"logprobs": True}, "r", policy=policy))


@EXAMPLES
@given(data=st.data(), text=st.sampled_from(INSERTED), end=st.sampled_from(["", "\n", "\n\n", ".", ".\n", ").\n"]))
def test_an_insertion_in_place_of_the_close(vocabulary, splitter, data, text, end):
    thinking = vocabulary.tokenizer.decode(data.draw(written(vocabulary.name))) + end
    pieces = [vocabulary.encode(piece) for piece in (thinking + TAGS[1], " so 7.\n" + TAGS[1], "\n\n7")]
    trace = sample(vocabulary, *pieces, insert_texts=(text,), insert_max=1)
    ((start, stop),) = trace.inserted
    whole = thinking + blank_line(thinking) + text
    assert decode(vocabulary.tokenizer, trace.ids[:stop]) == whole
    # the tokens that a model has learnt for this text, not those of its pieces
    assert trace.ids[:stop] == vocabulary.encode(whole)
    assert (trace.ids[stop:], set(trace.mask[stop:])) == ([*pieces[1], *pieces[2]], {1})
    # what the policy sampled is trained but for the few tokens that the close and the blank line took
    kept = trace.mask[:stop].index(0)
    assert not any(trace.mask[kept:stop])
    assert len(vocabulary.encode(thinking)) - kept <= 4
    assert not [value for value, mask in zip(trace.log_probs, trace.mask, strict=True) if value and not mask]
    split = splitter.split(trace.ids, thinking_open=True, inserted=trace.inserted)
    if thinking.strip():
        assert (start, stop) in {(episode.start, episode.marker_end) for episode in split.episodes[1:]}
    texts = (
        decode(vocabulary.tokenizer, trace.ids[at:stop]).lstrip()
        for at in paragraph_starts(vocabulary.tokenizer, trace.ids)
        if at < stop
    )
    assert any(one == text for one in texts)


@EXAMPLES
@given(data=st.data(), text=st.sampled_from(INSERTED))
def test_a_paragraph_after_any_tokens(vocabulary, data, text):
    ids = data.draw(sampled(vocabulary.name))
    before = decode(vocabulary.tokenizer, ids)
    kept, joint, own = new_paragraph(vocabulary.tokenizer, ids, text)
    assert 0 <= len(ids) - kept <= 4
    if not before.endswith(HALF_CHARACTER):
        assert decode(vocabulary.tokenizer, [*ids[:kept], *joint, *own]) == before + blank_line(before) + text
    starts = paragraph_starts(vocabulary.tokenizer, [*ids[:kept], *joint, *own])
    in_text = [at for at in starts if at >= kept + len(joint)]
    assert len(in_text) == len(text.split("\n\n"))


@EXAMPLES
@given(data=st.data(), text=st.tuples(*map(st.sampled_from, (GAPS, SENTENCES, ENDS))).map("".join))
def test_appended_text_has_the_tokens_of_the_whole(vocabulary, data, text):
    ids = data.draw(written(vocabulary.name))
    kept, tail = append(vocabulary.tokenizer, ids, text)
    whole = decode(vocabulary.tokenizer, ids) + text
    assert ids[:kept] + tail == vocabulary.encode(whole)


@EXAMPLES
@given(data=st.data())
def test_a_prefix_cut_from_a_trace_and_read_from_a_dataset(vocabulary, splitter, data):
    ids = data.draw(written(vocabulary.name))
    split = splitter.split(ids, thinking_open=True)
    texts = [vocabulary.tokenizer.decode(ids[episode.start : episode.end]) for episode in split.episodes]
    record = SimpleNamespace(
        response=vocabulary.tokenizer.decode(ids),
        episodes=[SimpleNamespace(start=one.start, text=text) for one, text in zip(split.episodes, texts, strict=True)],
    )
    for number, (episode, following) in enumerate(itertools.pairwise(split.episodes)):
        text = prefix_text(record, number, TAGS[0])
        assert text == vocabulary.tokenizer.decode(ids[: episode.end])
        again = encode_open(vocabulary.tokenizer, text)
        assert vocabulary.tokenizer.decode(again) == text
        # a space before the next word is a token's of that word, which the prefix has not got
        if vocabulary.tokenizer.decode(ids[following.start : following.start + 1])[:1].isalpha():
            assert again == ids[: episode.end]
        prefix = splitter.split(again, thinking_open=True).episodes
        assert len(prefix) == number + 1 and prefix[-1].end == len(again)


@pytest.mark.parametrize("opening", ["", "<think>", "<think>\n", "<think>\n\n</think>\n\n"])
@pytest.mark.parametrize("content", ["What is 3 + 4?", "What does <think> mean?", "<think>\n", "a </think> b"])
def test_the_prompt_of_j_before_thinking_ends_in_the_opening_tag(vocabulary, opening, content):
    rollout = Rollout(None, vocabulary.tokenizer, MRTSettings(), response_tokens=100)
    prompt = vocabulary.prompt(content, opening)
    text = decode(vocabulary.tokenizer, prompt)
    assert text.endswith(opening)
    is_open = opening in ("<think>", "<think>\n")
    assert rollout.splitter.is_thinking_open(prompt) == is_open
    before = rollout.before_thinking(prompt)
    # the prompt's tokens stay, whatever follows: the trace starts after them too
    assert before[: len(prompt)] == prompt
    assert decode(vocabulary.tokenizer, before) == text + TAGS[0] * (not is_open)
    if is_open or opening in vocabulary.openings:
        assert before == vocabulary.encode(text + TAGS[0] * (not is_open))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reward_model", ["mrt", "mrt_prefix", "mrt_backtrack"])
def test_texts_of_the_settings_survive_the_tokenizer(vocabulary, family, reward_model):
    node = default_settings(f"mrt_family={family}", reward_model=reward_model)
    texts = [*node.markers, *node.insert_texts, *node.stop_texts.values(), node.backtrack_marker]
    texts += [tag for tag in (node.think_open, node.think_close) if tag is not None]
    texts += [node.backtrack_text.replace("{step}", str(step)) for step in (1, 12)]
    for text in texts:
        assert decode(vocabulary.tokenizer, vocabulary.encode(text)) == text
    if node.think_close is not None:
        for text in node.stop_texts.values():
            ids = np.array(vocabulary.encode("So.\n\n" + text.lstrip("\n")))
            ((first, end),) = Tag(vocabulary.tokenizer, node.think_close).occurrences(ids)
            assert node.think_close in decode(vocabulary.tokenizer, ids[first:end])
            assert (end - first == 1) == vocabulary.tag_is_token

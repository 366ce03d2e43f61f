"""Splitting and rewards on the tokens of DeepSeek, Qwen3, Llama 3 and SmolLM2, against their plain text."""

import functools
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrt_verl.episodes import EpisodeSplit, EpisodeSplitter
from mrt_verl.reward_layout import bonus_spans, read_rewards, write_rewards
from tests.vocabularies import TAGS, Vocabulary, load_vocabulary
from tests.vocabulary_traces import MARKERS, PlainText, sampled, split_plainly, written

pytestmark = pytest.mark.long
EXAMPLES = settings(deadline=None, max_examples=60)
RULES = (
    {"min_episode_tokens": 0, "min_steps": 1, "max_episodes": 1000},
    {"min_episode_tokens": 6, "min_steps": 2, "max_episodes": 1000},
    {"min_episode_tokens": 3, "min_steps": 1, "max_episodes": 3},
    {"min_episode_tokens": 0, "min_steps": 3, "max_episodes": 2},
)


@functools.cache
def splitter_of(name: str, rules: int, has_tags: bool) -> EpisodeSplitter:
    """One per vocabulary and rules: its table takes a tenth of a second."""
    think_open, think_close = TAGS if has_tags else (None, None)
    return EpisodeSplitter(
        load_vocabulary(name).tokenizer,
        markers=MARKERS,
        think_open=think_open,
        think_close=think_close,
        **RULES[rules],
    )


def traces(vocabulary: Vocabulary, *, tags: bool = False) -> st.SearchStrategy[list[int]]:
    return st.one_of(written(vocabulary.name), sampled(vocabulary.name, tags=tags))


def shown(split: EpisodeSplit) -> list[tuple[int, int, int]]:
    return [(episode.start, episode.marker_end, episode.end) for episode in split.episodes]


def expected(vocabulary: Vocabulary, ids: list[int], start: int, end: int, rules: int) -> list[tuple[int, int, int]]:
    """The episodes that the text of tokens [start, end) shows."""
    plain = PlainText.of(vocabulary, ids[start:end])
    openings = split_plainly(plain, RULES[rules])
    ends = [*(first for first, _ in openings[1:]), end - start]
    rows = zip(openings, ends, strict=False)
    return [(first + start, min(marker_end, last) + start, last + start) for (first, marker_end), last in rows]


@EXAMPLES
@given(data=st.data(), rules=st.sampled_from(range(len(RULES))))
def test_episodes_are_those_of_the_whole_text(vocabulary, data, rules):
    ids = data.draw(traces(vocabulary))
    split = splitter_of(vocabulary.name, rules, False).split(ids, thinking_open=False)
    assert shown(split) == expected(vocabulary, ids, 0, len(ids), rules)
    assert (split.think_end, split.answer_start, split.closed) == (len(ids), 0, True)


@EXAMPLES
@given(data=st.data())
def test_every_marker_of_the_text_is_counted_once(vocabulary, data):
    parts = st.tuples(
        st.sampled_from([".", "?", ")", "。", " x", "$", ":"]), st.sampled_from(["\n\n", "\n\n\n", " \n\n"])
    )
    opened = data.draw(st.lists(st.tuples(st.sampled_from(MARKERS), parts), max_size=6))
    text = "So" + "".join(end + gap + marker for marker, (end, gap) in opened)
    ids = vocabulary.encode(text)
    split = splitter_of(vocabulary.name, 0, False).split(ids, thinking_open=False)
    assert split.markers == len(opened)
    texts = [vocabulary.tokenizer.decode(ids[episode.start : episode.marker_end]) for episode in split.episodes]
    found = [text.strip() for text in texts]
    assert found[0] == "" and len(found) == 1 + len(opened)
    # its last token may hold what follows it: "?." is one
    assert all(text.startswith(marker) for text, (marker, _) in zip(found[1:], opened, strict=True))


def find_tag(vocabulary: Vocabulary, ids: list[int], tag: str) -> tuple[int, int] | None:
    """Tokens [first, end) of a tag's first occurrence: its own token, or the ones that hold its text."""
    if vocabulary.tag_is_token:
        token = vocabulary.tokenizer.convert_tokens_to_ids(tag)
        return (ids.index(token), ids.index(token) + 1) if token in ids else None
    plain = PlainText.of(vocabulary, ids)
    at = plain.text.find(tag)
    return None if at < 0 else (plain.token_at(at), plain.end_of(at + len(tag)))


@EXAMPLES
@given(data=st.data(), thinking_open=st.booleans(), closes=st.booleans(), opens=st.booleans())
def test_tags_are_found_as_one_token_or_several(vocabulary, data, thinking_open, closes, opens):
    thinking, answer = data.draw(traces(vocabulary, tags=True)), data.draw(traces(vocabulary))
    opening, close = vocabulary.encode(TAGS[0] * opens), vocabulary.encode(data.draw(st.sampled_from(CLOSES)) * closes)
    ids = [*opening, *thinking, *close, *answer]
    opened, closed = (find_tag(vocabulary, ids, tag) for tag in TAGS)
    think_end, answer_start = closed or (len(ids), len(ids))
    start = 0 if thinking_open or closed else think_end
    if opened is not None and opened[0] < think_end:
        before = PlainText.of(vocabulary, ids[: opened[0]]).text
        if not before.strip() or not thinking_open:
            start = min(opened[1], think_end)
    split = splitter_of(vocabulary.name, 0, True).split(ids, thinking_open=thinking_open)
    assert (split.think_end, split.answer_start, split.closed) == (think_end, answer_start, closed is not None)
    assert shown(split) == expected(vocabulary, ids, start, think_end, 0)


CLOSES = ("</think>", "\n</think>\n\n", ".</think>\n\n", ").\n</think>", "</think>17")


@EXAMPLES
@given(data=st.data(), outcome=st.sampled_from([0.0, 1.0]), alpha=st.sampled_from([0.5, 1.0]))
def test_rewards_of_episodes_are_read_back_where_they_were_written(vocabulary, data, outcome, alpha):
    thinking, answer = data.draw(written(vocabulary.name)), data.draw(written(vocabulary.name))
    ids = [*thinking, *vocabulary.encode("\n</think>\n\n"), *answer, vocabulary.tokenizer.eos_token_id]
    split = splitter_of(vocabulary.name, 0, True).split(ids, thinking_open=True)
    js = [n / 8 for n in data.draw(st.lists(st.integers(0, 8), min_size=len(ids) + 1, max_size=len(ids) + 1))]
    progress = [after - before for before, after in itertools.pairwise(js[: len(split.episodes) + 1])]
    steps = [(number, number, value) for number, value in enumerate(progress)]
    spans = bonus_spans(shown(split), split.answer_start, steps)
    mask = [1] * len(ids)
    row = write_rewards(outcome=outcome, spans=spans, progress=progress, response_mask=mask, alpha=alpha)
    events = read_rewards(torch.from_numpy(row)[None], torch.tensor([mask]))
    assert events.outcome.item() == outcome
    # telescoping: all bonuses together are the progress from the prompt to the end of the thinking
    assert float(row.sum(dtype=np.float64)) == pytest.approx(outcome + alpha * sum(progress), abs=1e-5)
    found = list(zip(events.start[0].tolist(), events.end[0].tolist(), events.bonus[0].tolist(), strict=True))
    whole = [(span, alpha * value) for span, value in zip(spans, progress, strict=True) if span[1] > span[0]]
    # an episode that is all marker holds no token of its own: the one before it, else the one after it, has its bonus
    assert [(start, end) for start, end, _ in found] == [span for span, _ in whole]
    if len(whole) == len(spans):
        assert [bonus for *_, bonus in found] == pytest.approx([bonus for _, bonus in whole], abs=1e-6)

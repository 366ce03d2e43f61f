"""Laws of splitting, and agreement with a plain splitter that sees the whole text at once."""

import bisect
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrt_verl.episodes import EpisodeSplitter

MARKERS = ("Wait", "But", "But wait", "等等", "Is it so?")
WORDS = ["a", "1", " ", "\n", "\n\n", ".\n\n", "\t", ",", "é", "等", "😀", "s", " b", "<", "</", "th", "</th", "ink>"]
TAGS = ["<think>", "</think>"]
TEXTS = st.lists(st.sampled_from([*MARKERS, *WORDS]), max_size=25).map("".join)
RULES = st.fixed_dictionaries(
    {"min_episode_tokens": st.integers(0, 6), "min_steps": st.integers(1, 3), "max_episodes": st.integers(1, 5)}
)


@st.composite
def pieces(draw, texts=TEXTS) -> list[bytes]:
    """A text cut into tokens at arbitrary bytes, within characters too."""
    raw = draw(texts).encode()
    cuts = sorted(draw(st.sets(st.integers(1, max(len(raw) - 1, 1)), max_size=len(raw))))
    bounds = [0, *(cut for cut in cuts if cut < len(raw)), len(raw)]
    return [raw[a:b] for a, b in itertools.pairwise(bounds) if a < b]


@st.composite
def responses(draw) -> list[bytes]:
    """Text with some thinking tags in it, cut anywhere."""
    parts = draw(st.lists(st.one_of(TEXTS, st.sampled_from(TAGS)), max_size=6))
    return draw(pieces(st.just("".join(parts))))


def markers_in_text(tokens: list[bytes]) -> list[tuple[int, int, int]]:
    """(step, token of the first letter, one past the token of the last) of every marker that starts a paragraph."""
    text = b"".join(tokens).decode()
    ends = list(itertools.accumulate(map(len, tokens)))
    found = []
    for step, gap in enumerate(re.finditer(r"(?:\A|\n[^\S\n]*\n)\s*(?=\S)", text)):
        marker = re.match(r"(But wait|But|Wait)(?![A-Za-z0-9é])|等等|Is it so\?", text[gap.end() :])
        if marker:
            before = len(text[: gap.end()].encode())
            last = before + len(marker.group().encode()) - 1
            found.append((step, bisect.bisect_right(ends, before), bisect.bisect_right(ends, last) + 1))
    return found


@settings(deadline=None, max_examples=400)
@given(tokens=pieces())
def test_the_token_scan_finds_what_the_whole_text_shows(tokenizer_from_pieces, tokens):
    tokenizer, ids = tokenizer_from_pieces(tokens)
    splitter = EpisodeSplitter(
        tokenizer, markers=MARKERS, think_open=None, think_close=None, min_steps=1, max_episodes=1000
    )
    found = splitter.split(ids, thinking_open=False)
    expected = markers_in_text(tokens)
    assert found.markers == len(expected)
    # the block's first step opens the first episode, marker or not
    openings = {} if not found.episodes or (expected[:1] and expected[0][0] == 0) else {0: 0}
    for step, first, end in expected:
        openings.setdefault(0 if step == 0 else first, end)  # of several openings in one token the first counts
    assert [episode.start for episode in found.episodes] == sorted(openings)
    assert [episode.marker_end for episode in found.episodes] == [
        min(openings[episode.start], episode.end) for episode in found.episodes
    ]


@settings(deadline=None, max_examples=300)
@given(tokens=responses(), rules=RULES, thinking_open=st.booleans(), has_tags=st.booleans())
def test_episodes_tile_the_thinking_block(tokenizer_from_pieces, tokens, rules, thinking_open, has_tags):
    tokenizer, ids = tokenizer_from_pieces(tokens)
    tags = TAGS if has_tags else [None, None]
    splitter = EpisodeSplitter(tokenizer, markers=MARKERS, think_open=tags[0], think_close=tags[1], **rules)
    found = splitter.split(ids, thinking_open=thinking_open)
    assert 0 <= found.think_end <= len(ids)
    assert found.closed or found.answer_start == len(ids)
    assert found.closed == (not has_tags or b"</think>" in b"".join(tokens))
    if not found.episodes:
        return
    assert len(found.episodes) <= rules["max_episodes"]
    assert found.episodes[-1].end == found.think_end
    for episode, following in itertools.pairwise(found.episodes):
        assert episode.end == following.start
    for episode in found.episodes:
        assert episode.start <= episode.marker_end <= episode.end
        if len(found.episodes) > 1:
            assert episode.end - episode.start >= max(rules["min_episode_tokens"], 1)
    # split, then join: nothing of the response is lost or doubled
    joined = [token for episode in found.episodes for token in ids[episode.start : episode.end]]
    assert ids[: found.episodes[0].start] + joined + ids[found.think_end :] == ids


@settings(deadline=None, max_examples=200)
@given(tokens=responses())
def test_the_first_close_tag_ends_the_block(tokenizer_from_pieces, tokens):
    raw = b"".join(tokens)
    tokenizer, ids = tokenizer_from_pieces(tokens)
    splitter = EpisodeSplitter(tokenizer, markers=MARKERS, think_open=TAGS[0], think_close=TAGS[1])
    found = splitter.split(ids, thinking_open=True)
    at = raw.find(b"</think>")
    length = [0, *itertools.accumulate(map(len, tokens))]
    if at < 0:
        assert (found.think_end, found.closed) == (len(ids), False)
    else:
        assert length[found.think_end] <= at < length[found.think_end + 1]
        assert length[found.answer_start - 1] < at + len("</think>") <= length[found.answer_start]


@given(marker=st.text(st.sampled_from(" \t\n\r\u3000\u00a0"), max_size=4))
def test_blank_markers_are_refused(tokenizer_from_pieces, marker):
    with pytest.raises(ValueError, match="blank"):
        EpisodeSplitter(None, markers=["Wait", marker], think_open=None, think_close=None)

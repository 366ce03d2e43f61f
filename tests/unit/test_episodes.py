"""Episodes on traces small enough to count tokens by hand; every list entry is one token."""

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mrt_verl.episodes import Episode, EpisodeSplit, EpisodeSplitter

MARKERS = ("Wait", "But wait", "Alternatively", "等等")
TAGS = {"think_open": "<think>", "think_close": "</think>"}
NO_TAGS = {"think_open": None, "think_close": None}


@pytest.fixture
def split(tokenizer_from_pieces):
    """Split a response given as pieces; rules default to: no tags, every marker opens."""

    def split_pieces(pieces, *, thinking_open=False, added=(), **rules) -> EpisodeSplit:
        tokenizer, ids = tokenizer_from_pieces(pieces, added=added)
        rules = {"markers": MARKERS, **NO_TAGS, "min_steps": 1, **rules}
        return EpisodeSplitter(tokenizer, **rules).split(ids, thinking_open=thinking_open)

    return split_pieces


def starts(split: EpisodeSplit) -> list[int]:
    return [episode.start for episode in split.episodes]


def test_a_marker_at_the_start_of_a_paragraph_opens_an_episode(split):
    found = split(["Try", " 1", ".\n\n", "Wait", ",", " no", ".\n\n", "So", " 2", ".\n\n", "But", " wait", "."])
    assert found.episodes == (Episode(0, 0, 3), Episode(3, 4, 10), Episode(10, 12, 13))
    assert found == EpisodeSplit(found.episodes, think_end=13, answer_start=0, closed=True, markers=2)


def test_a_marker_may_straddle_tokens(split):
    found = split(["1", "\n\n", "Wa", "it", ",", " no", "\n\n", "Al", "tern", "ativ", "ely", " 2"])
    assert found.episodes == (Episode(0, 0, 2), Episode(2, 4, 7), Episode(7, 11, 12))


def test_a_marker_and_the_text_around_it_may_be_one_token(split):
    assert split(["1", ".\n\nWait, no", " 2"]).episodes == (Episode(0, 0, 1), Episode(1, 2, 3))


@pytest.mark.parametrize(
    ("continuation", "opens"),
    [
        ([","], True),
        (["."], True),
        ([" ing"], True),
        (["\n"], True),
        ([], True),
        (["等"], True),  # a Chinese character starts a word of its own
        (["ing"], False),
        (["s"], False),
        (["2"], False),
        (["_"], False),
        (["é"], False),
        ([b"\xc3", b"\xa9"], False),
        ([b"\xe2", b"\x80", b"\xa6"], True),  # an ellipsis in three tokens
    ],
)
def test_a_marker_is_a_whole_word(split, continuation, opens):
    assert starts(split(["1", "\n\n", "Wait", *continuation])) == ([0, 2] if opens else [0])


def test_case_matters(split):
    assert starts(split(["1", "\n\n", "wait", "\n\n", "WAIT"])) == [0]


def test_the_longest_marker_wins(split):
    rules = {"markers": ["But", "But wait"]}
    assert split(["1", "\n\n", "But", " wait", "."], **rules).episodes[1] == Episode(2, 4, 5)
    assert split(["1", "\n\n", "But", " wait", "ing"], **rules).episodes[1] == Episode(2, 3, 5)
    assert split(["1", "\n\n", "But", " we", "."], **rules).episodes[1] == Episode(2, 3, 5)


def test_a_marker_inside_a_paragraph_opens_nothing(split):
    found = split(["1", " Wait", "\n", "Wait", ",", "\n", " ", "Wait"])
    assert found.episodes == (Episode(0, 0, 8),)
    assert found.markers == 0


@pytest.mark.parametrize(
    ("pieces", "start"),
    [
        (["1", "\n\n", "Wait"], 2),
        (["1\n", "\nWait"], 1),
        (["1", "\n", "\n", "Wait"], 3),
        (["1", "\n", " ", "\t", "\n", "  ", "Wait"], 6),
        (["1", "\n", " \n \n ", " Wait"], 3),
        (["1", "\r\n", "\r\n", "Wait"], 3),
        (["1\n ", " \n  Wait"], 1),
        (["1 \n \n Wait"], 0),  # one token holds the end of one episode and the next: it stays whole
        (["1", "\n\n", "\u3000", "Wait"], 3),  # full-width indent in one token
    ],
)
def test_blank_lines_in_any_tokens(split, pieces, start):
    assert starts(split(pieces)) == ([0, start] if start else [0])
    assert split(pieces).markers == 1


def test_steps_inside_one_token_are_counted(split):
    found = split(["a\n\nWait b\n\nWait c", "\n\nWait"])
    assert found.episodes == (Episode(0, 0, 1), Episode(1, 2, 2))
    assert found.markers == 3


def test_a_step_that_fills_a_token_up_to_the_next_blank_line(split):
    assert split(["1\n\n", "Wait\n\n", "Wait\n\n"]).episodes == (Episode(0, 0, 1), Episode(1, 2, 2), Episode(2, 3, 3))


@pytest.mark.parametrize("cuts", [[3], [1], [2, 4], [1, 2, 3, 4, 5]])
def test_unicode_markers_over_any_bytes(split, cuts):
    raw = "等等".encode()
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, 6], strict=True)]
    found = split(["1", "\n\n", *pieces, "。", "再"])
    assert found.episodes == (Episode(0, 0, 2), Episode(2, 2 + len(pieces), 4 + len(pieces)))


def test_another_character_with_the_same_first_bytes_is_no_marker(split):
    raw = "等箱".encode()  # 箱 starts with the same byte as 等
    assert starts(split(["1", "\n\n", raw[:4], raw[4:]])) == [0]


def test_a_marker_in_the_first_step_opens_the_first_episode(split):
    found = split(["\n", "Wait", ",", " 1", "\n\n", "Wait"])
    assert found.episodes == (Episode(0, 2, 5), Episode(5, 6, 6))
    assert found.markers == 2


STEPS = ["a", "\n\n", "Wait", "\n\n", "Wait", "\n\n", "Wait", "\n\n", "Wait"]  # steps at tokens 0, 2, 4, 6, 8


@pytest.mark.parametrize(
    ("min_steps", "expected"), [(1, [0, 2, 4, 6, 8]), (2, [0, 4, 8]), (3, [0, 6]), (4, [0, 8]), (5, [0])]
)
def test_an_episode_has_at_least_min_steps_steps(split, min_steps, expected):
    found = split(STEPS, min_steps=min_steps)
    assert starts(found) == expected
    assert found.markers == 4


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (2, [0, 2, 7]),
        (3, [0, 7]),  # the first, of 2 tokens, takes in the next
        (5, [0, 7]),
        (6, [0]),  # the last, of 5 tokens, goes to the one before
    ],
)
def test_short_episodes_are_merged(split, least, expected):
    pieces = ["a", "\n\n", "Wait", ",", " b", " c", "\n\n", "Wait", " d", " e", " f", " g"]
    assert starts(split(pieces, min_episode_tokens=least)) == expected


@pytest.mark.parametrize(("most", "expected"), [(1, [0]), (2, [0, 4]), (3, [0, 2, 6]), (4, [0, 2, 4, 6]), (9, None)])
def test_of_many_boundaries_evenly_chosen_ones_stay(split, most, expected):
    # five openings, at tokens 0, 2, 4, 6, 8: of them number 5i // most for i < most
    found = split(STEPS, max_episodes=most)
    assert starts(found) == (expected or [0, 2, 4, 6, 8])
    assert found.episodes[-1].end == len(STEPS)
    assert found.markers == 4


def test_two_hundred_markers(split):
    found = split(["a", *["\n\n", "Wait"] * 200])
    assert found.markers == 200
    # openings: token 0, and 2, 4, …, 400; of these 201 number 201i // 6 = 0, 33, 67, 100, 134, 167
    assert starts(found) == [0, 66, 134, 200, 268, 334]


def test_an_empty_response_has_no_episode(split):
    for rules in (NO_TAGS, TAGS):
        assert split([], thinking_open=True, **rules).episodes == ()


@pytest.mark.parametrize("added", [("<think>", "</think>"), ()])
def test_the_thinking_block_in_the_response(split, added):
    pieces = ["Hm", "<think>", "1", "\n\n", "Wait", "</think>", "\n\n", "Wait", " 7"]
    found = split(pieces, added=added, **TAGS)
    assert found.episodes == (Episode(2, 2, 4), Episode(4, 5, 5))
    assert (found.think_end, found.answer_start, found.closed, found.markers) == (5, 6, True, 1)


def test_the_prompt_opened_the_block(split):
    found = split(["1", "\n\n", "Wait", "</think>", "7"], thinking_open=True, **TAGS)
    assert found.episodes == (Episode(0, 0, 2), Episode(2, 3, 3))
    assert (found.think_end, found.answer_start) == (3, 4)


def test_an_open_tag_repeated_at_the_start_of_an_open_block_is_in_no_episode(split):
    assert starts(split(["\n", "<think>", "1", "</think>"], thinking_open=True, **TAGS)) == [2]
    assert starts(split(["1", "<think>", "1", "</think>"], thinking_open=True, **TAGS)) == [0]


def test_a_block_that_is_never_closed_ends_with_the_response(split):
    found = split(["<think>", "1", "\n\n", "Wait", ",", " 2"], **TAGS)
    assert found.episodes == (Episode(1, 1, 3), Episode(3, 4, 6))
    assert (found.think_end, found.answer_start, found.closed) == (6, 6, False)


def test_no_tag_anywhere_is_no_thinking(split):
    found = split(["1", "\n\n", "Wait"], **TAGS)
    assert found == EpisodeSplit((), think_end=3, answer_start=3, closed=False, markers=0)


def test_a_close_tag_alone_closes_what_the_prompt_must_have_opened(split):
    assert starts(split(["1", "\n\n", "Wait", "</think>"], **TAGS)) == [0, 2]


@pytest.mark.parametrize("inside", [[], ["\n\n"], ["\n", " ", "\n"]])
def test_an_empty_block_has_no_episode(split, inside):
    found = split(["<think>", *inside, "</think>", "7"], **TAGS)
    assert found == EpisodeSplit((), think_end=1 + len(inside), answer_start=2 + len(inside), closed=True, markers=0)


@pytest.mark.parametrize(
    ("pieces", "episode", "answer_start"),
    [
        (["<", "think", ">", "1", "</", "think", ">", "7"], (3, 4), 7),
        (["<think", ">\n", "1", ".</", "think", ">\n\n", "7"], (2, 3), 6),  # merged with their neighbours
        (["x<thi", "nk>1", " a < b", "</thi", "nk>7"], (2, 3), 5),
        (["<think", "></", "think>"], None, 3),
        (["◁", "<think>", "1", "<", "<", "</thin", "k", ">"], (2, 5), 8),
    ],
)
def test_tags_of_several_tokens(split, pieces, episode, answer_start):
    found = split(pieces, **TAGS)
    assert [(e.start, e.end) for e in found.episodes] == ([episode] if episode else [])
    assert (found.answer_start, found.closed) == (answer_start, True)


def test_unicode_tags_over_bytes(split):
    opening, closing = "◁think▷".encode(), "◁/think▷".encode()
    pieces = [b"a" + opening[:1], opening[1:5], opening[5:], b"1", closing[:2], closing[2:]]
    found = split(pieces, think_open="◁think▷", think_close="◁/think▷")
    assert found.episodes == (Episode(3, 3, 4),)


def test_the_letters_of_an_added_tag_are_not_the_tag(split):
    pieces = ["<think>", "1", "</", "think", ">", "2", "</think>", "7"]
    assert split(pieces, added=("<think>", "</think>"), **TAGS).think_end == 6


@pytest.mark.parametrize(
    ("pieces", "is_open"),
    [
        (["user", "<|end|>", "<think>", "\n"], True),
        (["user", "<think>", "1", "</think>", "2", "<|end|>", "<think>"], True),
        (["user", "<|end|>", "<think>", "Okay", ","], True),
        (["user", "<|end|>"], False),
        (["write", "<think>", " first", "<|end|>", "assistant"], False),
        (["user", "<think>", "</think>"], False),
        ([], False),
    ],
)
def test_whether_the_prompt_leaves_the_block_open(tokenizer_from_pieces, pieces, is_open):
    for added in (("<think>", "</think>", "<|end|>"), ("<|end|>",)):
        tokenizer, ids = tokenizer_from_pieces(pieces, added=[text for text in added if text in pieces])
        assert EpisodeSplitter(tokenizer, markers=MARKERS, **TAGS).is_thinking_open(ids) == is_open


def test_without_tags_thinking_is_always_open(tokenizer_from_pieces):
    tokenizer, ids = tokenizer_from_pieces(["user"])
    assert EpisodeSplitter(tokenizer, markers=MARKERS, **NO_TAGS).is_thinking_open(ids)


@pytest.mark.parametrize("marker", ["", " ", "\n\t", "\u3000"])
def test_a_blank_marker_is_an_error_that_names_it(split, marker):
    with pytest.raises(ValueError, match="blank") as error:
        split(["1"], markers=["Wait", marker])
    assert repr(marker) in str(error.value)


@pytest.mark.parametrize("marker", [".*", "(", "[a-z]+", "$", "\\b"])
def test_markers_are_texts_not_patterns(split, marker):
    assert starts(split(["1", "\n\n", "So", "\n\n", marker, " x"], markers=[marker])) == [0, 4]


def test_no_marker_at_all_leaves_one_episode(split):
    assert split(["1", "\n\n", "Wait"], markers=[]).episodes == (Episode(0, 0, 3),)


def test_ids_beyond_the_tokenizer_are_plain_text(tokenizer_from_pieces):
    tokenizer, ids = tokenizer_from_pieces(["1", "\n\n", "Wait", " 2"])
    found = EpisodeSplitter(tokenizer, markers=MARKERS, **NO_TAGS, min_steps=1).split(
        [50_000, *ids, 60_000], thinking_open=False
    )
    assert found.episodes == (Episode(0, 0, 3), Episode(3, 4, 6))


def test_arrays_are_as_good_as_lists(tokenizer_from_pieces):
    tokenizer, ids = tokenizer_from_pieces(["1", "\n\n", "Wait"])
    splitter = EpisodeSplitter(tokenizer, markers=MARKERS, **NO_TAGS, min_steps=1)
    assert splitter.split(np.array(ids), thinking_open=False) == splitter.split(ids, thinking_open=False)


def make_sentencepiece() -> PreTrainedTokenizerFast:
    """Llama's kind: ▁ for spaces, single bytes for what the vocabulary lacks, the text's first space dropped."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁Wa", "it", "▁But", "▁wait", "▁a", ",", "▁▁"]
    tokenizer = Tokenizer(
        models.BPE({piece: token for token, piece in enumerate(pieces)}, [], unk_token="<unk>", byte_fallback=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ("▁a <0x0A> <0x0A> ▁Wa it , ▁a", (3, 5)),
        ("▁a <0x0A> ▁▁ <0x0A> ▁ ▁But ▁wait ,", (5, 7)),
        ("▁a <0x0A> <0x0A> <0xE7> <0xAD> <0x89> <0xE7> <0xAD> <0x89> ▁a", (3, 9)),
        ("▁a <0x0A> <0x0A> ▁Wa it <0xC3> <0xA9>", None),
        ("▁a <0x0A> ▁Wa it", None),
    ],
)
def test_sentencepiece_tokens(pieces, expected):
    tokenizer = make_sentencepiece()
    ids = tokenizer.convert_tokens_to_ids(pieces.split(" "))
    found = EpisodeSplitter(tokenizer, markers=MARKERS, **NO_TAGS, min_steps=1).split(ids, thinking_open=False)
    assert [(episode.start, episode.marker_end) for episode in found.episodes[1:]] == ([expected] if expected else [])

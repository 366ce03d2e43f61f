"""Text on token ids: where two texts meet, and white space that several tokens share."""

import pytest

from mrt_verl.token_text import append, encode_open, joins, new_paragraph, paragraph_break, paragraph_starts
from tests.fakes import toy_tokenizer


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ("so.", " wait"),
        ("so.\n\n", "Wait"),
        ("so", "\n\nWait"),
        ("so</think>", "The answer"),
        ("so \\boxed{", "17"),
        ("", "wait"),
        ("wait", ""),
        ("", ""),
    ],
)
def test_texts_that_meet_between_tokens_join(head, tail):
    assert joins(toy_tokenizer(), head, tail)


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ("so.", "\n\nWait"),  # ".\n\n" is one token
        ("so.\n", "\nWait"),
        ("so\n", "\nWait"),
        ("so ", "wait"),  # " wait" is one
        ("so \\boxed", "{17}"),
        ("so</thi", "nk>"),  # an added token
    ],
)
def test_texts_that_meet_inside_a_token_do_not(head, tail):
    assert not joins(toy_tokenizer(), head, tail)


def test_what_the_tokenizer_puts_before_a_text_is_no_part_of_it():
    assert joins(toy_tokenizer(adds_start=True), "so", " wait")


def texts(ids):
    return [toy_tokenizer().decode([token]) for token in ids]


@pytest.mark.parametrize(
    ("before", "text", "kept", "tail"),
    [
        ("so no", " wait", 2, [" wait"]),
        ("so no.", "\n\nWait", 2, [".\n\n", "Wait"]),
        ("so\n", "\nWait", 1, ["\n\n", "Wait"]),
        ("so ", "wait", 1, [" wait"]),
        ("", "Wait", 0, ["Wait"]),
        ("so", "", 1, []),
    ],
)
def test_append_keeps_all_tokens_but_those_that_merge(before, text, kept, tail):
    ids = toy_tokenizer().encode(before)
    number, added = append(toy_tokenizer(), ids, text)
    assert (number, texts(added)) == (kept, tail)


def test_append_leaves_half_a_character_alone():
    ids = toy_tokenizer().encode("so é")[:-1]
    assert append(toy_tokenizer(), ids, "\n\n") == (len(ids), toy_tokenizer().encode("\n\n"))


@pytest.mark.parametrize(
    ("before", "kept", "joint", "own"),
    [
        ("so.", 1, [".\n\n"], ["Wait"]),  # the sentence's end is none of the paragraph
        ("so", 1, [], ["\n\n", "Wait"]),
        ("so\n", 1, [], ["\n\n", "Wait"]),
        ("so.\n\n", 2, [], ["Wait"]),
        ("", 0, [], ["Wait"]),
    ],
)
def test_a_new_paragraph(before, kept, joint, own):
    found = new_paragraph(toy_tokenizer(), toy_tokenizer().encode(before), "Wait")
    assert (found.kept, texts(found.joint), texts(found.ids)) == (kept, joint, own)
    # line breaks that the text brings along are none too many
    assert new_paragraph(toy_tokenizer(), toy_tokenizer().encode(before), "\n\nWait") == found


@pytest.mark.parametrize(
    ("before", "missing"), [("so", 2), ("so\n", 1), ("so\n\n", 0), ("so\n \n", 0), ("so\n\n ", 0), (" so", 2), ("", 0)]
)
def test_a_blank_line_is_completed_not_doubled(before, missing):
    assert paragraph_break(toy_tokenizer(), toy_tokenizer().encode(before)) == "\n" * missing


def test_encode_open_is_encode_where_nothing_is_cut_otherwise_at_an_end():
    for text in ("so.\n\n", "so", "so ", "", "so\n"):
        assert encode_open(toy_tokenizer(), text) == toy_tokenizer().encode(text)


@pytest.mark.parametrize(
    ("pieces", "starts"),
    [
        (["a", "\n\n", b"\xe3", b"\x80\x80", "b"], [0, 4]),
        (["a", "\n", b"\xe2\x80", b"\x83", "\n", "b"], [0, 5]),
        (["a", "\n", b"\xe3", b"\x80\x80\n", "b"], [0, 4]),
        (["a", "\n\n", b"\xe3", b"\x81\x82", "b"], [0, 2]),  # a letter
        (["a", "\n\n", b"\xe3", b"\x80", "b"], [0, 2]),  # no character
    ],
)
def test_white_space_that_several_tokens_share(tokenizer_from_pieces, pieces, starts):
    tokenizer, ids = tokenizer_from_pieces(pieces)
    assert paragraph_starts(tokenizer, ids) == starts

"""Text on token ids: where two texts meet."""

import pytest

from mrt_verl.token_text import joins
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

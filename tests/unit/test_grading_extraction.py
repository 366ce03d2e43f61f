"""Which part of a response counts as its answer."""

import re

import pytest

from mrt_verl.grading.extraction import Thinking, extract_answer, tidy

THINKING = Thinking(expected=True)
STOP_TEXT = "\n\nTime is up.\n</think>\n\nThe final answer is \\boxed{"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{42}.", "42"),
        (r"\boxed{1} and then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{x\right.}", r"\left\{x\right."),
        (r"\boxed {7}", "7"),
        (r"\fbox{7}", "7"),
        (r"\boxed{\boxed{7}}", "7"),
        (r"\boxed{7} as in \boxed{}", "7"),
        (r"\boxed{$\sqrt{2}$}", r"\sqrt{2}"),
        ("\\boxed{4\u200b2}", "42"),
        ("\\boxed{\u22125}", "-5"),
        (r"\boxed{}", None),
        ("no answer here", None),
        ("", None),
    ],
)
def test_last_box(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"<think>\boxed{1}</think> \boxed{2}", "2"),
        (r"\boxed{1}</think> \boxed{2}", "2"),
        (r"\boxed{1}</think> nothing", None),
        (r"\boxed{1}", None),
        (r"</think> \boxed{1} <think> again", None),
    ],
)
def test_thinking_is_no_answer(text: str, answer: str | None) -> None:
    assert extract_answer(text, thinking=THINKING) == answer


def test_a_block_that_was_opened_must_close_even_if_none_was_expected() -> None:
    assert extract_answer(r"<think>\boxed{1}") is None
    assert extract_answer(r"\boxed{1}") == "1"
    assert extract_answer(r"<think>\boxed{1}", thinking=None) == "1"


def test_a_box_cut_off_by_the_token_limit_is_no_answer() -> None:
    assert extract_answer(r"\boxed{41}. No: \boxed{4") is None
    assert extract_answer(r"\boxed{41}. No: \boxed{42", finished=True) == "42"


@pytest.mark.parametrize(
    ("forced", "finished", "answer"),
    [
        ("42}", False, "42"),
        (r"42}. Next problem: \boxed{7}", False, "42"),
        (r"\frac{1}{2}}$", False, r"\frac{1}{2}"),
        (r"42}. Hence \boxed{4", False, "42"),
        ("42", True, "42"),
        ("42", False, None),
        ("}", False, None),
    ],
)
def test_a_forced_answer_closes_the_stop_texts_box(forced: str, finished: bool, answer: str | None) -> None:
    assert extract_answer(forced, stop_text=STOP_TEXT, finished=finished, thinking=THINKING) == answer


def test_a_forced_answer_as_one_text_counts_from_the_stop_texts_box_on() -> None:
    assert extract_answer(r"I guess \boxed{1}" + STOP_TEXT + "42}", thinking=THINKING) == "42"


def test_a_stop_text_that_asks_for_an_explanation_leaves_the_answer_to_the_policy() -> None:
    stop_text = "Time is up.</think> Put it in \\boxed{}."
    assert extract_answer(r" 6 times 7 is \boxed{42}", stop_text=stop_text, thinking=THINKING) == "42"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("6*7 = 42\n#### 42", "42"),
        ("The answer is 42.", "42"),
        ("**Final Answer:** $\\frac{1}{2}$.", r"\frac{1}{2}"),
        ("The answer is 41. Wait.\nAnswer: Tuesday.", "Tuesday"),
    ],
)
def test_default_fallbacks(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


def test_fallbacks_can_be_chosen_and_written() -> None:
    text = "first 12, then 1,350.5 in all\nbye"
    assert extract_answer(text) is None
    assert extract_answer(text, fallbacks=["last_number"]) == "1,350.5"
    assert extract_answer(text, fallbacks=["last_line"]) == "bye"
    assert extract_answer(text, fallbacks=[re.compile(r"then (\S+)")]) == "1,350.5"
    assert extract_answer("The answer is 42", fallbacks=()) is None


def test_a_full_stop_ends_a_number_but_belongs_to_words() -> None:
    texts = ("42.", "-1,350.5.", "a dog.", "See page 1.", "1...")
    assert [tidy(text) for text in texts] == ["42", "-1,350.5", "a dog.", "See page 1.", "1..."]

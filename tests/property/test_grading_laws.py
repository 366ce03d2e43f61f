"""Laws of extraction and of the exact paths."""

import string

from hypothesis import given
from hypothesis import strategies as st

from mrt_verl.grading.comparison import exact_verdict
from mrt_verl.grading.extraction import Thinking, extract_answer, tidy

words = st.text(string.ascii_letters + string.digits + " .,\n", max_size=40)
formulas = st.recursive(
    st.sampled_from(["1", "x", r"\pi", "-3", r"\{", r"\}", "a,b"]),
    lambda inner: st.tuples(inner, inner).map(lambda two: rf"\frac{{{two[0]}}}{{{two[1]}}}"),
    max_leaves=5,
)
anything = st.text(max_size=60) | st.text("\\boxed{}<think/>$1x ", max_size=60)
numbers = st.integers(-(10**9), 10**9).map(str) | st.decimals(-1000, 1000, places=6).map(lambda value: f"{value:f}")


@given(words, formulas, words)
def test_what_was_boxed_is_found(before: str, formula: str, after: str) -> None:
    assert extract_answer(f"{before} \\boxed{{{formula}}} {after}") == tidy(formula)


@given(words, formulas)
def test_a_box_inside_the_thinking_block_is_never_the_answer(before: str, formula: str) -> None:
    text = f"<think>{before}\\boxed{{{formula}}}"
    assert extract_answer(text) is None
    assert extract_answer(text + "</think>", fallbacks=()) is None


@given(formulas, anything)
def test_a_forced_answer_ends_with_its_box(formula: str, rest: str) -> None:
    thinking = Thinking(expected=True)
    assert extract_answer(formula + "}" + rest, stop_text=r"</think>\boxed{", thinking=thinking) == tidy(formula)


@given(anything, st.booleans())
def test_no_text_breaks_the_extraction(text: str, finished: bool) -> None:
    answer = extract_answer(text, finished=finished, fallbacks=("hashes", "answer_phrase", "last_number", "last_line"))
    assert answer is None or answer == tidy(answer) != ""


@given(anything)
def test_tidying_twice_changes_nothing(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


@given(numbers, numbers)
def test_plain_numbers_are_equal_exactly_if_their_values_are(one: str, other: str) -> None:
    assert exact_verdict(one, one) is True
    assert exact_verdict(one, other) == exact_verdict(other, one) == (float(one) == float(other))

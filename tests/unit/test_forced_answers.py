r"""Forced answers in text: after stop texts that end in `\boxed`, leave a box open, or have none."""

import pytest

from mrt_verl.grading.extraction import extract_answer
from mrt_verl.grading.text.boxes import after_context, answer_end, in_box, open_box

BOXED, OPEN, PLAIN = "The answer is \\boxed", "The answer is \\boxed{", "The answer is:"
STOPS = ("\n", "}.", "}$")


@pytest.mark.parametrize(
    ("text", "finished", "answer"),
    [
        ("{7}", False, "7"),
        (" {7}. So", False, "7"),
        ("\n{5}", False, "5"),
        (r"{\frac{1}{2}} or \boxed{3}", False, r"\frac{1}{2}"),  # a second box is no answer to this question
        (r"{\{1, 2\}}$.", False, r"\{1, 2\}"),
        ("{4", False, None),  # on the way to 42
        ("{4", True, "4"),
        ("{}", True, None),
        (" 7", True, "7"),  # LaTeX boxes one character without braces
        ("7. And", False, "7"),
        (" 42", False, None),
        (" B", True, "B"),
        (r"\frac{1}{2}.", True, r"\frac{1}{2}"),
        (r"$\frac12$", True, r"\frac12"),
        (r"(B) \boxed{C}", True, "C"),
        ("", True, None),
    ],
)
def test_extraction_after_a_stop_text_that_ends_in_boxed(text, finished, answer):
    assert extract_answer(text, stop_text=BOXED, finished=finished, thinking=None) == answer
    after_thinking = "Time is up.\n</think>\n\n" + BOXED
    assert extract_answer(text, stop_text=after_thinking, finished=finished) == answer


@pytest.mark.parametrize(
    ("stop_text", "text", "answer"),
    [
        (BOXED, "{7}. So I am done", "{7}"),
        (BOXED, "{7}.", "{7}"),  # the stop string begins with the close, which is the answer's
        (BOXED, r"{\frac{1}{2}}$ and", r"{\frac{1}{2}}"),
        (BOXED, r"{\text{a}. b", r"{\text{a}"),  # the engine stopped in the box
        (BOXED, "{\n7}", "{"),
        (BOXED, r"{\{1\}} or {2}", r"{\{1\}}"),
        (BOXED, "{7", None),
        (BOXED, " 7 or so\n", " 7 or so"),
        (OPEN, "7}. So", "7}"),
        ("The answer is \\boxed{x = ", "{2}} or", "{2}}"),
        (PLAIN, " 7}\n8", " 7}"),
        (PLAIN, " 7", None),
    ],
)
def test_where_an_answer_ends(stop_text, text, answer):
    end = answer_end(stop_text, text, STOPS)
    assert (None if end is None else text[:end]) == answer


@pytest.mark.parametrize(
    ("stop_text", "opened", "written"),
    [
        (BOXED, "", "{7}"),
        ("It is \\fbox ", "", "{7}"),
        (OPEN, "", "7}"),
        ("\\boxed{x = ", "x = ", "7}"),
        (PLAIN, None, None),
        ("In \\boxed{}:\n", None, None),
        ("\\boxedin", None, None),
    ],
)
def test_how_an_answer_is_written(stop_text, opened, written):
    assert open_box(stop_text) == opened
    assert in_box(stop_text, "7") == written
    if written is not None:
        assert extract_answer(written, stop_text=stop_text, thinking=None) == (opened + "7")


def test_line_breaks_are_not_written_twice():
    assert after_context("no.\n\n", "\n\nTime is up.") == "Time is up."
    assert after_context("<think>\n", "\n\nTime is up.") == "Time is up."
    assert after_context("no.", "\n\nTime is up.") == "\n\nTime is up."
    assert after_context("no.\n\n", "Time is up.\n") == "Time is up.\n"


def test_a_stop_text_after_thinking_that_is_closed():
    """Only what stands after its own close, so that nothing is closed twice."""
    stop = "\n\nTime is up.\n</think>\n\nThe answer is \\boxed"
    assert after_context("no.\n\n</think>", stop, "</think>") == "\n\nThe answer is \\boxed"
    assert after_context("no.\n\n</think>\n\n", stop, "</think>") == "The answer is \\boxed"
    assert after_context("say </think> or", stop, "</think>") == stop
    assert after_context("no.</think>", "Stop. \\boxed", "</think>") == "Stop. \\boxed"
    assert after_context("no.</think>", stop, None) == stop

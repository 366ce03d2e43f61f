# ruff: noqa: RUF001
"""Whatever a policy writes, the process that trains reads it in bounded time and is not fooled by it."""

import time
from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mrt_verl.grading.comparison import exact_verdict
from mrt_verl.grading.extraction import extract_answer
from mrt_verl.grading.forms import reading
from mrt_verl.grading.forms.reading import read
from mrt_verl.grading.formulas.nodes import TooBig, Unreadable
from mrt_verl.grading.matching.readings import match_readings
from mrt_verl.grading.text.unicode import fold_unicode
from mrt_verl.grading.text.wrappers import strip_wrappers

SECONDS = 3.0
"""Of processor time per answer; the slowest take a fifth of one."""
REFERENCES = ("42", r"\frac{1}{2}", "x+1", r"\{1,2\}", "(1,2)", "B", r"\textbf{(B)}\ 12", "no solution", "5 cm", "0.33")

pieces = st.sampled_from(
    [
        *"0123456789xyABe().,;:+-*/^_=<>|!%$'\"&~ \n\t\x00\x07\u200b\ud800\u0305{}[]",
        r"\frac",
        r"\sqrt",
        r"\text{",
        r"\boxed{",
        r"\left(",
        r"\right)",
        r"\{",
        r"\}",
        r"\pi",
        r"\infty",
        r"\cup",
        r"\in",
        r"\le",
        r"\pm",
        r"\sin",
        r"\ln",
        r"\binom",
        r"\overline{",
        r"\pmod",
        r"\begin{pmatrix}",
        r"\end{pmatrix}",
        r"\\",
        "²",
        "½",
        "√",
        "≤",
        "٣",
        "，",
        "°",
        " or ",
        " and ",
        " cm",
        " more",
        "(A)",
        "x=",
        "10^",
        "9^{9^",
        "1e9",
        "...",
        "**",
        r"\int",
        r"\sum",
        "100!",
        r"\ldots",
        "<answer>",
        "the answer is ",
        r"\displaystyle",
        "mod",
        "base 2",
    ]
)
soups = st.lists(pieces, max_size=40).map("".join)
repeated = st.tuples(pieces, st.integers(1, 100_000), soups).map(
    lambda drawn: (drawn[0] * drawn[1])[:100_000] + drawn[2]
)
nested = st.tuples(
    st.sampled_from(
        [("(", ")"), ("{", "}"), (r"\sqrt{", "}"), (r"\frac{1}{", "}"), (r"\text{", "}"), ("|", "|"), ("[", "]")]
    ),
    st.integers(1, 400),
    soups,
).map(lambda drawn: drawn[0][0] * drawn[1] + drawn[2] + drawn[0][1] * drawn[1])
large = st.builds(
    "{}^{{{}}}{}{}!".format,
    st.integers(2, 10**6),
    st.integers(0, 10**7),
    st.sampled_from("+*-/"),
    st.integers(0, 10**6),
)
towers = st.lists(st.integers(2, 99), min_size=2, max_size=12).map(
    lambda ns: "^{".join(map(str, ns)) + "}" * (len(ns) - 1)
)
polynomials = st.builds(
    "({})^{{{}}}".format, st.sampled_from(["x+y", "x+1", "a+b+c+d", r"\sqrt2+\sqrt3+\sqrt5+1"]), st.integers(0, 200)
)
hostile = soups | repeated | nested | large | towers | polynomials | st.text(max_size=200)


@settings(max_examples=400, deadline=None)
@given(hostile, st.sampled_from(REFERENCES))
def test_any_answer_is_read_and_compared_in_bounded_time(answer: str, reference: str) -> None:
    started = time.process_time()
    verdict = exact_verdict(reference, answer)
    assert time.process_time() - started < SECONDS
    assert verdict in (True, False, None)


@settings(max_examples=200, deadline=None)
@given(hostile, st.booleans())
def test_any_response_has_an_answer_or_none_in_bounded_time(text: str, finished: bool) -> None:
    started = time.process_time()
    for response in (text, rf"\boxed{{{text}}}", f"The answer is {text}", f"<answer>{text}"):
        answer = extract_answer(response, finished=finished)
        assert answer is None or answer.strip()
    assert time.process_time() - started < SECONDS


@settings(max_examples=400, deadline=None)
@given(soups)
@example(r"\begin{pmatrix})")
def test_the_reader_fails_in_known_ways_only(text: str) -> None:
    with suppress(Unreadable, TooBig, RecursionError):
        reading._read_plain(strip_wrappers(fold_unicode(text)))


@settings(max_examples=300, deadline=None)
@given(soups)
def test_an_answer_is_right_against_itself_unless_it_needs_a_worker(text: str) -> None:
    one = read(text)
    assert match_readings(one, one) is not False


@settings(max_examples=300, deadline=None)
@given(
    st.integers(-(10**6), 10**6),
    st.integers(1, 999),
    st.integers(1, 10**6),
    st.sampled_from(["{}/{}", r"\frac{{{}}}{{{}}}"]),
)
def test_fractions_off_by_a_little_are_wrong(top: int, bottom: int, by: int, spelling: str) -> None:
    reference = spelling.format(top, bottom)
    assert exact_verdict(reference, spelling.format(2 * top, 2 * bottom)) is True
    assert exact_verdict(reference, spelling.format(top * by + 1, bottom * by)) is False

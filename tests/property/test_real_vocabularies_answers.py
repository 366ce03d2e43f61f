r"""Forced answers on the tokens of DeepSeek, Qwen3, Llama 3 and SmolLM2: what opens, ends and closes them.

The references are those of CHAMP, the tails what models write after a box.
"""

import champ_dataset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrt_verl.evaluation.settings import read_settings
from mrt_verl.grading.comparison import as_references
from mrt_verl.provers.answer_end import read_answer
from mrt_verl.provers.spelling import token_paths
from mrt_verl.settings import STOP_TEXTS
from mrt_verl.token_text import decode, joins
from tests.builders import default_settings

STOP = STOP_TEXTS["short"]
FORMS = [
    "42",
    "-5",
    r"\frac{9}{2}",
    r"\sqrt{2}",
    "(1,2)",
    "[0, 1)",
    r"\text{(B)}",
    "x=3",
    r"\{1,2\}",
    r"90^\circ",
    r"50\%",
]
REFERENCES = sorted(
    {*FORMS, *(one for problem in champ_dataset.load("v0").problems.values() for one in as_references(problem.answer))}
)
TAILS = ("", ".", "$", "$.", "$$", "\n", "\n\n", ".\n\nSo", " and", ", so", ";", r"\)", r"\).", r" \]", "**", "**.\n")
EXAMPLES = settings(deadline=None, max_examples=100)
ANSWERS = st.sampled_from(REFERENCES)


@pytest.mark.parametrize("family", ["r1", "qwen3", "plain"])
def test_every_familys_stop_text_ends_at_a_token_boundary(vocabulary, family):
    stop_text = read_settings([], [f"mrt_family={family}"]).stop_text
    assert [one for one in REFERENCES if not joins(vocabulary.tokenizer, stop_text, f"{{{one}}}")] == []


@pytest.mark.parametrize("answer", ["2 \u2126", "5 \u212b", "Poincare\u0301", "\u00e9", "2 \u03a9", "½"])
def test_letters_that_unicode_has_several_of_have_tokens(vocabulary, answer):
    """Qwen's vocabulary is NFC: for an ohm sign the policy writes the Greek letter, which the reference lacked."""
    (path, *_) = token_paths(vocabulary.tokenizer, STOP, "{" + answer + "}")
    assert path.ids and path.text == "{" + answer + "}"


def test_an_open_brace_is_no_token_boundary(vocabulary):
    """Why stop texts do not end in it: of CHAMP's references a fifth to a third begins inside the last token then.

    SmolLM2's vocabulary is small: it merges a backslash alone.
    """
    moved = [one for one in REFERENCES if not joins(vocabulary.tokenizer, STOP + "{", one + "}")]
    assert {r"\frac{9}{2}", r"\sqrt{2}"} <= set(moved)
    if vocabulary.name != "smollm2":
        assert 0.1 < len(moved) / len(REFERENCES) < 0.5 and "(1,2)" in moved


@given(ANSWERS, st.sampled_from(TAILS))
@EXAMPLES
def test_an_answer_ends_in_the_token_that_closes_its_box(vocabulary, answer, tail):
    ids = vocabulary.encode(STOP + "{" + answer + "}" + tail)[len(vocabulary.encode(STOP)) :]
    text, stem, finished = read_answer(vocabulary.tokenizer, ids, default_settings(), ended_by_itself=False)
    assert (text, finished) == ("{" + answer + "}", True)
    before, through = decode(vocabulary.tokenizer, ids[:stem]), decode(vocabulary.tokenizer, ids[: stem + 1])
    assert before in text and before != text and through.startswith(text)


@given(ANSWERS, st.sampled_from(TAILS))
@EXAMPLES
def test_what_a_model_writes_is_on_a_path_that_is_scored(vocabulary, answer, tail):
    """The tokens of the answer with whatever follows it: their stem is scored, and their closing token counted."""
    stop_ids = vocabulary.encode(STOP)
    ids = vocabulary.encode(STOP + "{" + answer + "}" + tail)[len(stop_ids) :]
    _, stem, _ = read_answer(vocabulary.tokenizer, ids, default_settings(), ended_by_itself=False)
    paths = {path.ids: path for path in token_paths(vocabulary.tokenizer, STOP, "{" + answer + "}")}
    assert tuple(ids[:stem]) in paths
    assert ids[stem] in paths[tuple(ids[:stem])].closers
    assert all(path.shared == len(stop_ids) and not path.moves_stop for path in paths.values())


@given(ANSWERS)
@EXAMPLES
def test_no_two_paths_share_a_token_sequence(vocabulary, answer):
    """Their probabilities are added up."""
    paths = token_paths(vocabulary.tokenizer, STOP, "{" + answer + "}")
    assert 1 <= len(paths) <= 2
    ways = [(*path.ids, closer) for path in paths for closer in path.closers]
    assert len(set(ways)) == len(ways)
    beginnings = {way[:count] for way in ways for count in range(1, len(way))}
    assert beginnings.isdisjoint(ways)


@given(ANSWERS)
@EXAMPLES
def test_all_that_closes_begins_with_what_is_left_of_the_answer(vocabulary, answer):
    for path in token_paths(vocabulary.tokenizer, STOP, "{" + answer + "}"):
        left = ("{" + answer + "}")[len(decode(vocabulary.tokenizer, path.ids)) :]
        assert left.endswith("}") and len(path.closers) > 0
        closings = {decode(vocabulary.tokenizer, [token]) for token in path.closers}
        assert all(text.lstrip(" ").startswith(left) for text in closings)

r"""Answers in tokens, on vocabularies that merge what they begin and end with: `{\`, `}.`, `)}`."""

import pytest

from mrt_verl.provers.answer_end import read_answer
from mrt_verl.provers.spelling import spell, token_paths
from tests.builders import default_settings
from tests.fakes import toy_tokenizer

PIECES = (*"0123(), ", "{", "}", "{\\", "{(", "frac", "}.", "}$", "}}", ")}", "}.\n", "stop", "\\boxed", ".")
TOKENIZER = toy_tokenizer(PIECES)
STOP = "stop\\boxed"
SETTINGS = default_settings(stop_text=STOP)


def names(ids):
    return [TOKENIZER.decode([token]) for token in ids]


def paths_of(spelling, stop_text=STOP):
    return token_paths(TOKENIZER, stop_text, spelling)


def test_an_answer_is_encoded_with_its_brace_and_closed_by_all_tokens_that_close_it():
    (path,) = paths_of("{12}")
    assert (names(path.ids), path.moves_stop, path.shared) == (["{", "1", "2"], False, 2)
    assert set(names(path.closers)) == {"}", "}.", "}$", "}}", "}.\n"}
    (path,) = paths_of("{\\frac{1}{2}}")
    assert names(path.ids) == ["{\\", "frac", "{", "1", "}", "{", "2"]
    assert names(path.closers) == ["}}"]  # what is left of the answer is a brace of its own and the box's


def test_a_bracket_at_the_end_of_an_answer_may_be_written_in_two_ways():
    """Before a full stop this vocabulary has one token for `)}.`, else `)` and `}`: both ways are scored."""
    (path,) = paths_of("{(1, 2)}")
    assert (names(path.ids), names(path.closers)) == (["{(", "1", ",", " ", "2"], [")}"])
    tokenizer = toy_tokenizer((*(piece for piece in PIECES if piece != ")}"), ")}."))
    short, long = sorted(token_paths(tokenizer, STOP, "{(1, 2)}"), key=lambda path: len(path.ids))
    assert [tokenizer.decode([token]) for token in long.ids] == ["{(", "1", ",", " ", "2", ")"]
    assert short.ids == long.ids[:-1] and [tokenizer.decode([token]) for token in short.closers] == [")}."]
    assert set(tokenizer.decode([token]) for token in long.closers) == {"}", "}.", "}$", "}}", "}.\n"}


def test_a_stop_text_that_ends_inside_a_token_is_told():
    """After `\\boxed{` the tokens `{\\` and `{(` can no longer be written: a reference is scored from `\\boxed` on."""
    moved, kept = (paths_of(spelling, "stop\\boxed{")[0] for spelling in ("(1)}", "1}"))
    assert (moved.moves_stop, moved.shared, names(moved.ids)) == (True, 2, ["{(", "1"])
    assert (kept.moves_stop, kept.shared, names(kept.ids)) == (False, 3, ["1"])


def test_a_spelling_that_ends_in_a_number_is_closed_by_nothing_longer():
    """`1` is no way to begin `12`."""
    tokenizer = toy_tokenizer((*PIECES, "12"))
    (path,) = token_paths(tokenizer, "stop ", "1")
    assert (path.ids, tokenizer.decode(path.closers)) == ((), "1")


def test_spellings():
    assert spell(STOP, None, ["7", "8", "7"]) == ["{7}", "{8}"]
    assert spell("stop\\boxed{", None, ["7"]) == ["7}"]
    assert spell("stop:", None, ["7"]) == []
    assert spell("stop:", [" {reference}\n", " ${reference}$"], ["7"]) == [" 7\n", " $7$"]


@pytest.mark.parametrize(
    ("text", "answer", "stem", "finished"),
    [
        ("{12}. stop", "{12}", ["{", "1", "2"], True),
        ("{12}}", "{12}", ["{", "1", "2"], True),
        ("{(1)}.", "{(1)}", ["{(", "1"], True),
        ("{\\frac{1}{2}}$", "{\\frac{1}{2}}", ["{\\", "frac", "{", "1", "}", "{", "2"], True),
        ("{12", "{12", ["{", "1", "2"], False),
        ("1\n2", "1", ["1"], True),
    ],
)
def test_stems(text, answer, stem, finished):
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    found = read_answer(TOKENIZER, ids, SETTINGS, ended_by_itself=False)
    assert (found[0], names(ids[: found[1]]), found[2]) == (answer, stem, finished)


def test_an_answer_that_ends_the_sequence_ends_at_that_token():
    ids = [*TOKENIZER.encode("{12", add_special_tokens=False), TOKENIZER.eos_token_id]
    assert read_answer(TOKENIZER, ids, SETTINGS, ended_by_itself=True) == ("{12", 3, True)
    closed = [*TOKENIZER.encode("{12}", add_special_tokens=False), TOKENIZER.eos_token_id]
    assert read_answer(TOKENIZER, closed, SETTINGS, ended_by_itself=True) == ("{12}", 3, True)
    assert read_answer(TOKENIZER, [TOKENIZER.eos_token_id], SETTINGS, ended_by_itself=True) == ("", 0, True)

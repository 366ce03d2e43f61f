"""The benchmark's own truth: spellings that are equal or unequal by construction, and what it reads of peers' tests."""

import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import grading
from grading_peers import peers
from grading_sets import Case, public
from spelling import FAMILIES, generate

PAIRS = list(generate(seed=3, values=40))


def test_every_family_has_right_and_wrong_answers():
    counts = Counter((pair.family, pair.is_right) for pair in PAIRS)
    assert len(counts) == 2 * len(FAMILIES)
    assert min(counts.values()) >= 15


def test_the_same_seed_gives_the_same_pairs():
    assert list(generate(seed=3, values=40)) == PAIRS
    assert list(generate(seed=4, values=40)) != PAIRS


def test_no_pair_is_right_and_wrong():
    verdicts: dict[tuple[str, str], bool] = {}
    for pair in PAIRS:
        assert verdicts.setdefault((pair.reference, pair.answer), pair.is_right) == pair.is_right, pair
        assert pair.is_right or pair.reference != pair.answer


def value_of(text):
    """The number that a plain spelling denotes, None for other spellings."""
    try:
        return Fraction(text.replace(" ", "").replace("\u2212", "-").rstrip(".").replace("\u00f7", "/"))
    except (ValueError, ZeroDivisionError):
        return None


@pytest.mark.parametrize("family", ["integer", "fraction", "decimal", "thousands"])
def test_plain_spellings_are_what_they_are_said_to_be(family):
    """Read by Python's Fraction, which knows nothing of how they were made."""
    read = 0
    for pair in PAIRS:
        one, other = value_of(pair.reference), value_of(pair.answer)
        if pair.family == family and one is not None and other is not None:
            assert (one == other) == pair.is_right, pair
            read += 1
    assert read >= 10


def test_peers_tests_are_read_without_running_them(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "test_a.py").write_text(
        "raise SystemExit\n"
        "@pytest.mark.parametrize('gold,pred,expected', [('$1$', '$2$', 0), ('3', r'\\boxed{3}', 1)])\n"
        "def test_pairs(gold, pred, expected): ...\n"
        "@pytest.mark.parametrize('gold, pred, strict, expected', [('x', 'y', True, 0), ('x', 'y', False, 1)])\n"
        "def test_options(gold, pred, strict, expected): ...\n"
        "@pytest.mark.parametrize('output_pair', [(5 / 2, '2.5'), (0, None)])\n"
        "def test_correct_examples(output_pair): ...\n"
        "def test_units(self):\n"
        "    test_in = '10 units'\n    test_out = '10'\n    self.assertTrue(is_equiv(test_in, test_out))\n"
    )
    assert set(peers(tmp_path)["one's tests"]) == {
        Case("test_pairs", "$1$", "$2$", False, is_bare=True),
        Case("test_pairs", "3", "\\boxed{3}", True),
        Case("test_options", "x", "y", False, is_bare=True),
        Case("test_correct_examples", "2.5", "2.5", True, is_bare=True),
        Case("test_units", "10", "10 units", True, is_bare=True),
    }


def test_public_cases_are_texts_or_boxed_answers(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text(
        '{"kind": "grading/unit", "input": {"reference": "5", "answer": "5 cm"}, "expected": "right"}\n'
        '{"kind": "extraction/box", "input": {"reference": "5", "text": "6", "finished": false}, "expected": "wrong"}\n'
        '{"kind": "data/choice-reference", "input": {"source": "x"}, "expected": "dropped"}\n'
    )
    assert public(path) == [
        Case("grading/unit", "5", "\\boxed{5 cm}", True),
        Case("extraction/box", "5", "6", False, finished=False),
    ]


def test_shares_are_of_the_wrong_and_of_the_right_ones():
    cases = [Case("", "1", "1", True)] * 4 + [Case("", "1", "2", False)] * 2
    counts = grading.count(cases, [True, None, False, True, True, None])
    assert counts == {"right": 4, "wrong": 2, "false wrong": 2, "false right": 1}
    table = grading.table({"set": {"ours": counts}}, ["ours"])
    assert table.splitlines()[-1] == "| set | 2 + 4 | 50.0 / 50.0 |"

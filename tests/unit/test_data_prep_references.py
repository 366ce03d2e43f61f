r"""References of all kinds as one text, and the answer of a worked solution."""

import json

import numpy as np
import pandas as pd
import pytest

from data_prep.__main__ import main
from data_prep.references import NoReferenceError, boxed_answer, reference_text
from mrt_verl.grading import Grader
from tests.data_prep_layouts import write_rows


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" 10 ", "10"),
        (10, "10"),
        (10.0, "10"),
        (0.5, "0.5"),
        (np.array(10), "10"),
        (np.array([10]), "10"),
        (np.float64(2.5), "2.5"),
        (["7"], "7"),
        (("7", "7"), "7"),
        (["9", "10"], '["9", "10"]'),
        (np.array(["9", "10"], dtype=object), '["9", "10"]'),
        ('["9", "10"]', '["9", "10"]'),
        ('["\\\\frac{1}{2}"]', "\\frac{1}{2}"),
        ("[9, 10]", "[9, 10]"),  # an interval, as far as anyone can know
        ('["9", 10]', '["9", "10"]'),
        ('{"9", "10"}', '{"9", "10"}'),  # no JSON
        ('[5", 6)', '[5", 6)'),
    ],
)
def test_one_text_for_a_reference(value, expected):
    assert reference_text(value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null"),
        ("  ", "blank"),
        ([], "an empty list"),
        (np.array([]), "an empty list"),
        ({"target": 10, "numbers": [3, 7]}, "a dict, not a text"),
        ('{"target": 10, "numbers": [3, 7]}', "a dict, not a text"),
        ([{"target": 10}], "a dict, not a text"),
        ([["9"], ["10"]], "a list, not a text"),
        (True, "a bool, not a text"),
        (np.bool_(True), "a bool, not a text"),
        (float("nan"), "not a finite number"),
        (float("inf"), "not a finite number"),
        (["9", None], "null"),
        ('["9", ""]', "blank"),
        (b"5", "a bytes, not a text"),
    ],
)
def test_what_no_answer_can_meet(value, reason):
    with pytest.raises(NoReferenceError) as why:
        reference_text(value)
    assert str(why.value) == reason


@pytest.mark.parametrize(
    ("solution", "expected"),
    [
        ("It is $\\boxed{9}$.", "9"),
        ("Twice \\boxed{21}? No: \\boxed{42}.", "42"),
        ("First $\\boxed{3}$.\n\nSo the answer is $\\boxed{12}$.", "12"),
        ("So $x=\\boxed{3}$, that is $\\boxed{3}$.", "3"),
        ("$\\boxed{\\boxed{5}}$", "5"),
        ("3*4 = 12\n#### 12", "12"),
        ("Nothing here.", None),
        ("Cut off: \\boxed{3", None),
    ],
)
def test_the_answer_of_a_worked_solution(solution, expected):
    assert boxed_answer(solution) == expected


@pytest.mark.parametrize(
    "solution",
    [
        "So $a=\\boxed{3}$ and $b=\\boxed{4}$.",
        "$\\boxed{3}$ or $\\boxed{4}$",
        "We get $a = \\boxed{3}$. Then $b = \\boxed{4}$.",
        "\\begin{align*} x &= \\boxed{3} \\\\\n y &= \\boxed{4} \\end{align*}",
        "(a) It is \\boxed{3}. (b) It is \\boxed{4}.",
        "Part a: \\boxed{3}.\n\nPart b: \\boxed{4}.",
    ],
)
def test_boxes_that_are_parts_of_one_answer(solution):
    with pytest.raises(NoReferenceError, match="parts of one answer"):
        boxed_answer(solution)


def test_a_solution_of_several_parts_is_left_out_with_its_reason(tmp_path):
    def row(problem, solution):
        return {"source": "olympiads", "problem": problem, "solution": solution}

    rows = [row("Find a and b.", "So $a=\\boxed{3}$ and $b=\\boxed{4}$."), row("Find c.", "So $c=\\boxed{5}$.")]
    path = write_rows(tmp_path / "in.jsonl", rows)
    out = tmp_path / "out"
    assert main(["numinamath_cot", "--from", str(path), "--out", str(out)]) == 0
    kept = pd.read_parquet(out / "train.parquet")
    assert [truth["ground_truth"] for truth in kept.reward_model] == ["5"]
    dropped = json.loads((out / "manifest.json").read_text())["dropped"]["train"]
    assert dropped == {"solution: several boxes that are parts of one answer": 1}


def kept_references(tmp_path, source, rows):
    path = write_rows(tmp_path / "in.jsonl", rows)
    assert main([source, "--from", str(path), "--out", str(tmp_path / "out")]) == 0
    return [truth["ground_truth"] for truth in pd.read_parquet(tmp_path / "out" / "train.parquet").reward_model]


def verdicts(reference, *answers):
    with Grader() as grader:
        return [grade.verdict for grade in grader.grade_sync([f"\\boxed{{{answer}}}" for answer in answers], reference)]


def test_a_choice_with_its_value_is_met_by_either(tmp_path):
    solution = "Thus the answer is $\\boxed{\\textbf{(B)}\\ 12}$."
    rows = [{"source": "amc_aime", "problem": "Which? (A) 7 (B) 12", "solution": solution}]
    (reference,) = kept_references(tmp_path, "numinamath_cot", rows)
    assert verdicts(reference, "B", "(B)", "12", "A", "7", "13") == [*["right"] * 3, *["wrong"] * 3]


@pytest.mark.parametrize("answer", [["9", "10"], '["9", "10"]'])
def test_several_accepted_answers_are_each_right(tmp_path, answer):
    (reference,) = kept_references(tmp_path, "deepscaler", [{"problem": "Name a root.", "answer": answer}])
    assert verdicts(reference, "9", "10", "11") == ["right", "right", "wrong"]

"""n-gram overlap and what comes of it; overlaps counted by hand."""

import hashlib
import json

import pandas as pd
import pytest

from data_prep.__main__ import main
from data_prep.contamination import Contamination, tokens
from tests.data_prep_layouts import write_rows

TEN = "a1 b2 c3 d4 e5"  # ten tokens: letters and digits come apart


def test_tokens():
    assert tokens("Find $\\left(x^{2}\\right)$, I.E. \\dfrac{1}{20}!") == [
        "find",
        "x",
        "2",
        "i",
        "e",
        "frac",
        "1",
        "20",
    ]
    assert tokens("求 x 的值") == ["求", "x", "的", "值"]


@pytest.mark.parametrize(
    ("problem", "overlap", "is_found"),
    [
        (TEN, 1.0, True),
        ("A1, b2, c3; d4 -- E5.", 1.0, True),
        # 7 of the 9 bigrams of each are shared: "3 x" and "x 4" are not
        ("a1 b2 c3 x4 e5", 0.77, True),
        ("a1 b2 c3 x4 e5", 0.78, False),
        # the smaller one's share counts: all 9 bigrams are in the longer problem
        ("Tell me now what follows from this, please: a1 b2 c3 d4 e5", 1.0, True),
        # 2 bigrams here, both in the longer one
        ("b2 c", 1.0, True),
        ("nothing in common", 0.01, False),
        ("", 0.01, False),
    ],
)
def test_overlap_of_bigrams(problem, overlap, is_found):
    index = Contamination({"exam": ["another question of this exam", TEN]}, ngram=2, overlap=overlap)
    assert index.find(["unrelated words", problem, "others"]) == [None, "exam" if is_found else None, None]


def test_problems_shorter_than_an_ngram_count_whole():
    index = Contamination({"exam": ["What is 2+2?"]}, ngram=8)
    assert index.find(["what is 2 + 2", "what is 2 + 3", "what is 2 + 2 + 2"]) == ["exam", None, None]


def test_the_name_of_the_set_that_shares_most():
    index = Contamination({"one": ["p q r s"], "two": ["p q r s t u"]}, ngram=2, overlap=0.5)
    assert index.find(["p q r s t u v", "p q r s"])[0] == "two"


def test_stock_phrases_do_not_contaminate():
    phrase = "where m and n are relatively prime positive integers. Find m + n."
    exam = f"A frog jumps over seven stones and lands on the last with probability m/n, {phrase} Each jump is fair."
    index = Contamination({"exam": [exam]})
    other = f"The area of the triangle whose sides are five, six and seven, drawn in a circle, is m/n, {phrase}"
    assert index.find([other, exam + " Good luck."]) == [None, "exam"]


def test_no_evaluation_set():
    assert Contamination({}).find(["a", "b"]) == [None, None]


def test_training_data_against_prepared_sets(capsys, tmp_path):
    exam = [{"id": 1, "problem": "How many of the first nine primes are odd, and why?", "answer": "8"}]
    path = write_rows(tmp_path / "exam.jsonl", exam)
    assert main(["aime_2024", "--from", str(path), "--out", str(tmp_path / "sets" / "aime_2024")]) == 0
    train = [
        {"problem": "How many of the first nine primes are odd, and why so?", "answer": "8"},
        {"problem": "How many of the first ten primes are odd?", "answer": "9"},
    ]
    path = write_rows(tmp_path / "train.jsonl", train)
    out = tmp_path / "out"
    capsys.readouterr()
    assert main(["deepscaler", "--from", str(path), "--out", str(out), "--evaluation", str(tmp_path / "sets")]) == 0
    assert "not decontaminated" not in capsys.readouterr().err
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["dropped"]["train"] == {"question: contaminates aime_2024": 1}
    file = tmp_path / "sets" / "aime_2024" / "test.parquet"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    origin = {"path": str(file), "sha256": digest}
    assert manifest["decontaminated_against"] == {
        "sets": {"aime_2024": {"problems": 1, "origin": origin}},
        "ngram": 8,
        "overlap": 0.5,
    }
    assert pd.read_parquet(out / "train.parquet").extra_info[0]["source_row"] == 1


def test_test_splits_and_the_flag_are_left_alone(capsys, tmp_path):
    rows = [{"question": "How many legs have two cats and one dog, all in all, today?", "answer": "#### 12"}]
    path = write_rows(tmp_path / "in.jsonl", rows)
    sets = ["--evaluation", str(tmp_path / "exam")]
    assert main(["gsm8k", "--split", "test", "--from", str(path), "--out", str(tmp_path / "exam")]) == 0
    assert main(["gsm8k", "--split", "test", "--from", str(path), "--out", str(tmp_path / "again"), *sets]) == 0
    out = str(tmp_path / "train")
    assert main(["gsm8k", "--split", "train", "--from", str(path), "--out", out, *sets]) == 1
    assert "1 question: contaminates openai/gsm8k" in capsys.readouterr().err
    assert main(["gsm8k", "--split", "train", "--from", str(path), "--out", out, *sets, "--no-decontamination"]) == 0


@pytest.mark.parametrize("prompt", [None, [], "What is 1 + 1?", [{"role": "user"}], ["text"]])
def test_an_evaluation_set_of_another_form_is_told(capsys, tmp_path, prompt):
    path = write_rows(tmp_path / "in.jsonl", [{"question": "What is 1 + 1?", "answer": "#### 2"}])
    pd.DataFrame([{"data_source": "exam", "prompt": prompt}]).to_parquet(tmp_path / "exam.parquet")
    words = ["gsm8k", "--split", "train", "--from", str(path), "--out", str(tmp_path / "out"), "--evaluation"]
    assert main([*words, str(tmp_path / "exam.parquet")]) == 1
    error = capsys.readouterr().err
    assert f"--evaluation {tmp_path / 'exam.parquet'}: row 0: prompt is" in error and error.count("\n") == 1


def test_a_manifest_of_another_form_is_told(capsys, tmp_path):
    path = write_rows(tmp_path / "in.jsonl", [{"question": "What is 1 + 1?", "answer": "#### 2"}])
    prompt = [{"role": "user", "content": "What is 1 + 1?"}]
    pd.DataFrame([{"data_source": "exam", "prompt": prompt}]).to_parquet(tmp_path / "exam.parquet")
    (tmp_path / "manifest.json").write_text("[]")
    words = ["gsm8k", "--split", "train", "--from", str(path), "--out", str(tmp_path / "out"), "--evaluation"]
    assert main([*words, str(tmp_path / "exam.parquet")]) == 1
    assert "manifest.json: not the manifest of a prepared set" in capsys.readouterr().err

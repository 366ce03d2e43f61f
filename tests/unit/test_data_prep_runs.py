"""A second run into the same folder, and copies of a problem of which one has a bad answer."""

import json

import pandas as pd
import pytest

from data_prep.__main__ import main
from data_prep.duplicates import SeenProblems
from tests.data_prep_layouts import write_rows

GOOD = [{"problem": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(30)]


def questions(path):
    return {prompt[0]["content"] for prompt in pd.read_parquet(path).prompt}


def run(out, *options, rows=None, path=None):
    path = write_rows(out.parent / "in.jsonl", rows or GOOD)
    return main(["deepscaler", "--from", str(path), "--out", str(out), *options])


def test_a_second_run_leaves_no_split_of_the_first(tmp_path, capsys):
    out = tmp_path / "out"
    assert run(out, "--test-size", "10") == 0
    first = questions(out / "test.parquet")
    assert run(out) == 0
    assert len(questions(out / "train.parquet") & first) == 10
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "train.parquet"]
    assert f"removed {out}/test.parquet of an earlier run" in capsys.readouterr().err


def test_a_second_run_replaces_both_splits(tmp_path):
    out = tmp_path / "out"
    assert run(out, "--test-size", "10") == 0
    assert run(out, "--test-size", "10", "--seed", "1") == 0
    assert not questions(out / "train.parquet") & questions(out / "test.parquet")


def test_a_failed_second_run_leaves_the_first_as_it_was(tmp_path):
    out = tmp_path / "out"
    assert run(out, "--test-size", "10") == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert run(out, rows=[{"problem": "?", "answer": None}]) == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_one_split_beside_another_runs_other_split_is_refused(tmp_path, capsys):
    out = tmp_path / "out"
    for split in ("train", "test"):
        write_rows(tmp_path / "copy" / f"{split}.jsonl", [{"question": f"{split}?", "answer": "#### 1"}])
    command = ["gsm8k", "--from", str(tmp_path / "copy"), "--out", str(out)]
    assert main([*command, "--split", "train"]) == 0
    assert main([*command, "--split", "test"]) == 1
    assert "may hold the same problems" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "train.parquet"]
    assert main([*command, "--split", "train"]) == 0


@pytest.mark.parametrize("bad", ["It is plain that this holds", "proof", "\\frac{1", ""])
@pytest.mark.parametrize("between", [0, 6_000])
def test_an_unusable_first_copy_does_not_delete_a_good_one(tmp_path, bad, between):
    """In the same batch of rows and in a later one."""
    others = [{"problem": f"Number {n}?", "answer": "1"} for n in range(between)]
    good = {"problem": "What is 3 + 3?", "answer": "6"}
    rows = [{**good, "answer": bad}, *others, good, {**good, "answer": "7"}]
    out = tmp_path / "out"
    assert run(out, rows=rows) == 0
    kept = pd.read_parquet(out / "train.parquet")
    assert [row["ground_truth"] for row in kept.reward_model][-1] == "6"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["counts"]["train"] == {"read": between + 3, "kept": between + 1}
    assert manifest["dropped"]["train"]["question: duplicate with another answer"] == 1


def test_not_sampled_problems_are_counted_once(tmp_path):
    out = tmp_path / "out"
    assert run(out, "--limit", "5", rows=GOOD * 3) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["dropped"]["train"] == {"question: duplicate": 60, "not sampled": 25}


def test_what_was_not_added_is_no_repetition():
    seen = SeenProblems()
    assert seen.find("q?", "1", "train") is None
    assert seen.find("q?", "1", "train") is None
    seen.add("q?", "1", "test")
    assert seen.find("Q", "1", "train") == "duplicate of a test problem"
    assert seen.find("q", "1", "test") == "duplicate"
    assert seen.find("q", "2", "test") == "duplicate with another answer"


def test_why_nothing_is_left_to_train(tmp_path, capsys):
    prose = {"problem": "Why?", "answer": "It is plain that this holds"}
    assert run(tmp_path / "out", "--test-size", "1000", rows=[*GOOD, prose]) == 1
    error = capsys.readouterr().err
    assert "no row is left of 31: --test-size 1000 holds out all 30 that are usable, 1 answer: prose" in error


def test_the_source_out_of_reach_is_named_itself(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["gsm8k", "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "openai/gsm8k: the hub does not answer" in error
    assert "decontamination" not in error


def test_benchmarks_stay_whole_and_say_what_cannot_be_graded(tmp_path, capsys):
    rows = [
        {"question": "How fast?", "answer": "3e8"},
        {"question": "Why?", "answer": "It is plain that this holds"},
        {"question": "Which?", "answer": "[1, 2"},
    ]
    path = write_rows(tmp_path / "in.jsonl", rows)
    out = tmp_path / "out"
    assert main(["minerva_math", "--from", str(path), "--out", str(out)]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["counts"]["test"] == {"read": 3, "kept": 3}
    assert manifest["doubtful"] == {
        "test": {"prose": 1, "not read as mathematics: only the same text meets it": 1},
    }
    assert "test: 1 kept that cannot be graded: prose\n" in capsys.readouterr().out


def test_answers_any_keeps_what_it_counts(tmp_path):
    out = tmp_path / "out"
    prose = {"problem": "Why?", "answer": "It is plain that this holds"}
    assert run(out, "--answers", "any", rows=[*GOOD, prose]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["counts"]["train"]["kept"] == 31
    assert manifest["doubtful"] == {"train": {"prose": 1}}

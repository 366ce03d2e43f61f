"""`data_prep check` on files of all kinds: counts by reason, first rows, exit code, never a traceback."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep import inputs, tables
from data_prep.__main__ import main
from data_prep.check import check_file


def write(path, references):
    rewards = [{"style": "rule", "ground_truth": reference} for reference in references]
    pq.write_table(pa.table({"reward_model": pa.array(rewards)}), path)
    return path


def test_counts_by_reason_with_first_examples(tmp_path, capsys):
    references = ["5", None, "proof", "x^2", None, "It is not possible here", None, None, "\\frac{1"]
    path = write(tmp_path / "f.parquet", references)
    assert main(["check", "--data", str(path), "--examples", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}: 9 rows, 2 can be graded, 7 cannot"
    assert lines[1:4] == ["4 x null", "    row 1: None", "    row 4: None"]
    assert lines[4:] == [
        *("1 x a placeholder", "    row 2: proof"),
        *("1 x prose", "    row 5: It is not possible here"),
        *("1 x braces that do not close", "    row 8: \\frac{1"),
    ]


def test_a_file_without_fault(tmp_path, capsys):
    path = write(tmp_path / "f.parquet", ["5", "\\frac{1}{2}", "Yes", "(B)", "\\{1, 2\\}"])
    assert main(["check", "--data", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: 5 rows, 5 can be graded, 0 cannot\n"


@pytest.mark.parametrize(
    ("references", "reasons"),
    [
        ([{"target": 10, "numbers": [3, 7]}] * 2, {"a dict, not a text": 2}),
        ([["9", "10"], ["7"], [], None], {"an empty list": 1, "null": 1}),
        ([1, 2, None], {"null": 1}),
        ([1.5, float("nan")], {"not a finite number": 1}),
        ([True, False], {"a bool, not a text": 2}),
        ([b"5"], {"a bytes, not a text": 1}),
        ([None, None], {"null": 2}),
    ],
)
def test_references_of_other_types(tmp_path, references, reasons):
    assert dict(check_file(write(tmp_path / "f.parquet", references)).reasons) == reasons


def test_arrays_as_pandas_writes_them(tmp_path):
    frame = pd.DataFrame({"answer": [np.array(["9", "10"], dtype=object), np.array([], dtype=object), None]})
    frame.to_parquet(tmp_path / "f.parquet")
    found = check_file(tmp_path / "f.parquet", "answer")
    assert (found.rows, dict(found.reasons)) == (3, {"an empty list": 1, "null": 1})


@pytest.mark.parametrize("reward_model", ['{"ground_truth": "5"}', {"style": "rule"}, [1]])
def test_a_reward_model_that_is_none(tmp_path, reward_model):
    pq.write_table(pa.table({"reward_model": pa.array([reward_model])}), tmp_path / "f.parquet")
    assert dict(check_file(tmp_path / "f.parquet").reasons) == {"no ground_truth in it": 1}


def test_a_null_reward_model(tmp_path):
    pq.write_table(pa.table({"reward_model": pa.array([None, {"ground_truth": "1"}])}), tmp_path / "f.parquet")
    assert dict(check_file(tmp_path / "f.parquet").reasons) == {"null": 1}


def test_rows_are_numbered_through_the_batches(tmp_path):
    path = write(tmp_path / "f.parquet", [*map(str, range(4_500)), None])
    assert check_file(path).examples == {"null": ["row 4500: None"]}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b"PAR1"), "not a whole parquet file"),
        (lambda path: write(path, ["5"]) and path.write_bytes(path.read_bytes()[:-9]), "not a whole parquet file"),
        (lambda path: pd.DataFrame({"question": ["?"], "answer": ["5"]}).to_parquet(path), "column reward_model is"),
        (lambda path: pd.DataFrame({"reward_model": []}).to_parquet(path), "no rows"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, capsys, make, message):
    path = tmp_path / "f.parquet"
    make(path)
    assert main(["check", "--data", str(path)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("data_prep check: ")
    assert message in output.err
    assert output.err.count("\n") == 1


def no_dates(path):
    """A column of a date that Python has no number for."""
    pq.write_table(pa.table({"q": ["one"], "a": pa.array([2**62], pa.timestamp("us"))}), path)
    return path


def twice(path):
    columns = [pa.array(["one"]), pa.array(["1"]), pa.array(["2"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["q", "a", "a"]), path)
    return path


def test_a_value_that_python_cannot_hold(tmp_path, capsys):
    path = no_dates(tmp_path / "f.parquet")
    assert main(["check", "--data", str(path), "--answer", "a"]) == 2
    assert f"{path}: broken after row 0: " in capsys.readouterr().err


@pytest.mark.parametrize(("make", "told"), [(no_dates, "broken after row 0"), (twice, "column a is there twice")])
def test_a_table_whose_answers_cannot_be_read(tmp_path, capsys, make, told):
    path = make(tmp_path / "f.parquet")
    words = ["file", "--from", str(path), "--question", "q", "--answer", "a", "--out", str(tmp_path / "out")]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"data_prep: {path}: {told}") and error.count("\n") == 1


@pytest.mark.parametrize("name", ["f.parquet", "f.jsonl"])
def test_a_file_that_is_written_while_it_is_read(tmp_path, capsys, monkeypatch, name):
    """Its hash in the manifest would be that of other rows."""
    path = tmp_path / name
    frame = pd.DataFrame({"q": ["one", "two"], "a": ["1", "2"]})
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_json(path, orient="records", lines=True)
    for module in (inputs, tables):
        monkeypatch.setattr(module, "sha256", lambda path: os.utime(path, (0, 0)) or "0" * 64)
    words = ["file", "--from", str(path), "--question", "q", "--answer", "a", "--out", str(tmp_path / "out")]
    assert main(words) == 1
    assert f"{path}: changed while it was read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

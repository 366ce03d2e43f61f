"""Whatever is wrong with the input: one line that names it, and no half-written file."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from data_prep.__main__ import main
from tests.data_prep_layouts import write_rows

ROOT = Path(__file__).parents[2]
GOOD = [{"problem": f"What is {n} + {n}?", "answer": str(2 * n), "solution": ""} for n in range(30)]


def fails(capsys, tmp_path, *command):
    """The one line a failing command prints; nothing is left in its directory."""
    assert main([*command, "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("data_prep: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
    return error


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json"])
def test_missing_column(capsys, tmp_path, suffix):
    path = write_rows(tmp_path / f"in{suffix}", [{"problem": "1 + 1?", "result": "2"}])
    error = fails(capsys, tmp_path, "deepscaler", "--from", str(path))
    assert f"in{suffix}" in error
    assert "column answer is missing; got problem, result" in error


def test_a_row_of_a_json_file_without_the_column(capsys, tmp_path):
    path = write_rows(tmp_path / "in.jsonl", [*GOOD[:2], {"problem": "?"}])
    assert "in.jsonl: row 2: column answer is missing" in fails(capsys, tmp_path, "deepscaler", "--from", str(path))


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json", ".csv"])
def test_empty_file(capsys, tmp_path, suffix):
    path = tmp_path / f"in{suffix}"
    path.touch()
    assert f"in{suffix}: the file is empty" in fails(capsys, tmp_path, "deepscaler", "--from", str(path))


def test_no_rows(capsys, tmp_path):
    path = tmp_path / "in.parquet"
    pd.DataFrame({"problem": [], "answer": []}).to_parquet(path)
    assert "in.parquet: no rows" in fails(capsys, tmp_path, "deepscaler", "--from", str(path))


def test_no_row_is_left(capsys, tmp_path):
    path = write_rows(tmp_path / "in.jsonl", [{"problem": "?", "answer": None}] * 2)
    error = fails(capsys, tmp_path, "deepscaler", "--from", str(path))
    assert "deepscaler train: no row is left of 2: 2 answer: null" in error


def test_answers_of_all_kinds(capsys, tmp_path):
    values = [
        "4",
        None,
        5,
        6.0,
        0.5,
        "",
        {"x": 7},
        True,
        float("nan"),
        "It is plain that this holds",
        "3\\%",
        "\\frac{1",
    ]
    rows = [{"problem": f"Problem {n}", "answer": value} for n, value in enumerate(values)]
    path = write_rows(tmp_path / "in.jsonl", rows)
    out = tmp_path / "out"
    assert main(["deepscaler", "--from", str(path), "--out", str(out), "--show-dropped"]) == 0
    kept = pd.read_parquet(out / "train.parquet")
    assert [truth["ground_truth"] for truth in kept.reward_model] == ["4", "5", "6", "0.5", "3\\%"]
    dropped = json.loads((out / "manifest.json").read_text())["dropped"]["train"]
    assert dropped == {
        "answer: null": 1,
        "answer: blank": 1,
        "answer: a dict, not a text": 1,
        "answer: a bool, not a text": 1,
        "answer: not a finite number": 1,
        "answer: prose": 1,
        "answer: braces that do not close": 1,
    }
    listed = capsys.readouterr().out
    assert "dropped from train: row 1: column answer: null\n" in listed
    assert "dropped from train: row 6: column answer: a dict, not a text: {'x': 7}\n" in listed
    assert "dropped from train: row 11: column answer: braces that do not close: \\frac{1\n" in listed


def test_duplicates(tmp_path):
    rows = [
        {"problem": "What is $x^2$ for $x = 3$?", "answer": "9"},
        {"problem": "what is x^{2} for\n x=3", "answer": "9"},
        {"problem": "What is $x^2$ for $x = 3$ ?", "answer": "8"},
        {"problem": "What is $x^2$ for $x = -3$?", "answer": "9"},
    ]
    path = write_rows(tmp_path / "in.jsonl", rows)
    assert main(["deepscaler", "--from", str(path), "--out", str(tmp_path / "out")]) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"]["train"] == {"read": 4, "kept": 2}
    assert manifest["dropped"]["train"] == {"question: duplicate": 1, "question: duplicate with another answer": 1}


def test_a_truncated_parquet_file(capsys, tmp_path):
    path = write_rows(tmp_path / "in.parquet", GOOD)
    path.write_bytes(path.read_bytes()[:-20])
    assert "in.parquet: not a whole parquet file" in fails(capsys, tmp_path, "deepscaler", "--from", str(path))


def test_a_parquet_file_that_is_broken_inside(capsys, tmp_path):
    path = tmp_path / "in.parquet"
    rows = pd.DataFrame(GOOD * 200)
    rows.to_parquet(path, row_group_size=1000, compression="zstd")
    broken = bytearray(path.read_bytes())
    middle = len(broken) // 3
    broken[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(broken)
    error = fails(capsys, tmp_path, "deepscaler", "--from", str(path))
    assert "in.parquet: broken after row " in error


def test_lines_that_are_not_json(capsys, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(GOOD[0]) + "\n{oops\n")
    assert "in.jsonl: row 1 is not JSON" in fails(capsys, tmp_path, "deepscaler", "--from", str(path))


@pytest.mark.parametrize(
    ("name", "line"),
    [("in.jsonl", "[" * 100_000), ("in.jsonl", '{"problem": ' + "9" * 5000 + "}"), ("in.json", "[" * 100_000)],
    ids=["nested too deep", "a number too long", "a list nested too deep"],
)
def test_json_that_python_cannot_read(capsys, tmp_path, name, line):
    path = tmp_path / name
    path.write_text(line)
    assert re.search(rf"{name}:.* not JSON: \w+Error", fails(capsys, tmp_path, "deepscaler", "--from", str(path)))


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, suffix):
    """As spreadsheets and Windows write it."""
    path = tmp_path / f"in.{suffix}"
    pd.DataFrame(GOOD).to_csv(path, index=False) if suffix == "csv" else write_rows(path, GOOD)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert main(["deepscaler", "--from", str(path), "--out", str(tmp_path / "out")]) == 0


def test_bytes_that_are_no_text(capsys, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    assert "in.jsonl: broken after row" in fails(capsys, tmp_path, "deepscaler", "--from", str(path))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["deepscaler", "--from", "nowhere.parquet"], "--from nowhere.parquet: no such file"),
        (["deepscaler", "--from", __file__], "unknown format; allowed: .parquet, .jsonl, .json, .csv"),
        (["reasoning_gym", "--task", "nothing"], "--task nothing: no such task; allowed: ab, acre,"),
        (["reasoning_gym", "--task", "gcd", "--size", "0"], "--size 0: allowed"),
        (["reasoning_gym", "--task", "gcd", "--config", "speed=9"], "--config speed=9: gcd refuses it"),
        (["champ", "--skip", "3"], "--skip without --limit"),
        (["champ", "--evaluation", "nowhere"], "--evaluation nowhere: allowed: a parquet file"),
        (["gsm8k", "--test-size", "3"], "--test-size: gsm8k has a test split of its own"),
    ],
)
def test_bad_options(capsys, tmp_path, command, message):
    assert message in fails(capsys, tmp_path, *command)


def test_the_hub_out_of_reach(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    error = fails(capsys, tmp_path, "gsm8k", "--no-decontamination")
    assert "openai/gsm8k: the hub does not answer for revision main" in error
    assert "--from PATH reads a local copy" in error


def test_a_directory_without_the_split(capsys, tmp_path):
    write_rows(tmp_path / "copy" / "train.jsonl", [{"question": "?", "answer": "#### 1"}])
    error = fails(capsys, tmp_path, "gsm8k", "--from", str(tmp_path / "copy"))
    assert "(split test): cannot be loaded" in error


def test_a_directory_without_data(capsys, tmp_path):
    (tmp_path / "copy").mkdir()
    assert "copy: cannot be loaded" in fails(capsys, tmp_path, "gsm8k", "--from", str(tmp_path / "copy"))


def test_a_directory_with_a_broken_file(capsys, tmp_path):
    path = write_rows(tmp_path / "copy" / "train.parquet", GOOD)
    path.write_bytes(path.read_bytes()[:-20])
    error = fails(capsys, tmp_path, "deepscaler", "--from", str(tmp_path / "copy"))
    assert "copy (split train): " in error


def _command(tmp_path, rows):
    path = write_rows(tmp_path / "in.jsonl", rows)
    return [sys.executable, "-m", "data_prep", "deepscaler", "--from", str(path), "--out", str(tmp_path / "out")]


def test_a_full_disk(tmp_path):
    """A limit on the file size is the full disk that a test can have."""
    limited = "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); sys.argv = sys.argv[1:]; "
    limited += "runpy.run_module('data_prep', run_name='__main__', alter_sys=True)"
    command = _command(tmp_path, GOOD)
    command[1:3] = ["-c", limited, "data_prep"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert f"{tmp_path}/out/train.parquet: cannot be written" in result.stderr
    assert "File too large" in result.stderr
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def _hear_sigint():
    """A background job of a shell inherits SIGINT as ignored, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_output(tmp_path, how):
    """A killed run may leave a file, but only under its partial name; the next run replaces it."""
    rows = [{"problem": f"Number {n}?", "answer": str(n)} for n in range(200_000)]
    command = _command(tmp_path, rows)
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=_hear_sigint)
    out = tmp_path / "out"
    while not list(out.glob("*.partial")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(how)
    _, error = process.communicate()
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in error
    left = [path.name for path in out.iterdir()]
    assert left == ([] if how == signal.SIGINT else ["train.parquet.partial"])
    write_rows(tmp_path / "in.jsonl", rows[:10])
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "train.parquet"]

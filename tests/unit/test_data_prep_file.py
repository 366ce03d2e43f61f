"""`data_prep file`: tables nobody has vetted become verl's rows; what is wrong with a row is that row's reason."""

import json
from decimal import Decimal

import pandas as pd
import pytest

from data_prep.__main__ import main
from data_prep.answers import refused
from tests.data_prep_layouts import write_rows


def prepare(tmp_path, path, *options):
    out = tmp_path / "out"
    command = ["file", "--from", str(path), "--question", "q", "--answer", "a", "--out", str(out), *options]
    assert main([*command, "--instruction", ""]) == 0
    frame = pd.read_parquet(out / "train.parquet")
    pairs = zip(frame.prompt, frame.reward_model, strict=True)
    kept = {prompt[0]["content"]: reward["ground_truth"] for prompt, reward in pairs}
    return kept, json.loads((out / "manifest.json").read_text())


def test_bad_lines_are_counted_and_the_file_goes_on(tmp_path):
    path = tmp_path / "in.jsonl"
    lines = [
        b'{"q": "one", "a": "1"}',
        b"oops",
        b"[1, 2]",
        b'{"q": "two"',
        b'{"q": "three", "a": null}',
        b'{"a": "4"}',
        b'\xff\xfe{"q": "five", "a": "5"}',
        b'{"q": "six", "a": {"value": 6}}',
        b"",
        b'{"q": "seven", "a": 7}',
    ]
    path.write_bytes(b"\n".join(lines))
    kept, manifest = prepare(tmp_path, path)
    assert kept == {"one": "1", "seven": "7"}
    assert manifest["counts"]["train"] == {"read": 9, "kept": 2}
    assert manifest["dropped"]["train"] == {
        "(row): not JSON": 2,
        "(row): a list, not an object": 1,
        "a: null": 1,
        "q: not there": 1,
        "(row): not UTF-8": 1,
        "a: a dict, not a text": 1,
    }


def test_a_json_list_with_rows_that_are_none(tmp_path):
    path = tmp_path / "in.json"
    path.write_text('[{"q": "one", "a": 1}, 7, null, {"q": "two"}, {"q": "three", "a": "3"}]')
    kept, manifest = prepare(tmp_path, path)
    assert kept == {"one": "1", "three": "3"}
    dropped = {"(row): a int, not an object": 1, "(row): null": 1, "a: not there": 1}
    assert manifest["dropped"]["train"] == dropped


def test_csv(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text('q,a\n"one, two?","1,2"\nshort\nlong,1,2\n"half of ""one""?",\\frac{1}{2}\nblank,\n')
    kept, manifest = prepare(tmp_path, path)
    assert kept == {"one, two?": "1,2", 'half of "one"?': "\\frac{1}{2}"}
    dropped = {"a: null": 1, "(row): more values than columns": 1, "a: blank": 1}
    assert manifest["dropped"]["train"] == dropped


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_what_an_answer_column_may_hold(tmp_path, suffix):
    answers = {
        "reference": "\\frac{1}{2}",
        "box": "So it is $\\boxed{3}$.",
        "hashes": "3*4 = 12\n#### 12",
        "phrase": "We add and find that the answer is 9.",
        "prose": "It is plain that this holds",
        "parts": "$a=\\boxed{3}$, $b=\\boxed{4}$",
    }
    path = write_rows(tmp_path / f"in{suffix}", [{"q": name, "a": answer} for name, answer in answers.items()])
    kept, manifest = prepare(tmp_path, path)
    assert kept == {"reference": "\\frac{1}{2}", "box": "3", "hashes": "12", "phrase": "9"}
    expected = {"a: several boxes that are parts of one answer": 1, "answer: prose": 1}
    assert manifest["dropped"]["train"] == expected


def test_structs_and_messages(tmp_path):
    rows = [{"prompt": [{"role": "user", "content": "one"}], "reward_model": {"ground_truth": "1"}}]
    path = write_rows(tmp_path / "in.parquet", rows)
    out = tmp_path / "out"
    columns = ["--question", "prompt", "--answer", "reward_model.ground_truth", "--data-source", "mine"]
    assert main(["file", "--from", str(path), *columns, "--out", str(out)]) == 0
    row = pd.read_parquet(out / "train.parquet").iloc[0]
    assert row.data_source == "mine"
    assert row.prompt[0]["content"].startswith("one\n\n")
    assert row.reward_model["ground_truth"] == "1"


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_a_wrong_column_is_named_with_those_there_are(tmp_path, capsys, suffix):
    path = tmp_path / f"in{suffix}"
    if suffix == ".csv":
        path.write_text("q,a\none,1\n")
    else:
        write_rows(path, [{"q": "one", "a": "1"}])
    command = ["file", "--from", str(path), "--question", "question", "--answer", "a", "--out", str(tmp_path / "out")]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "column question is" in error
    assert "got q, a" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"", "the file is empty"), (b"\n\n", "there are no rows")]
)
def test_no_table(tmp_path, capsys, content, message):
    path = tmp_path / "in.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert main(["file", "--from", str(path), "--question", "q", "--answer", "a", "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", b"PAR1\x15\x04", "holds a parquet file, to be named .parquet"),
        ("in.jsonl", b"\x1f\x8b\x08\x00", "holds gzip, to be unpacked with gunzip"),
        ("in.csv", b"PK\x03\x04", "a zip file or a spreadsheet, to be unpacked, or saved as CSV"),
        ("in.csv", "q,a\none,1\n".encode("utf-16"), "holds UTF-16, to be converted with iconv"),
        ("in.csv.gz", b"\x1f\x8b", "packed, gunzip it first"),
        ("in.json", b'{"q": "one", "a": 1}\n{"q": "two", "a": 2}', "one object a line is .jsonl"),
        ("in.csv", b"q,a,a\none,1,2\n", "column a is there twice"),
    ],
)
def test_a_file_of_another_kind_says_what_it_is(tmp_path, capsys, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert main(["file", "--from", str(path), "--question", "q", "--answer", "a", "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_half_characters_are_counted(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"q": "\\ud800", "a": "1"}\n{"q": "two", "a": "\\ud800"}\n{"q": "\\ud83d\\ude00", "a": "3"}\n')
    kept, manifest = prepare(tmp_path, path)
    assert kept == {"\U0001f600": "3"}
    reason = "half a character (a lone surrogate)"
    assert manifest["dropped"]["train"] == {f"q: {reason}": 1, f"a: {reason}": 1}


def test_decimals_of_a_database(tmp_path):
    path = tmp_path / "in.parquet"
    answers = [Decimal("1.50"), Decimal("100.00"), Decimal("NaN"), None]
    pd.DataFrame({"q": ["one", "two", "three", "four"], "a": answers}).to_parquet(path)
    kept, manifest = prepare(tmp_path, path)
    assert kept == {"one": "1.5", "two": "100"}
    assert manifest["dropped"]["train"] == {"a: null": 2}  # a NaN of a column of decimals is a null


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", [".csv", ".TSV"])
def test_what_parts_the_columns_is_found(tmp_path, delimiter, suffix):
    """As spreadsheets write it where a comma stands in numbers, with a byte order mark."""
    path = tmp_path / f"in{suffix}"
    lines = [("Frage, lang", "Antwort"), ("Was ist 1,5 + 1?", "2,5"), ("Zwei\nZeilen?", "7")]
    text = "".join(delimiter.join(f'"{value}"' for value in line) + "\n" for line in lines)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    command = ["file", "--from", str(path), "--question", "Frage, lang", "--answer", "Antwort", "--instruction", ""]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    kept = pd.read_parquet(tmp_path / "out/train.parquet")
    assert [prompt[0]["content"] for prompt in kept.prompt] == ["Was ist 1,5 + 1?", "Zwei\nZeilen?"]
    assert [truth["ground_truth"] for truth in kept.reward_model] == ["2,5", "7"]


def test_numbers_that_python_does_not_read_are_counted(tmp_path, capsys):
    path = tmp_path / "in.ndjson"
    path.write_text('{"q": "a", "a": %s}\n{"q": "b", "a": Infinity}\n{"q": "c", "a": 12}\n' % ("9" * 5000))
    command = ["file", "--from", str(path), "--question", "q", "--answer", "a", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "1 left out: (row): cannot be read: Exceeds the limit" in told
    assert "1 left out: a: not a finite number" in told


@pytest.mark.parametrize(
    ("answer", "is_prose"),
    [
        ("所以答案是 12。", True),
        ("답은 7입니다", True),
        ("没有实数解", True),
        ("星期三", False),
        ("3厘米", False),
        ("不存在", False),
    ],
)
def test_sentences_without_spaces_are_prose(answer, is_prose):
    assert (refused(answer) == "prose") == is_prose


def test_more_held_out_than_there_are(tmp_path, capsys):
    """Told before any answer is checked."""
    path = write_rows(tmp_path / "in.parquet", [{"q": "one", "a": "prose that would be dropped"}] * 2)
    command = ["file", "--from", str(path), "--question", "q", "--answer", "a", "--out", str(tmp_path / "out")]
    assert main([*command, "--test-size", "2"]) == 1
    assert "--test-size 2: file has 2 rows; allowed: fewer" in capsys.readouterr().err
    assert (
        main(["file", "--from", str(tmp_path), "--question", "q", "--answer", "a", "--out", str(tmp_path / "o")]) == 1
    )
    assert f"--from {tmp_path}: a directory; allowed: .parquet" in capsys.readouterr().err


def test_a_dataset_on_the_hub(tmp_path, monkeypatch):
    """What `datasets` is asked for; the hub itself is out of reach for a test."""
    import datasets
    import huggingface_hub

    class Info:
        sha = "0123abcd"

    class Api:
        def dataset_info(self, repository, revision=None):
            return Info()

    loaded = []

    def load_dataset(place, **how):
        loaded.append((place, how["name"], how["split"], how["revision"]))
        return datasets.Dataset.from_list([{"q": "one", "a": "1", "other": 0}, {"q": "two", "a": None, "other": 0}])

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    kept, manifest = prepare(tmp_path, "someone/set", "--hub-config", "main", "--hub-split", "all")
    assert kept == {"one": "1"}
    assert loaded == [("someone/set", "main", "all", "0123abcd")]
    assert manifest["origin"]["train"]["revision"] == "0123abcd"
    assert manifest["dropped"]["train"] == {"a: null": 1}

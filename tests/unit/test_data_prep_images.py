"""`data_prep file --images`: a table with pictures becomes rows in geo3k's layout."""

import json

import pandas as pd
import pytest

from data_prep.__main__ import main
from data_prep.schema import validate_row, write_parquet
from mrt_verl.evaluation.problems import read_problems

BLUE, RED = b"a blue picture", b"a red picture"


def prepare(tmp_path, path, *options):
    out = tmp_path / "out"
    command = ["file", "--from", str(path), "--question", "problem", "--answer", "answer", "--out", str(out)]
    assert main([*command, "--instruction", "Box it.", *options]) == 0
    return pd.read_parquet(out / "train.parquet"), json.loads((out / "manifest.json").read_text())


@pytest.fixture
def geo3k(tmp_path):
    """Columns of hiyouga/geometry3k; two rows ask the same of two pictures."""
    path = tmp_path / "geo.parquet"
    rows = [
        ("<image>Find x.", "3", [BLUE]),
        ("<image>Find x.", "4", [RED]),
        ("Compare <image> and <image>.", "5", [RED, BLUE]),
    ]
    frame = [
        {"images": [{"bytes": one, "path": None} for one in images], "problem": text, "answer": answer}
        for text, answer, images in rows
    ]
    pd.DataFrame(frame).to_parquet(path)
    return path


def test_geo3ks_layout(tmp_path, geo3k):
    frame, manifest = prepare(tmp_path, geo3k, "--images", "images")
    assert [row[0]["content"] for row in frame.prompt] == [
        "<image>Find x.\n\nBox it.",
        "<image>Find x.\n\nBox it.",
        "Compare <image> and <image>.\n\nBox it.",
    ]
    assert [[image["bytes"] for image in images] for images in frame.images] == [[BLUE], [RED], [RED, BLUE]]
    assert manifest["origin"]["train"]["images"] == "images" and not manifest["dropped"]["train"]


def test_without_the_option_there_is_no_such_column(tmp_path, geo3k):
    frame, manifest = prepare(tmp_path, geo3k)
    assert "images" not in frame.columns
    assert manifest["dropped"]["train"] == {"question: duplicate with another answer": 1}


def test_the_same_question_about_the_same_picture_is_one_problem(tmp_path, geo3k):
    frame = pd.read_parquet(geo3k)
    pd.concat([frame, frame.iloc[[0]]]).to_parquet(geo3k)
    _, manifest = prepare(tmp_path, geo3k, "--images", "images")
    assert manifest["dropped"]["train"] == {"question: duplicate": 1}


def test_paths_are_read_and_questions_get_their_placeholders(tmp_path):
    (tmp_path / "a.png").write_bytes(BLUE)
    rows = [
        {"problem": "What is it?", "answer": "1", "pic": "a.png"},
        {"problem": "No picture.", "answer": "2", "pic": None},
        {"problem": "Gone.", "answer": "3", "pic": "b.png"},
        {"problem": "One of two: <image>", "answer": "4", "pic": ["a.png", "a.png"]},
        {"problem": "Seven.", "answer": "5", "pic": 7},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    frame, manifest = prepare(tmp_path, path, "--images", "pic")
    assert [row[0]["content"] for row in frame.prompt] == ["<image>What is it?\n\nBox it.", "No picture.\n\nBox it."]
    assert [[(one["bytes"], one["path"]) for one in images] for images in frame.images] == [[(BLUE, "a.png")], []]
    assert manifest["dropped"]["train"] == {
        "pic: an image that cannot be read: No such file or directory": 1,
        "pic: 2 images, and <image> 1 times in the question": 1,
        "pic: a int, not an image": 1,
    }


def test_a_row_whose_images_have_no_bytes_is_not_valid(tmp_path):
    row = {
        "data_source": "s",
        "prompt": [{"role": "user", "content": "?"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "7"},
        "extra_info": {"index": 0},
    }
    validate_row({**row, "images": []}, 0)
    with pytest.raises(ValueError, match="row 0: images; allowed: a list of encoded images"):
        validate_row({**row, "images": [{"bytes": None, "path": "a.png"}]}, 0)
    write_parquet([{**row, "images": [{"bytes": BLUE, "path": None}]}], tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="row 0 has images; allowed: rows of text, an evaluation reads no media"):
        read_problems(tmp_path / "t.parquet")

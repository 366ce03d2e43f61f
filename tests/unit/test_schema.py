"""verl's columns: errors name the row, the column and what is allowed."""

import pandas as pd
import pytest

from data_prep.schema import make_row, write_parquet


def row(**changes):
    made = make_row(data_source="s", question="1 + 1?", answer="2", ability="math", split="train", index=0)
    return {**made, **changes}


def test_round_trip(tmp_path):
    path = tmp_path / "new" / "train.parquet"
    assert write_parquet([row(), row()], path) == 2
    read = pd.read_parquet(path)
    assert list(read.columns) == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    assert read.loc[0, "reward_model"] == {"style": "rule", "ground_truth": "2"}
    assert list(read.loc[0, "prompt"]) == [{"role": "user", "content": "1 + 1?"}]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"prompt": "1 + 1?"}, r"row 1: prompt='1 \+ 1\?'; allowed: a list"),
        ({"prompt": []}, r"row 1: prompt=\[\]; allowed: a list that is not empty"),
        ({"prompt": [{"role": "user"}]}, r"row 1: prompt holds \{'role': 'user'\}; allowed: messages"),
        ({"data_source": None}, r"row 1: data_source=None; allowed: a str"),
        ({"reward_model": {"style": "rule", "ground_truth": 2}}, r"row 1: reward_model\.ground_truth=2; allowed"),
        ({"reward_model": {"style": "rule", "ground_truth": " "}}, r"row 1: reward_model\.ground_truth=' '; allowed"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path, bad, message):
    path = tmp_path / "train.parquet"
    with pytest.raises(ValueError, match=message):
        write_parquet([row(), row(**bad)], path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_column(tmp_path):
    incomplete = row()
    del incomplete["ability"]
    with pytest.raises(ValueError, match=r"row 0: column ability is missing"):
        write_parquet([incomplete], tmp_path / "train.parquet")


def test_no_rows(tmp_path):
    with pytest.raises(ValueError, match="no rows"):
        write_parquet([], tmp_path / "train.parquet")

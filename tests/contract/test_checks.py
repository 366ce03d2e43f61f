"""A run that could not train with MRT ends before Ray starts, with the key, the value and what is allowed."""

import logging
import socket
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from mrt_verl import check
from mrt_verl.hooks.checks import check_run, cluster, find_problems, machine, media, token_boundaries
from tests.builders import ROW, SMALL
from tests.fakes import toy_tokenizer

GROUP = "actor_rollout_ref.rollout.n=4"
VLLM = "actor_rollout_ref.rollout.name=vllm"
FLOAT32 = "actor_rollout_ref.rollout.dtype=float32"


@pytest.fixture
def model(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    save_file({"weight": np.zeros(1)}, tmp_path / "model.safetensors")
    return f"actor_rollout_ref.model.path={tmp_path}"


def test_a_good_run_passes(compose, model):
    check_run(compose("reward_model=mrt", GROUP, VLLM, model))


def test_the_other_experiments_pass(compose, model):
    for name in ("mrt_prefix", "mrt_backtrack"):
        check_run(compose(f"reward_model={name}", GROUP, VLLM, model))


def test_an_adapter_that_is_not_scored_passes(compose, model):
    check_run(compose("reward_model=mrt", GROUP, VLLM, model, "actor_rollout_ref.model.lora_rank=8"))


@pytest.mark.parametrize(
    ("overrides", "is_warned"),
    [
        (("data.max_response_length=2048", "mrt.prover=anchored"), False),
        (("data.max_response_length=16384", "mrt.prover=anchored"), True),
        (("data.max_response_length=16384",), False),
    ],
)
def test_scoring_after_long_traces_is_warned_of(compose, model, caplog, overrides, is_warned):
    with caplog.at_level(logging.WARNING):
        check_run(compose("reward_model=mrt", GROUP, VLLM, model, *overrides))
    assert ("data.max_response_length=16384: each scored prompt" in caplog.text) == is_warned


def test_the_variant_alone_chooses_the_agent_loop(compose, model, caplog):
    check_run(compose("reward_model=mrt", GROUP, VLLM, model, "mrt.variant=prefix", "mrt.prover=sample"))
    assert caplog.text == ""
    old_name = "actor_rollout_ref.rollout.agent.default_agent_loop=mrt_prefix"
    with caplog.at_level(logging.WARNING):
        check_run(compose("reward_model=mrt_prefix", GROUP, VLLM, model, old_name))
    assert "default_agent_loop=mrt_prefix: write mrt, mrt.variant=prefix chooses" in caplog.text


def test_the_group_filter_takes_the_outcome_by_itself(compose, model):
    check_run(compose("reward_model=mrt", GROUP, VLLM, model, "algorithm.filter_groups.enable=True"))


def test_the_models_own_context_counts_where_the_run_sets_none(compose, tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 4096}')
    sizes = ("data.max_prompt_length=1024", "data.max_response_length=3072")
    run = ("reward_model=mrt", GROUP, VLLM, f"actor_rollout_ref.model.path={tmp_path}")
    with pytest.raises(ValueError, match=r"max_position_embeddings=4096; allowed: 41\d\d or more .*; lower data"):
        check_run(compose(*run, *sizes))
    check_run(compose(*run, sizes[0], "data.max_response_length=2900"))


def of_machine(config):
    """Of this machine alone: what is wrong with the config as such is tested above."""
    return [line for line in find_problems(config) if line not in find_problems(config, of_machine=False)]


@pytest.fixture
def good(compose, model, tmp_path, monkeypatch):
    """good(…) -> a run that starts on this machine, with further overrides."""
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    write_rows(tmp_path / "train.parquet", [{}] * 3)

    def build(*overrides):
        files = [f"data.{key}_files={tmp_path}/train.parquet" for key in ("train", "val")]
        return compose("reward_model=mrt", GROUP, VLLM, model, *files, *SMALL, FLOAT32, *overrides)

    return build


def write_rows(path, changes):
    """A parquet file with one row for each dict of changes."""
    pd.DataFrame([{**ROW, **change} for change in changes]).to_parquet(path)


def test_a_run_that_starts_on_this_machine(good):
    assert of_machine(good()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([{}, {"agent_name": "tool_agent"}], "column agent_name=tool_agent; allowed: mrt, or no such column"),
        ([{}, {"reward_model": {"ground_truth": None}}], "row 1 (1 of the first 2) has no reward_model.ground_truth"),
        ([{}, {"reward_model": None}], "row 1 (1 of the first 2) has no reward_model.ground_truth"),
    ],
)
def test_rows_that_cannot_train_are_told(good, tmp_path, changes, message):
    config = good()
    write_rows(tmp_path / "train.parquet", changes)
    found = of_machine(config)
    assert len(found) == 1 and message in found[0], found


IMAGE = {"prompt": [{"role": "user", "content": "<image> ?"}], "images": [{"bytes": b"png", "path": None}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([{}] * 70 + [{"videos": ["a.mp4"]}], "rows hold videos; allowed: text and images, MRT rolls out no videos"),
        ([{}, {"audios": [b"wav"]}], "rows hold audios; allowed: text and images, MRT rolls out no audios"),
        (
            [{"prompt": [{"role": "user", "content": [{"type": "video", "video": "a.mp4"}]}]}],
            "rows hold videos; allowed: text and images",
        ),
        (
            [{"images": []}, {"images": IMAGE["images"]}],
            "row 1 has 1 images in column images and 0 times <image> in its prompt; allowed: as many",
        ),
        ([{"images": []}, IMAGE], "has images, which verl reads with a package that is not here; pip install qwen-vl"),
    ],
)
@pytest.mark.parametrize("key", ["train_files", "val_files"])
def test_media_that_this_run_cannot_roll_out(good, tmp_path, monkeypatch, key, changes, message):
    monkeypatch.setitem(sys.modules, "qwen_vl_utils", None)
    config = good(f"data.{key}={tmp_path}/media.parquet")
    write_rows(tmp_path / "media.parquet", changes)
    found = of_machine(config)
    assert any(line.startswith(f"data.{key}=") and message in line for line in found), found


def test_images_need_a_model_that_sees(good, tmp_path, monkeypatch):
    monkeypatch.setattr(media, "util", SimpleNamespace(find_spec=lambda name: name))
    config = good()
    write_rows(tmp_path / "train.parquet", [{"images": []}, IMAGE])
    lines = of_machine(config)
    assert lines and all("verl can load no image processor, and data." in line for line in lines)
    monkeypatch.setattr(media, "load_processor", lambda _: object())
    assert of_machine(config) == []


def test_a_dataset_class_of_the_runs_own_reads_its_files_itself(good, tmp_path):
    config = good("data.custom_cls.path=mine.py", "data.custom_cls.name=Mine")
    write_rows(tmp_path / "train.parquet", [{"videos": ["a.mp4"]}] * 3)
    assert of_machine(config) == []


def test_a_data_source_that_verl_cannot_score(good, tmp_path):
    (line,) = of_machine(good("mrt.outcome=compute_score", "mrt.prover=sample"))
    assert line.endswith(
        "verl has no scorer for data_source=s; allowed with mrt.outcome=compute_score: a source that verl scores, or a "
        "reward.custom_reward_function"
    )
    config = good("mrt.outcome=compute_score", "mrt.prover=sample")
    write_rows(tmp_path / "train.parquet", [{"data_source": "openai/gsm8k"}] * 2)
    assert of_machine(config) == []


def test_a_file_that_is_no_parquet(good, tmp_path):
    config = good()
    (tmp_path / "train.parquet").write_text("nothing")
    (line,) = of_machine(config)
    assert line.startswith(f"data.train_files={tmp_path}/train.parquet: ")
    config = good("mrt.outcome=compute_score", "mrt.prover=sample")
    (tmp_path / "train.parquet").write_text("nothing")
    (line,) = of_machine(config)  # once, and no traceback, also where its data sources would be looked at
    assert line.startswith(f"data.train_files={tmp_path}/train.parquet: ")


def test_a_cluster_that_does_not_answer(good, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    (line,) = of_machine(good())
    assert line.startswith(f"RAY_ADDRESS=127.0.0.1:{port}: ") and "allowed: a cluster that runs" in line


def test_another_ray_beside_ones_own_is_warned_of(good, monkeypatch, tmp_path, caplog):
    """Seen: another training on the machine removed the socket of this one's weights, and it hung."""
    monkeypatch.setattr(cluster, "RUNNING_CLUSTER", tmp_path / "ray_current_cluster")
    monkeypatch.setattr(cluster, "PROCESSES", tmp_path / "proc")
    for process, name in (("12", "raylet"), ("13", "gcs_server"), ("14", "gcs_server_of_mine")):
        (tmp_path / "proc" / process).mkdir(parents=True)
        (tmp_path / "proc" / process / "comm").write_text(f"{name}\n")
    (tmp_path / "proc" / "15").mkdir()  # ended since
    assert of_machine(good()) == []
    assert "another Ray runs on this machine (process 13), and this run starts its own" in caplog.text
    caplog.clear()
    (tmp_path / "ray_current_cluster").write_text("10.0.0.1:6379")  # which it joins
    assert of_machine(good()) == [] and caplog.text == ""


def test_a_machine_without_a_gpu(good, monkeypatch, tmp_path):
    config = good()
    monkeypatch.setenv("VERL_PLATFORM", "")
    monkeypatch.setattr(machine, "_has_gpu", lambda: False)
    monkeypatch.setattr(machine, "ACCELERATORS", ("no-such-device*",))
    monkeypatch.setattr(cluster, "RUNNING_CLUSTER", tmp_path / "ray_current_cluster")
    (line,) = of_machine(config)
    assert "allowed: a machine with one, or VERL_PLATFORM=cpu python -m verl.trainer.main_ppo … +hardware=cpu" in line
    (tmp_path / "ray_current_cluster").write_text("10.0.0.1:6379")  # the driver may be on a head node without one
    assert of_machine(config) == []


def test_the_check_command(good, model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    good()
    files = [f"data.{key}_files={tmp_path}/train.parquet" for key in ("train", "val")]
    run = ["reward_model=mrt", GROUP, VLLM, model, *files, *SMALL, FLOAT32]
    assert check.main(run) == 0
    shown = capsys.readouterr()
    assert "fine: this run may start." in shown.out and "prover      seen: 1 answer of at most 32 tokens" in shown.out
    assert check.main([*run, "mrt.credit=sum", "actor_rollout_ref.rollout.n=1"]) == 2
    assert "refused: mrt.credit='sum'; allowed" in capsys.readouterr().err
    assert check.main([*run, "mrt.alfa=1"]) == 2
    assert "refused: mrt.alfa is not a setting, did you mean mrt.alpha?" in capsys.readouterr().err
    assert check.main([*run, "data.no_such_key=1"]) == 2
    assert "the config does not compose: " in capsys.readouterr().err
    assert check.main(run[1:]) == 2
    assert "it trains without MRT" in capsys.readouterr().err
    assert check.main(["--help"]) == 0


def test_a_stop_text_that_ends_inside_a_token_is_warned_of(good, tmp_path, monkeypatch, caplog):
    """Two of the three answers of the data begin with a bracket, which this vocabulary merges with the brace."""
    pieces = ("\\boxed", "{", "{(", "{\\", "(", "\\", "frac", *"0123456789")
    monkeypatch.setattr(token_boundaries, "load_tokenizer", lambda _: toy_tokenizer(pieces))
    truths = ["(1, 2)", "\\frac{1}{2}", "7"]
    write_rows(tmp_path / "train.parquet", [{"reward_model": {"ground_truth": truth}} for truth in truths])
    assert of_machine(good("mrt.stop_text='</think>\\boxed'")) == [] and "inside a token" not in caplog.text
    of_machine(good("mrt.stop_text='</think>\\boxed{'"))
    assert "mrt.stop_text='</think>\\\\boxed{' ends inside a token for 2 of 3 answers (67 %)" in caplog.text
    assert "as '(1, 2)}': after it" in caplog.text and caplog.text.rstrip().endswith("end it in '\\\\boxed'")


@pytest.mark.parametrize(
    ("key", "good_text", "bad_text"),
    [("insert_texts", "[Wait]", "['Wait, ']"), ("backtrack_text", "'Back to {step}:'", "'Back to {step}: '")],
)
def test_an_insertion_that_ends_inside_a_token_is_warned_of(good, monkeypatch, caplog, key, good_text, bad_text):
    monkeypatch.setattr(token_boundaries, "load_tokenizer", lambda _: toy_tokenizer((" the", " so", " let", " I", " ")))
    kind = "backtrack" if key == "backtrack_text" else "budget_forcing"
    of_machine(good(f"mrt.insertion={kind}", f"mrt.{key}={good_text}"))
    assert "inside a token" not in caplog.text
    of_machine(good(f"mrt.insertion={kind}", f"mrt.{key}={bad_text}"))
    assert f"mrt.{key}: 1 of 1 end inside a token" in caplog.text

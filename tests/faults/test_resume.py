"""What a run goes on from: trackers and shards as crashes leave them, and runs that share a directory."""

import logging
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf
from safetensors.numpy import save_file

from mrt_verl.hooks.checks.locked import check_lock, lock_run
from mrt_verl.hooks.checks.resume import TRACKER, check_checkpoint
from mrt_verl.hooks.checks.room import check_room
from mrt_verl.locks import Lock, Locked, holder
from mrt_verl.settings import MRTSettings

KINDS = ("model", "optim", "extra_state")


def save(directory, step, ranks=1, here=None):
    actor = directory / f"global_step_{step}" / "actor"
    actor.mkdir(parents=True)
    for rank in range(ranks) if here is None else here:
        for kind in KINDS:
            with zipfile.ZipFile(actor / f"{kind}_world_size_{ranks}_rank_{rank}.pt", "w") as file:
                file.writestr("data", "x" * 10_000)
    with zipfile.ZipFile(actor.parent / "data.pt", "w") as file:
        file.writestr("data", "x" * 10_000)
    (directory / TRACKER).write_text(str(step))


def config(directory, **trainer):
    actor = {"strategy": "fsdp2", "checkpoint": {"load_contents": ["model", "optimizer", "extra"]}}
    node = {
        "default_local_dir": str(directory),
        "resume_mode": "auto",
        "resume_from_path": None,
        "n_gpus_per_node": 1,
        "nnodes": 1,
        "save_freq": 1,
        "logger": ["console"],
        "total_training_steps": None,
        **trainer,
    }
    return OmegaConf.create({"trainer": node, "actor_rollout_ref": {"actor": actor}})


def lines(directory, **trainer):
    return list(check_checkpoint(MRTSettings(), config(directory, **trainer)))


def cut(path, size):
    os.truncate(path, size)


SHARD = "actor/{}_world_size_1_rank_0.pt"


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda at: (at / TRACKER).write_text(""), "holds '', no number of a step"),
        (lambda at: (at / TRACKER).write_bytes(b"\x00\x00\x1b[2J"), r"holds '\x00\x00\x1b[2J', no number of a step"),
        (lambda at: (at / TRACKER).write_text("7"), "names global_step_7: it is not there"),
        (lambda at: cut(at / "global_step_4" / SHARD.format("model"), 5000), "is cut off, at 5000 bytes"),
        (lambda at: cut(at / "global_step_4" / SHARD.format("optim"), 0), "is cut off, at 0 bytes"),
        (lambda at: cut(at / "global_step_4" / "data.pt", 300), "data.pt is cut off, at 300 bytes"),
        (
            lambda at: (at / "global_step_4" / SHARD.format("optim")).unlink(),
            "actor/optim_world_size_1_rank_0.pt is mi",
        ),
        (lambda at: shutil.rmtree(at / "global_step_4" / "actor"), "it holds no weights in actor/"),
    ],
)
def test_what_a_crash_leaves_is_named_with_the_newest_whole_step(tmp_path, harm, told):
    save(tmp_path, 2)
    save(tmp_path, 4)
    assert lines(tmp_path) == []
    harm(tmp_path)
    (line,) = lines(tmp_path)
    assert told in line
    whole = 4 if TRACKER in line and "global_step_4:" not in line else 2
    assert f"the newest whole step is {whole}; allowed: trainer.resume_mode=resume_path" in line
    assert f"trainer.resume_from_path={tmp_path}/global_step_{whole}, or {whole} written into {TRACKER}" in line
    # and what it advises works
    assert lines(tmp_path, resume_mode="resume_path", resume_from_path=f"{tmp_path}/global_step_{whole}") == []
    assert lines(tmp_path, resume_mode="disable") == []


def test_nothing_is_whole(tmp_path):
    save(tmp_path, 2)
    (tmp_path / "global_step_2" / SHARD.format("model")).unlink()
    (line,) = lines(tmp_path)
    assert line.endswith("no checkpoint there is whole; allowed: trainer.resume_mode=disable, which starts anew")


def test_ranks(tmp_path):
    save(tmp_path, 2, ranks=4, here=[0, 1])
    assert "this run has 1" in lines(tmp_path)[0]
    assert "actor/model_world_size_4_rank_2.pt is missing" in lines(tmp_path, n_gpus_per_node=4)[0]
    assert lines(tmp_path, n_gpus_per_node=2, nnodes=2) == []  # the other two are on the other machine


def test_what_is_no_fault_but_worth_a_word(tmp_path, caplog, monkeypatch):
    save(tmp_path, 2)
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("{}\n")
    monkeypatch.setenv("VERL_FILE_LOGGER_PATH", str(metrics))
    with caplog.at_level(logging.WARNING):
        assert lines(tmp_path, total_training_steps=2, logger=["console", "file"]) == []
        (tmp_path / TRACKER).unlink()
        assert lines(tmp_path) == []
    told = [record.getMessage() for record in caplog.records]
    assert f"{tmp_path} is at step 2 of 2: nothing is left to train" in told
    assert f"verl empties {metrics} when it resumes: move it away, or name another file" in told
    assert f"{tmp_path} has no {TRACKER}: the run starts anew, beside its step 2" in told


def test_a_first_run_has_nothing_to_go_on_from(tmp_path, caplog):
    assert lines(tmp_path / "new") == lines(tmp_path) == []
    assert caplog.text == ""


HOLD = "import sys, time; from pathlib import Path; from mrt_verl.locks import Lock; held = Lock(Path(sys.argv[1])); "
HOLD += "print('held', flush=True); time.sleep(100)"


@pytest.fixture
def other_run():
    """other_run(target) -> a process that holds the lock"""
    started = []

    def hold(target):
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("shared", ["trainer.default_local_dir", "mrt.trace_dir", "VERL_FILE_LOGGER_PATH"])
def test_a_second_run_in_a_directory_is_refused_until_the_first_is_killed(tmp_path, monkeypatch, other_run, shared):
    target = tmp_path / ("metrics.jsonl" if shared.startswith("VERL") else "run")
    settings = MRTSettings(trace_dir=str(target if shared == "mrt.trace_dir" else tmp_path / "traces"))
    own = target if shared == "VERL_FILE_LOGGER_PATH" else tmp_path / "own.jsonl"
    monkeypatch.setenv("VERL_FILE_LOGGER_PATH", str(own))
    directory = target if shared == "trainer.default_local_dir" else tmp_path / "checkpoints"
    run = config(directory, logger=["console", "file"])
    first = other_run(target)
    (line,) = check_lock(settings, run)
    assert line.startswith(f"{shared}={target} is in use by process {first.pid} on ")
    with pytest.raises(
        ValueError, match=f"^{shared}=.* is in use by process {first.pid} on .*; allowed: one of its own"
    ):
        lock_run(settings, run)
    first.kill()
    first.wait()
    assert list(check_lock(settings, run)) == []
    held = lock_run(settings, run)
    assert len(held) == 3
    assert holder(target) is None  # one's own
    for one in held:
        one.release()


def test_a_lock_whose_holder_could_not_write_its_name(tmp_path, other_run):
    other_run(tmp_path)
    (tmp_path / ".mrt-lock").write_text("[1\x1b[2J")
    assert holder(tmp_path) == "another run"
    with pytest.raises(Locked, match="is in use by another run"):
        Lock(tmp_path)


def test_checking_makes_no_file(tmp_path):
    assert list(check_lock(MRTSettings(), config(tmp_path / "new"))) == []
    assert list(Path(tmp_path).iterdir()) == []


def room_config(directory, model, **changes):
    made = config(directory, **{key: value for key, value in changes.items() if key in ("save_freq", "nnodes")})
    adapter = {"lora_rank": changes.get("lora_rank", 0), "lora": {"rank": changes.get("lora.rank", 0)}}
    made.actor_rollout_ref.model = {"path": str(model), **adapter}
    made.actor_rollout_ref.actor.strategy = changes.get("strategy", "fsdp2")
    return made


@pytest.mark.parametrize(
    ("changes", "free", "told"),
    [
        ({}, 5_999_999, "has 6.0 MB left, and a checkpoint of this model takes about 6.0 MB here"),
        ({}, 6_000_000, None),
        ({"nnodes": 2}, 3_000_000, None),  # each node has its ranks' shards
        ({"save_freq": -1}, 0, None),
        ({"lora_rank": 8}, 0, None),
        ({"lora.rank": 8}, 0, None),
        ({"strategy": "megatron"}, 0, None),
    ],
)
def test_a_disk_without_room_for_a_checkpoint_is_told(tmp_path, monkeypatch, caplog, changes, free, told):
    """500,000 parameters of 12 bytes are 6 MB."""
    model = tmp_path / "model"
    model.mkdir()
    save_file({"weight": np.zeros(500_000, np.float16)}, model / "model.safetensors")
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: (asked.append(path), SimpleNamespace(free=free))[1])
    assert not list(check_room(MRTSettings(), room_config(tmp_path / "not" / "yet", model, **changes)))
    assert (told in caplog.text) if told else not caplog.text
    assert set(asked) <= {tmp_path}

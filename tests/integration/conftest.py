"""A small model and its data, and the real trainer on them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import ROOT
from tests.integration.runs import WARM_START, Run, read_directory, read_lines

LIMIT_S = float(os.environ.get("MRT_TEST_LIMIT_S", 900))
"""Seconds of one training; more where the machine is shared with others."""


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Path:
    """model/ and data/ of the search task."""
    from data_prep.schema import write_parquet
    from data_prep.search_task import make_problems
    from recipes.quickstart.prepare import rows

    directory = tmp_path_factory.mktemp("trainer")
    problems = make_problems(seed=3)
    for split, part in (("test", problems[:8]), ("train", problems[8:40])):
        write_parquet(rows(part, split), directory / "data" / f"{split}.parquet")
    shutil.copytree(WARM_START, directory / "model")
    return directory


@pytest.fixture(scope="session")
def train(workspace, tmp_path_factory):
    """train(*overrides) -> Run, through `python -m verl.trainer.main_ppo` as a user calls it."""

    def run(*overrides: str, reward_model: str = "mrt") -> Run:
        out = tmp_path_factory.mktemp("run")
        command = [
            *(sys.executable, "-m", "verl.trainer.main_ppo", "--config-dir", "recipes"),
            *(f"reward_model={reward_model}", "+hardware=cpu", "+quickstart=train"),
            f"data.train_files={workspace}/data/train.parquet",
            f"data.val_files={workspace}/data/test.parquet",
            f"actor_rollout_ref.model.path={workspace}/model",
            *("data.train_batch_size=4", "actor_rollout_ref.actor.ppo_mini_batch_size=4"),
            *("actor_rollout_ref.rollout.n=4", "trainer.total_training_steps=2", "trainer.save_freq=-1"),
            f"mrt.trace_dir={out}/traces",
            "mrt.traces_per_step=100",
            f"trainer.default_local_dir={out}/checkpoints",
            f"trainer.rollout_data_dir={out}/dumps",
            *overrides,
        ]
        # Ray runs its workers at a niceness of 15, which on a machine that does anything else is a standstill
        environment = {"RAY_worker_niceness": "0", **os.environ, "VERL_PLATFORM": "cpu"}
        environment["VERL_FILE_LOGGER_PATH"] = str(out / "metrics.jsonl")
        result = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
        )
        assert result.returncode == 0, result.stdout[-6000:]
        steps = {entry["step"]: entry["data"] for entry in read_lines(out / "metrics.jsonl")}
        return Run(steps, read_directory(out / "traces"), read_directory(out / "dumps"), result.stdout)

    return run

"""verl's own trainer in a process, as a user starts it, on whichever device."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.schema import write_parquet
from data_prep.search_task import make_problems
from recipes.quickstart.prepare import rows
from tests.gpu.report import Options
from tests.integration.runs import read_directory, read_lines

ROOT = Path(__file__).parents[2]
TEST, TRAIN = 8, 256


@dataclass
class Training:
    """What one run of the trainer left behind."""

    code: int
    """Its exit code; -1 if it was ended at its limit."""
    seconds: float
    steps: dict[int, dict[str, Any]]
    traces: dict[int, list[dict[str, Any]]]
    log: Path

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def values(self, metric: str) -> list[float]:
        """A metric of every training step that has it, in order."""
        return [data[metric] for step, data in sorted(self.steps.items()) if step and metric in data]


def write_data(directory: Path) -> dict[str, Path]:
    """train and test parquet files of the search task."""
    problems = make_problems(seed=3)
    files = {split: directory / f"{split}.parquet" for split in ("test", "train")}
    for split, part in (("test", problems[:TEST]), ("train", problems[TEST : TEST + TRAIN])):
        if not files[split].exists():
            write_parquet(rows(part, split), files[split])
    return files


def of_device(options: Options) -> list[str]:
    """Overrides of the device: all that a CPU needs; of a GPU what a machine without flash-attention lacks."""
    if options.device == "cpu":
        return ["+hardware=cpu"]
    words = ["trainer.nnodes=1", "trainer.n_gpus_per_node=1", "data.dataloader_num_workers=0"]
    words += ["actor_rollout_ref.rollout.tensor_model_parallel_size=1"]
    if importlib.util.find_spec("flash_attn") is None:
        words += ["actor_rollout_ref.model.use_remove_padding=false"]
        words += ["+actor_rollout_ref.model.override_config.attn_implementation=sdpa"]
    return words


SMALL_ON_A_GPU = (
    "actor_rollout_ref.rollout.name=vllm",
    "actor_rollout_ref.rollout.gpu_memory_utilization=0.3",
    "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=64",
    "actor_rollout_ref.rollout.agent.num_workers=2",
    "reward.num_workers=2",
    "transfer_queue.backend.SimpleStorage.num_data_storage_units=2",
)
"""What a model of a megabyte needs beside verl's defaults: not all of the card for vLLM, and few processes."""


def train(options: Options, name: str, words: Sequence[str], *, limit: float) -> Training:
    """`python -m verl.trainer.main_ppo` with these overrides, ended at a limit."""
    out = options.out / name
    out.mkdir(parents=True, exist_ok=True)
    metrics, log = out / "metrics.jsonl", out / "log"
    metrics.unlink(missing_ok=True)
    command = [sys.executable, "-m", "verl.trainer.main_ppo", *words]
    command += [f"hydra.run.dir={out}/hydra", "trainer.logger=[console,file]"]
    environment = {**os.environ, "VERL_FILE_LOGGER_PATH": str(metrics)}
    started = time.perf_counter()
    with log.open("w") as to:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=to, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code = -1
            os.killpg(process.pid, signal.SIGKILL)  # what left its group ends with the stage
            process.wait()
    steps = {entry["step"]: entry["data"] for entry in read_lines(metrics)} if metrics.exists() else {}
    traces = read_directory(out / "traces")
    return Training(code, time.perf_counter() - started, steps, traces, log)

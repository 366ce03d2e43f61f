"""A training of the tiny model that a fault is tried on: started, watched, hit, waited for."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mrt_verl.processes import kill_marked, marked, new_mark
from tests.integration.runs import WARM_START

ROOT = Path(__file__).parents[2]
MARK = "MRT_FAULT"
"""In the environment of all that a training starts."""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
KINDS = (
    ("driver", "verl.trainer.main_ppo"),
    ("engine core", "VLLM::"),
    ("grading worker", "mrt_verl.grading.worker"),
    ("trainer", "ray::TaskRunner"),
    ("agent-loop worker", "ray::AgentLoopWorker"),
    ("reward worker", "ray::RewardLoopWorker"),
    ("server", "ray::vLLMHttpServer"),
    ("server", "ray::CPUHttpServer"),
    ("actor", "ray::WorkerDict"),
    ("Ray's GCS", "ray/core/src/ray/gcs"),
    ("Ray's raylet", "ray/core/src"),
    ("Ray's Python helpers", "site-packages/ray/"),
    ("resource trackers", "multiprocessing.res"),
)
"""What a process is, by its command line."""
ARMS = {
    "mrt": ("reward_model=mrt",),
    "grpo": (
        "algorithm.adv_estimator=grpo",
        f"reward.custom_reward_function.path={Path(__file__).with_name('plain_score.py')}",
    ),
}
"""What is trained: MRT, or verl's own GRPO without any code of ours."""
ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "RAY_worker_niceness": "0",
    "PYTHONUNBUFFERED": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "900",
    "RAY_gcs_rpc_server_connect_timeout_s": "120",
    "HF_HUB_OFFLINE": "1",
}


def make_workspace(directory: Path) -> Path:
    """model/ and data/ of the search task in a directory, once."""
    from data_prep.schema import write_parquet
    from data_prep.search_task import make_problems
    from recipes.quickstart.prepare import rows

    if not (directory / "model").is_dir():
        problems = make_problems(seed=3)
        for split, part in (("test", problems[:8]), ("train", problems[8:40])):
            write_parquet(rows(part, split), directory / "data" / f"{split}.parquet")
        shutil.copytree(WARM_START, directory / "model")
    return directory


class Training:
    """One `main_ppo` in a directory of its own; all that it starts carries a mark."""

    def __init__(
        self,
        workspace: Path,
        out: Path,
        overrides: Sequence[str],
        *,
        arm: str = "mrt",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.log_path, self._mark = out, out / "log", new_mark()
        command = [
            *(sys.executable, "-m", "verl.trainer.main_ppo", "--config-dir", str(ROOT / "recipes")),
            *(*ARMS[arm], "+hardware=cpu", "+quickstart=train"),
            f"data.train_files={workspace}/data/train.parquet",
            f"data.val_files={workspace}/data/test.parquet",
            f"actor_rollout_ref.model.path={workspace}/model",
            *("data.train_batch_size=4", "actor_rollout_ref.actor.ppo_mini_batch_size=4"),
            *("actor_rollout_ref.rollout.n=4", "trainer.save_freq=-1", "trainer.val_before_train=False"),
            "+ray_kwargs.ray_init.include_dashboard=False",
            *("trainer.test_freq=-1", f"mrt.trace_dir={out}/traces", f"trainer.default_local_dir={out}/checkpoints"),
            *overrides,
        ]
        own = {"VERL_FILE_LOGGER_PATH": str(out / "metrics.jsonl"), "PYTHONPATH": str(ROOT), MARK: self._mark}
        with self.log_path.open("ab") as log:
            self._from = log.tell()
            self.process = subprocess.Popen(
                *(command,),
                cwd=out,
                env={**os.environ, **ENVIRONMENT, **own, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it has printed, without colours."""
        with self.log_path.open("rb") as file:
            file.seek(self._from)
            return ESCAPES.sub("", file.read().decode("utf-8", "replace"))

    @property
    def steps(self) -> int:
        """The last step that is done."""
        return max((int(step) for step in re.findall(r"step:(\d+) - ", self.log)), default=0)

    def metric(self, name: str) -> list[float]:
        """Its values, step by step."""
        return [float(value) for value in re.findall(rf"{re.escape(name)}:(?:np\.float64\()?([\d.e+-]+)", self.log)]

    def wait_for(self, what: str, seconds: float, *, after: int = 0) -> float | None:
        """Seconds until a line matches; None if none did, or the process ended without one."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            ended = self.process.poll() is not None
            if re.search(what, self.log[after:]):
                return time.monotonic() - started
            if ended:
                return None
            time.sleep(0.5)
        return None

    def processes(self, kind: str | None = None) -> list[int]:
        """Process ids of all that it started, or of one kind."""
        return [pid for pid in marked(MARK, self._mark) if kind is None or kind == kind_of(pid)]

    def signal(self, kind: str, number: signal.Signals) -> int:
        """Send a signal to every process of a kind; how many there were."""
        found = self.processes(kind)
        for pid in found:
            os.kill(pid, number)
        return len(found)

    def left(self, seconds: float) -> list[str]:
        """What of it is still there after so many seconds, by kind."""
        until = time.monotonic() + seconds
        while (found := self.processes()) and time.monotonic() < until:
            time.sleep(0.5)
        return sorted(kind_of(pid) for pid in found)

    def end(self) -> None:
        """Kill all of it."""
        kill_marked(MARK, self._mark)
        self.process.wait()


def kind_of(pid: int) -> str:
    """What a process is."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "gone"
    return next(_matching(command), command[:60].rstrip())


def _matching(command: str) -> Iterator[str]:
    return (kind for kind, part in KINDS if part in command)

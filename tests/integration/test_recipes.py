"""`SCALE=cpu bash run.sh` of the recipes: their very YAML with sizes, paths and devices replaced, two steps each."""

import json
import math
import os
import subprocess
import sys

import pytest

from tests.builders import ROOT
from tests.integration.runs import read_lines

RUNS = {
    "r1_distill_qwen_1.5b": [{"ARM": arm} for arm in ("mrt_prefix", "mrt", "grpo", "grpo_length")],
    "deepscaler_1.5b": [{"ARM": "mrt_prefix"}],
    "qwen3_4b": [{"ARM": "mrt"}, {"ARM": "mrt_lora"}],
    "smollm2_cpu": [{}],
    "multi_node": [{"ON": "two_nodes"}, {"ON": "colocate_async"}],
}
CASES = [(recipe, choice) for recipe, choices in RUNS.items() for choice in choices]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Model, data, logs and checkpoints of all runs."""
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture
def run(tiny):
    """run(recipe, **environment) -> metrics by step of everything that was trained, in order."""

    def start(recipe, **environment):
        before = set(tiny.rglob("metrics-*.jsonl"))
        result = subprocess.run(
            ["bash", f"recipes/{recipe}/run.sh"],
            cwd=ROOT,
            env={**os.environ, "SCALE": "cpu", "PYTHON_BIN": sys.executable, "TINY": str(tiny), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
        )
        assert result.returncode == 0, result.stdout[-6000:]
        logs = sorted(set(tiny.rglob("metrics-*.jsonl")) - before, key=lambda path: path.stat().st_mtime)
        return [{entry["step"]: entry["data"] for entry in read_lines(log)} for log in logs]

    return start


def check_training(steps):
    assert {1, 2} <= set(steps)
    for step in (1, 2):
        assert math.isfinite(steps[step]["actor/grad_norm"])
        assert steps[step]["training/rollout_probs_diff_max"] < 1e-3
        assert steps[step]["response_length/mean"] > 1


def check_mrt(steps):
    for step in (1, 2):
        assert 0 <= steps[step]["mrt/regret"] <= 1
        assert steps[step]["mrt/think_tokens_mean"] > 1
        failures = ("mrt/branch_failures", "mrt/grade_timeouts", "mrt/grade_errors")
        assert all(steps[step][name] == 0 for name in failures)


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "choice"), CASES, ids=[f"{recipe}-{choice}" for recipe, choice in CASES])
def test_two_steps(run, recipe, choice):
    (steps,) = run(recipe, **choice)
    check_training(steps)
    assert any("mrt/outcome" in data for data in steps.values()) == ("grpo" not in choice.get("ARM", ""))
    if "mrt/outcome" in steps[1]:
        check_mrt(steps)


@pytest.mark.slow
def test_star(run, tiny):
    """Traces, STaR set, two steps of SFT, and the evaluation's page for both models."""
    (steps,) = run("star_r1_distill_7b")
    assert all(0 < steps[step]["train/loss"] < 10 for step in (1, 2))
    manifest = json.loads((tiny / "star_r1_distill_7b" / "star" / "manifest.json").read_text())
    assert manifest["files"]["train.parquet"]["rows"] >= 4
    evaluation = tiny / "star_r1_distill_7b" / "evaluation"
    assert (evaluation / "star" / "traces.jsonl").exists() and (evaluation / "base" / "traces.jsonl").exists()
    assert (evaluation / "report" / "index.html").exists()


@pytest.mark.slow
def test_backtrack(run):
    """Two steps of SFT on demonstrations, two of RL from what it saved."""
    sft, rl = run("backtrack_llama_3b")
    assert all(0 < sft[step]["train/loss"] < 10 for step in (1, 2))
    check_training(rl)
    check_mrt(rl)

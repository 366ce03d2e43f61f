"""The evaluation on real vLLM: in this process's children, through an endpoint, stopped and resumed."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.builders import ROOT
from tests.integration.runs import read_lines

ENVIRONMENT = {**os.environ, "VERL_PLATFORM": "cpu", "VLLM_LOGGING_LEVEL": "ERROR"}
GREEDY = ("--temperature", "0", "--budgets", "40,80", "--traces", "1", "--problems", "4", "--direct", "2")


def evaluate(*arguments):
    command = [sys.executable, "-m", "mrt_verl.evaluation", *map(str, arguments)]
    result = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


def run(workspace, out, *arguments):
    data = ("--data", workspace / "data/test.parquet", "--settings", "recipes/quickstart/train.yaml")
    engine = ("--engine", "max_model_len=512")
    return evaluate("run", "--model", f"small={workspace}/model", *data, *engine, "--out", out, *arguments)


@pytest.fixture(scope="module")
def sampled(workspace, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation")
    run(workspace, out, "--budgets", "40,80", "--traces", "2", "--insertions", "2", "--insertion-tokens", "30")
    return out


def test_every_boundary_has_its_forced_answers(sampled):
    records = read_lines(sampled / "small/traces.jsonl")
    assert sorted((record["problem"], record["trace"]) for record in records) == [
        (p, t) for p in range(8) for t in (0, 1)
    ]
    assert sum(len(record["episodes"]) for record in records) > 16
    for record in records:
        counts = [len(episode["forced"]) for episode in record["episodes"]]
        expected = [4] * len(counts)
        if counts and record["closed"]:
            expected[-1] -= 1
        assert counts == expected
        assert record["branch_failures"] == 0
        assert len(record["before"]) == 16
        assert len(record["extension"]) == (2 if record["episodes"] else 0)
        assert record["response_tokens"] <= 80
        for episode in record["episodes"]:
            assert episode["text"] in record["response"]


def test_a_stopped_run_goes_on_and_a_finished_one_starts_nothing(workspace, sampled):
    path = sampled / "small/traces.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:13]) + lines[13][:200])
    arguments = ("--budgets", "40,80", "--traces", "2", "--insertions", "2", "--insertion-tokens", "30")
    run(workspace, sampled, *arguments)
    assert path.read_text().splitlines(keepends=True)[:13] == lines[:13]
    assert len(read_lines(path)) == 16
    assert "small: all 16 traces are in" in run(workspace, sampled, *arguments)


def test_report(sampled):
    evaluate("report", sampled)
    (summary,) = json.loads((sampled / "report/summary.json").read_text())["runs"]
    assert 0 < summary["budgets"]["80"]["regret"]["value"] <= 1
    assert summary["extrapolated"]["tokens"] > 0


@pytest.fixture
def server(workspace):
    """vLLM's OpenAI-compatible server on loopback; yields its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(workspace / "model")),
        *("--host", "127.0.0.1", "--port", str(port), "--max-model-len", "512", "--dtype", "float32"),
        *("--enforce-eager", "--block-size", "16", "--served-model-name", f"{workspace}/model"),
    ]
    environment = {
        **ENVIRONMENT,
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url, process):
    for _ in range(180):
        assert process.poll() is None, f"the server ended with status {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(1)
    raise TimeoutError(url)


def test_an_endpoint_gives_what_the_engine_gives(workspace, server, tmp_path):
    run(workspace, tmp_path / "engine", *GREEDY)
    run(workspace, tmp_path / "endpoint", *GREEDY, "--base-url", server)
    here, there = (read_lines(tmp_path / name / "small/traces.jsonl") for name in ("engine", "endpoint"))
    for records in (here, there):
        records.sort(key=lambda record: record["problem"])
    assert here == there

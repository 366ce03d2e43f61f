"""The four commands: an example in every `--help`, one line and a sensible exit code for a user's mistake."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from data_prep.__main__ import main as data_main
from data_prep.sources import SOURCES
from mrt_verl.check import main as check_main
from mrt_verl.evaluation.command import main as eval_main
from mrt_verl.inspect.command import main as inspect_main
from tests.builders import ROOT
from tests.evaluation_records import record, write_run

ROW = {"prompt": [{"role": "user", "content": "one"}], "reward_model": {"ground_truth": "1"}, "data_source": "own"}
DATA = [*SOURCES, "prefixes", "star", "backtrack", "check"]
HELPS = [
    *((data_main, [name]) for name in DATA),
    *((main, []) for main in (data_main, eval_main, inspect_main, check_main)),
    *((eval_main, [name]) for name in ("run", "report")),
]


def call(main, words, capsys):
    """(exit code, output, errors) of a command, whichever way it ends."""
    try:
        code = main(words) or 0
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return (1, out, err + code) if isinstance(code, str) else (code or 0, out, err)


@pytest.mark.parametrize(("main", "words"), HELPS, ids=lambda one: one if isinstance(one, list) else one.__module__)
def test_help_shows_an_example(main, words, capsys):
    code, out, _ = call(main, [*words, "--help"], capsys)
    assert code == 0
    assert "example" in out and len(out.splitlines()) > 3
    shown = out.partition("example")[2]
    assert any(name in shown for name in ("mrt-data", "mrt-eval", "mrt_verl.inspect", "mrt_verl.check", "data_prep"))


WHOLE = ["--model", "m", "--data", "in.parquet"]
RUN = ["run", *WHOLE, "--budgets", "8", "--out", "out"]
REFUSED = [
    (["--temperature", "-1"], "temperature=-1.0; allowed: a number >= 0"),
    (["--temperature", "nan"], "temperature=nan; allowed: a number >= 0"),
    (["--temperature", "inf"], "temperature=inf; allowed: a number >= 0"),
    (["--top-p", "0"], "top_p=0.0; allowed: a number in (0, 1]"),
    (["--top-k", "-2"], "top_k=-2; allowed: -1 or 0 for all tokens"),
    (["--insertions", "-1"], "insertions=-1; allowed: 0 or more"),
    (["--seed", "-1"], "seed=-1; allowed: a whole number from 0"),
    (["--settings", "none.yaml"], "none.yaml: cannot be read"),
    (["--settings", "folder"], "folder: cannot be read"),
    (["--settings", "broken.yaml"], "broken.yaml: cannot be read: while parsing"),
    (["--settings", "bytes.yaml"], "bytes.yaml: cannot be read"),
    (["--settings", "list.yaml"], "list.yaml: no `mrt:` node"),
    (["--settings", "number.yaml"], "number.yaml: no `mrt:` node"),
    (["--settings", "unknown.yaml"], "mrt.alfa is not a setting, did you mean mrt.alpha?"),
    (["--set", "reward_model=nope"], "Could not find 'reward_model/nope'"),
]
"""Of `run`, with files below."""
LOGS = {
    "none.jsonl": "none.jsonl",
    "bytes.yaml": "bytes.yaml",
    "odd.jsonl": 'odd.jsonl:1: not {"step": …, "data": …}',
}
RUNS = {
    "half": "half/run.json: not the settings of a run (Expecting",
    "other": "other/run.json: not the settings of a run, it lacks name, model, data.file, mrt.prover",
    "bare": "bare/run.json: not the settings of a run, it lacks an object",
}
FILES = {
    "in.csv": b"q,a\none,1\n",
    "broken.yaml": b"a: [",
    "bytes.yaml": b"\xff\xfe",
    "list.yaml": b"- 1",
    "number.yaml": b"mrt: 3",
    "unknown.yaml": b"mrt: {alfa: 1}",
    "odd.jsonl": b'{"step": 1, "data": [1]}\n{"step": 2, "data": {"mrt/outcome": 1}}\n',
    "half/run.json": b"{",
    "other/run.json": b"{}",
    "bare/run.json": b"[]",
    "traces/1.jsonl": b"",
    "bytes/1.jsonl": b"\xff\xfe",
    "folder/file": b"",
}
MISTAKES = [
    (
        data_main,
        ["file", "--from", "nowhere.jsonl", "--question", "q", "--answer", "a", "--out", "out"],
        "no such file",
    ),
    (
        data_main,
        ["file", "--from", "in.csv", "--question", "text", "--answer", "a", "--out", "out"],
        "column text is in no",
    ),
    (data_main, ["star", "--traces", "nowhere", "--out", "out"], "nowhere"),
    (eval_main, ["report", "nowhere"], "nowhere: no run"),
    (eval_main, ["report"], "nothing to report; allowed: DIR of an evaluation, --traces DIR"),
    (eval_main, ["report", "--traces", "nowhere"], "nowhere: no trace files"),
    (eval_main, ["run", "--model", "m", "--data", "no.parquet", "--budgets", "8", "--out", "out"], "no.parquet"),
    (inspect_main, ["--model", "m", "--data", "no.parquet"], "no.parquet"),
    (inspect_main, ["--model", "m", "--data", "no.parquet", "mrt.branches=0"], "mrt.branches=0; allowed"),
    (inspect_main, [*WHOLE, "--stop-text", " "], "mrt.stop_text=' '; allowed: a text"),
    (
        inspect_main,
        [*WHOLE, "mrt_family=nope"],
        "Could not find 'mrt_family/nope' Available options",
    ),
    (inspect_main, [*WHOLE, "mrt.markers=["], "mrt.markers=["),
    *((eval_main, [*RUN, *words], message) for words, message in REFUSED),
    *((eval_main, ["report", "run", "--training", name], message) for name, message in LOGS.items()),
    *((eval_main, ["report", name], message) for name, message in RUNS.items()),
    (eval_main, ["report", "--traces", "traces"], "traces: no rollouts in 1 trace files"),
    (eval_main, ["report", "--traces", "bytes"], "bytes/1.jsonl:1: not a row of a trace file"),
]


@pytest.mark.parametrize(("main", "words", "message"), MISTAKES)
def test_a_mistake_is_one_line(main, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    if "--training" in words:
        write_run(tmp_path / "run", [record()])
    pd.DataFrame([ROW]).to_parquet(tmp_path / "in.parquet")
    code, _, err = call(main, words, capsys)
    assert code == 1
    assert message in err and "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_full_disk_is_one_line(tmp_path, monkeypatch, capsys):
    path = write_run(tmp_path / "run", [record(), record(problem=1)])
    out = tmp_path / "page"
    out.mkdir()
    (out / "summary.json.partial").symlink_to("/dev/full")
    code, _, err = call(eval_main, ["report", str(path), "--out", str(out)], capsys)
    assert code == 1
    assert f"{out}: cannot be written: [Errno 28] No space left" in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "extra"), [("mrt_verl.evaluation", "eval"), ("mrt_verl.inspect", "eval"), ("data_prep", "data")]
)
def test_a_package_that_is_not_there(module, extra, tmp_path):
    """As where only the core is installed: jinja2, pandas and their like are hidden from the import."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('pandas', 'pyarrow', 'yaml', 'omegaconf', 'hydra', 'tqdm', 'jinja2'):\n"
        "    sys.modules[name] = None\n"
    )
    (tmp_path / "in.jsonl").write_text('{"q": "one", "a": "1"}\n')
    words = {
        "mrt_verl.evaluation": ["run", "--model", "m", "--data", "no.parquet", "--budgets", "8", "--out", "out"],
        "mrt_verl.inspect": ["--model", "m", "--data", "no.parquet"],
        "data_prep": ["file", "--from", "in.jsonl", "--question", "q", "--answer", "a", "--out", "out"],
    }[module]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f'is not installed; pip install "mrt-verl[{extra}]" brings it' in done.stderr

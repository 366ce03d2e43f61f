"""The four commands: an example in every `--help`, one line and a sensible exit code for a user's mistake."""

import os
import subprocess
import sys

import pytest

from data_prep.__main__ import main as data_main
from data_prep.sources import SOURCES
from mrt_verl.check import main as check_main
from mrt_verl.evaluation.command import main as eval_main
from mrt_verl.inspect.command import main as inspect_main
from tests.builders import ROOT
from tests.evaluation_records import record, write_run

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
]


@pytest.mark.parametrize(("main", "words", "message"), MISTAKES)
def test_a_mistake_is_one_line(main, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("q,a\none,1\n")
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
    assert "No space left" in err and len(err.strip().splitlines()) == 1


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

"""The stages of tests/gpu without running them: each can be started, has its limits, and the table hides nothing."""

import importlib
import inspect
import json
import re
import sys
import time

import pytest

from tests.gpu import runner
from tests.gpu.report import Options, Report
from tests.gpu.stages import STAGES, Stage, choose
from tests.gpu.table import NOT_RUN, Outcome, table, write_results

BY_NAME = {stage.name: stage for stage in STAGES}


@pytest.mark.parametrize("stage", STAGES, ids=BY_NAME)
def test_a_stage_can_be_started(stage):
    module = importlib.import_module(f"tests.gpu.{stage.module}")
    inspect.signature(module.run).bind("report", "options", **stage.arguments)
    assert stage.shows and 0 < stage.limit <= 600
    assert stage.cpu_limit is None or stage.cpu_limit > 0


def test_names_are_used_once_and_unknown_ones_are_refused():
    assert len(BY_NAME) == len(STAGES)
    assert [stage.name for stage in choose(["step", "packages"])] == ["packages", "step"]
    with pytest.raises(ValueError, match="no stage stpe; allowed: packages, "):
        choose(["stpe"])


def test_a_tiny_form_of_every_kind_runs_on_a_cpu():
    assert {stage.module for stage in STAGES if stage.cpu_limit} == {stage.module for stage in STAGES}


def test_the_table_says_not_run_of_what_was_not_run():
    outcomes = {"packages": Outcome("PASS", 3.2, figures={"card": "H|100"}), "step": Outcome("FAIL", 9.0, "no room")}
    page = table({"card": "none"}, outcomes)
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page.splitlines() if line.startswith("| ")}
    assert all(f" | {NOT_RUN} | " in rows[stage.name] for stage in STAGES if stage.name not in outcomes)
    assert " | PASS | 3 | " in rows["packages"] and " | FAIL | 9 | no room" in rows["step"]
    assert "H\\|100" in page and "- card: none" in page


def test_results_hold_every_stage(tmp_path):
    data, page = write_results(tmp_path, "cuda", {"card": "none"}, {"step": Outcome("PASS", 1.0)})
    stages = json.loads(data.read_text())["stages"]
    assert list(stages) == list(BY_NAME)
    assert {name for name, one in stages.items() if one["verdict"] == NOT_RUN} == set(BY_NAME) - {"step"}
    assert page.read_text().count(NOT_RUN) == len(STAGES) - 1


def arguments(tmp_path, *words):
    return ["runner", "--out", str(tmp_path / "out"), "--results", str(tmp_path / "results"), *words]


def test_without_a_gpu_nothing_is_said_to_have_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "cards", list)
    monkeypatch.setattr(sys, "argv", arguments(tmp_path))
    assert runner.main() == 1
    told = capsys.readouterr().out.splitlines()
    assert len(told) == len(STAGES) and all(line.startswith(f"{NOT_RUN} ") for line in told)
    assert (tmp_path / "results" / "cuda.md").read_text().count("no GPU on this machine") == len(STAGES)


def test_no_stage_begins_without_time(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", arguments(tmp_path, "--device", "cpu", "--limit", "5", "--stages", "packages"))
    assert runner.main() == 1
    assert re.search(
        r"^NOT RUN packages 0 s -?\d s left of --limit", capsys.readouterr().out
    )  # less, the slower git is


def test_limits_are_longer_on_a_shared_machine(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(runner, "run_stage", lambda *given: asked.append(given[-1]) or Outcome("PASS", 1.0))
    monkeypatch.setattr(sys, "argv", arguments(tmp_path, "--device", "cpu", "--slow", "3", "--stages", "packages,step"))
    assert runner.main() == 0
    assert asked == [3.0 * BY_NAME[name].cpu_limit for name in ("packages", "step")]


def stage_of(monkeypatch, tmp_path, code):
    """The outcome of a stage whose process runs `code` instead."""
    script = tmp_path / "python"
    script.write_text(
        f"#!{sys.executable}\nimport pathlib, subprocess, sys, time\nout = pathlib.Path(sys.argv[7])\n{code}"
    )
    script.chmod(0o755)
    monkeypatch.setattr(runner.sys, "executable", str(script))
    return runner.run_stage(Stage("one", "packages", "nothing", 1, 1), "cpu", tmp_path, limit=3.0)


@pytest.mark.long
def test_a_stage_that_hangs_is_ended_with_what_it_started(tmp_path, monkeypatch):
    left = tmp_path / "alive"
    code = f"""
subprocess.Popen(["sh", "-c", "sleep 6; touch {left}"], start_new_session=True)
(out / "report.json").write_text('{{"failed": [], "figures": {{"a": 1}}}}')
time.sleep(60)"""
    started = time.perf_counter()
    one = stage_of(monkeypatch, tmp_path, code)
    assert (one.verdict, one.why, one.figures) == ("FAIL", "ended at its limit of 3 s", {"a": 1})
    assert time.perf_counter() - started < 20
    time.sleep(max(0.0, 7.5 - (time.perf_counter() - started)))
    assert not left.exists()


def test_a_stage_that_dies_without_a_word_has_failed(tmp_path, monkeypatch):
    one = stage_of(monkeypatch, tmp_path, "sys.exit(3)")
    assert (one.verdict, one.why) == ("FAIL", "exit code 3, see its log")


def test_a_check_that_fails_fails_the_stage(tmp_path):
    report = Report(tmp_path / "report.json")
    report.check("good", True)
    assert report.attempt("sum", lambda: 1 + 1) == 2 and not report.failed
    report.check("bad", False, 7)
    assert report.attempt("broken", lambda: 1 // 0) is None
    failed = json.loads(report.path.read_text())["failed"]
    assert failed[0] == "bad 7" and failed[1].startswith("broken ZeroDivisionError")
    assert Options("cpu", tmp_path, 1.0).tiny and not Options("cuda", tmp_path, 1.0).tiny

"""`report --traces`: what a training run wrote as mrt.trace_dir, on a page."""

import json

import pytest

from mrt_verl.evaluation.command import main
from mrt_verl.evaluation.training_traces import read_trace_dir
from mrt_verl.rollout_record import LOST, RolloutRecord
from mrt_verl.trace_rows import trace_row
from tests.evaluation_records import record as evaluated
from tests.evaluation_records import write_run

NASTY = "<script>alert(1)</script>"


def row(step, *, uid="a", outcome=1.0, js=(0.25, 1.0), kind="trace"):
    """A line of a trace file, as a run writes it."""
    texts = {
        "uid": uid,
        "data_source": "test",
        "problem": f"What is 3 + 4? {NASTY}",
        "reference": "7",
        "lead_text": "<think>\n",
        "rest_text": "</think>\n\n\\boxed{7}",
        "extracted": "7",
        "verdict": "right" if outcome else "wrong",
        "detail": "",
        "forced_verdicts": [["wrong"], ["right"]],
        "before_verdicts": ["wrong"],
    }
    values = {
        "episodes": [(0, 0, 10), (10, 11, 20)],
        "episode_texts": [f"Try 3. {NASTY}", "Wait, 7."],
        "answer_start": 21,
        "finished": True,
        "think_tokens": 20,
        "response_tokens": 30,
        "markers": 1,
        "forced": [[("8", True, None)], [("7", True, None)]],
        "forced_before": [("9", True, None)],
        "answer_tokens": [6.0, 6.0],
        "kind": kind,
        "outcome": outcome,
        "j_before": 0.0,
        "js": list(js),
        "progress": [(0, 0, js[0]), (1, 1, js[1] - js[0])],
        "texts": None if kind == LOST else texts,
    }
    return trace_row(RolloutRecord.from_dict(values), step)


def write(folder, steps):
    folder.mkdir()
    for step, rows in steps.items():
        (folder / f"{step}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder


def test_rows_become_records(tmp_path):
    rows = [row(1), row(1, uid="b", outcome=0.0), row(1), row(1, kind=LOST)]
    (run,) = read_trace_dir(write(tmp_path / "traces", {1: rows}))
    assert run.name == "step 1"
    assert [[(one.problem, one.trace, one.uid) for one in group] for group in run.problems] == [
        [(0, 0, "a"), (0, 1, "a")],
        [(1, 0, "b")],
    ]
    first = run.problems[0][0]
    assert first.messages[0]["content"].startswith("What is 3 + 4?")
    assert (first.own.extracted, first.own.verdict, first.own.score, first.closed) == ("7", "right", 1.0, True)
    assert [(one.text[:4], one.j, one.forced[0].verdict) for one in first.episodes] == [
        ("Try ", 0.25, "wrong"),
        ("Wait", 1.0, "right"),
    ]
    assert first.before[0].extracted == "9" and first.j_before == 0.0


def test_steps_are_spread_and_in_the_order_of_numbers(tmp_path):
    folder = write(tmp_path / "traces", {step: [row(step)] for step in range(1, 31)})
    assert [run.name for run in read_trace_dir(folder)] == [f"step {step}" for step in (1, 8, 15, 23, 30)]
    assert [run.name for run in read_trace_dir(folder, shown=2)] == ["step 1", "step 30"]
    few = write(tmp_path / "few", {step: [row(step)] for step in (9, 10)})
    assert [run.name for run in read_trace_dir(few)] == ["step 9", "step 10"]


def test_a_page_of_a_training_run_alone(tmp_path, capsys):
    folder = write(tmp_path / "traces", {1: [row(1)], 2: [row(2, outcome=0.0)]})
    log = tmp_path / "metrics.jsonl"
    log.write_text("".join(json.dumps({"step": s, "data": {"mrt/regret": 1 - s / 10}}) + "\n" for s in (1, 2)))
    main(["report", "--traces", str(folder), "--training", f"run={log}"])
    page = (tmp_path / "report/index.html").read_text()
    assert str(tmp_path / "report/index.html") in capsys.readouterr().out
    assert "2 rollouts of 2 steps, 1 of them right." in page
    assert "<h3>step 1</h3>" in page and "<h3>step 2</h3>" in page
    assert "Training: normalised regret" in page and 'id="tables"' not in page
    assert NASTY not in page and "&lt;script&gt;alert(1)" in page
    assert page.count("<section>") == page.count("</section>") == 2


def test_traces_beside_an_evaluation(tmp_path):
    folder = write(tmp_path / "traces", {1: [row(1)]})
    run = write_run(tmp_path / "run", [evaluated(), evaluated(problem=1)])
    main(["report", str(run), "--traces", str(folder), "--out", str(tmp_path / "page")])
    page = (tmp_path / "page/index.html").read_text()
    assert "<h3>run</h3>" in page and "<h3>step 1</h3>" in page


def test_what_is_no_trace_directory(tmp_path):
    with pytest.raises(ValueError, match=r"no trace files; allowed: .* as mrt\.trace_dir"):
        read_trace_dir(tmp_path)
    old = {"step": 1, "episodes": [[0, 0, 4]], "kind": "trace", "js": [0.5]}
    folder = write(tmp_path / "old", {1: [old]})
    with pytest.raises(ValueError, match=r"1\.jsonl:1: not a row of a trace file .*before 0\.2\.0 had fields without"):
        read_trace_dir(folder)

"""What is stitched to a failed attempt; every chance by hand."""

import json
import random

import pandas as pd
import pytest

from data_prep import continuations
from data_prep.__main__ import main
from data_prep.stitching import demonstrate, failed_attempt, find_steps, start_text, stitch
from mrt_verl.evaluation.records import TraceRecord
from tests.builders import default_node
from tests.data_prep_traces import trace, write_run
from tests.fakes import FakeServer, toy_tokenizer

MRT = default_node()
ONE, TWO, BAD_TWO, BAD_THREE = (
    "Step 1: a = 1.\n\n",
    "Step 2: b = 2.\n\n",
    "Step 2: b = 7.\n\n",
    "Step 3: c = 8.\n",
)
FAILED = [(ONE, 0.75, "right"), (BAD_TWO, 0.25, "wrong"), (BAD_THREE, 0.0, "wrong")]
RIGHT = [(ONE, 0.75, "right"), (TWO, 1.0, "right")]


def record(episodes, **changes):
    return TraceRecord.from_dict(trace(list(episodes), **changes))


def attempt(*others, episodes=FAILED, before=0.5, **changes):
    failed = record(episodes, before=before, **changes)
    return failed_attempt(failed, [failed, *others], MRT)


def demonstrated(found, continued=None):
    return demonstrate(found, continued or {}, MRT, random.Random(0))


def test_the_chance_of_a_step_is_j_where_it_starts():
    steps = find_steps(record([("Let me see.\n\n", 0.4, "wrong"), *FAILED], before=0.5), MRT)
    assert [(step.name, step.episode, step.chance) for step in steps] == [("1", 1, 0.4), ("2", 2, 0.75), ("3", 3, 0.25)]


@pytest.mark.parametrize(
    "changes", [{"own": "right"}, {"closed": False}, {"episodes": [("No numbers here.\n", 0.5, "wrong")]}]
)
def test_what_is_no_failed_attempt_with_steps(changes):
    assert attempt(**changes) is None


def test_back_to_the_likeliest_step():
    found = demonstrated(attempt(record(RIGHT, number=1, own="right")))
    assert (found.step.name, found.step.chance, found.answer) == ("2", 0.75, "4")
    assert stitch(found, MRT) == (
        "Step 1: a = 1.\n\nStep 2: b = 7.\n\nStep 3: c = 8.\n\n",
        "Wait, let me go back to step 2.\n\nStep 2: b = 2.\n\n</think>\n\nThe final answer is \\boxed{4}",
    )


def test_another_beginning_is_a_path_from_the_first_step_only():
    other = record([("Step 1: z = 9.\n\n", 0.5, "right"), (TWO, 1.0, "right")], number=1, own="right")
    found = demonstrated(attempt(other))
    assert found.step.name == "1"
    assert stitch(found, MRT)[1].startswith(
        "Wait, let me go back to step 1.\n\nStep 1: z = 9.\n\nStep 2: b = 2.\n\n</think>"
    )


def test_steps_of_other_names_where_the_sentence_opens_none(monkeypatch):
    """Steps named by what they try, as in the search task: the path brings its own first step."""
    changes = {"step_pattern": "Try (\\d+)", "backtrack_text": "No, what was before {step} is right."}
    monkeypatch.setattr(f"{__name__}.MRT", {**MRT, **changes})
    failed = [("Try 1: no.\n\n", 0.5, "wrong"), ("Try 2: no.\n", 0.0, "wrong")]
    right = record([("Try 1: no.\n\n", 0.5, "wrong"), ("Try 3: yes.\n", 1.0, "right")], number=1, own="right")
    found = demonstrated(attempt(right, episodes=failed, before=0.0))
    assert found.step.name == "2"
    assert stitch(found, MRT)[1].startswith("No, what was before 2 is right.\n\nTry 3: yes.\n\n</think>")


@pytest.mark.parametrize("changes", [{"own": "wrong"}, {"own": "right", "closed": False}])
def test_no_path_without_a_right_answer(changes):
    assert demonstrated(attempt(record(RIGHT, number=1, **changes))) is None


def test_of_equal_chances_the_later_step():
    episodes = [(ONE, 0.5, "wrong"), (BAD_TWO, 0.0, "wrong")]
    assert demonstrated(attempt(record(RIGHT, number=1, own="right"), episodes=episodes)).step.name == "2"


def test_continuations_come_from_the_likeliest_step():
    failed = attempt()
    text = start_text(failed, failed.steps[0], MRT)
    assert text == "Step 1: a = 1.\n\nStep 2:"
    right = record([(" b = 2.\n", 1.0, "right")], own="right")
    found = demonstrated(failed, {text: [record([(" b = 3.\n", 0.0, "wrong")]), right]})
    assert stitch(found, MRT)[1].startswith("Wait, let me go back to step 2.\n\nStep 2: b = 2.\n\n</think>")
    assert demonstrated(failed, {text: [record([(" b = 3.\n", 0.0, "wrong")])]}) is None


def test_from_the_first_step_on_only_a_tag_that_the_model_wrote_is_kept():
    episodes = [("Step 1: a = 9.\n", 0.0, "wrong")]
    first = attempt(episodes=episodes)
    assert start_text(first, first.steps[0], MRT) == "Step 1:"
    tagged = attempt(episodes=episodes, opening=1)
    assert start_text(tagged, tagged.steps[0], MRT) == "<think>\nStep 1:"


@pytest.fixture
def tokenizer(tmp_path):
    """Saved in the test's directory; its template does not open the thinking."""
    made = toy_tokenizer(opens_thinking=False)
    made.save_pretrained(tmp_path / "tokenizer")
    return made


def test_the_command(tmp_path, capsys, tokenizer):
    lines = [
        trace(FAILED, before=0.5),
        trace(FAILED, before=0.5, number=1),
        trace(RIGHT, number=2, own="right"),
        trace(FAILED, before=0.5, problem=1),
        trace([("No numbers.\n", 0.5, "wrong")], problem=2),
    ]
    run = write_run(tmp_path / "run", lines, model=str(tmp_path / "tokenizer"))
    command = ["backtrack", "--traces", str(run), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    rows = pd.read_parquet(tmp_path / "out" / "train.parquet").to_dict("records")
    assert [(row["problem"], row["trace"], row["step"], row["chance"]) for row in rows] == [
        (0, 0, "2", 0.75),
        (0, 1, "2", 0.75),
    ]
    content = rows[0]["messages"][-1]["content"]
    assert content[rows[0]["untrained_characters"] :].startswith("Wait, let me go back to step 2.")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"] == {
        "traces": 5,
        "failed attempts without numbered steps": 1,
        "failed attempts without a path": 1,
    }
    assert main([*command, "--per-problem", "1"]) == 0
    assert len(pd.read_parquet(tmp_path / "out" / "train.parquet")) == 1
    run = write_run(tmp_path / "none", lines[3:], model=str(tmp_path / "tokenizer"))
    assert main(["backtrack", "--traces", str(run), "--out", str(tmp_path / "empty")]) == 1
    assert "nothing to stitch: 2 traces, 1 failed attempts without numbered steps" in capsys.readouterr().err
    assert not (tmp_path / "empty").exists()


def test_continuations_of_another_outcome_are_refused(tmp_path, capsys, tokenizer):
    """A trace's record does not hold what another outcome is shown beside the answer."""
    model = str(tmp_path / "tokenizer")
    run = write_run(tmp_path / "run", [trace(FAILED, before=0.5)], model=model, outcome="compute_score")
    assert main(["backtrack", "--traces", str(run), "--out", str(tmp_path / "out"), "--continuations", "2"]) == 1
    assert "mrt.outcome='compute_score'; allowed: math_verify" in capsys.readouterr().err


def test_sampled_continuations(tmp_path, monkeypatch, tokenizer):
    """The model goes on after prompt, attempt and the step's header; a second run samples nothing."""
    server = FakeServer(tokenizer, lambda _: " b = 2.\n</think>\n\n\\boxed{4}")
    monkeypatch.setattr(continuations, "open_engine", lambda *_: (server, tokenizer))
    changes = {"think_open": "<think>", "prover": "sample"}
    lines = [trace(FAILED, before=0.5), trace(FAILED, before=0.5, number=1)]
    run = write_run(tmp_path / "run", lines, model=str(tmp_path / "tokenizer"), **changes)
    command = ["backtrack", "--traces", str(run), "--out", str(tmp_path / "out"), "--continuations", "2"]
    assert main([*command, "--response-tokens", "64"]) == 0
    question = "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    begun = question + "Step 1: a = 1.\n\nStep 2:"
    assert [request.text for request in server.requests].count(begun) == 4
    row = pd.read_parquet(tmp_path / "out" / "train.parquet").to_dict("records")[0]
    learnt = row["messages"][-1]["content"][row["untrained_characters"] :]
    assert learnt.startswith("Wait, let me go back to step 2.\n\nStep 2: b = 2.\n\n</think>")
    asked = len(server.requests)
    assert main([*command, "--response-tokens", "64"]) == 0
    assert len(server.requests) == asked

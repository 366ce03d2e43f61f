"""Which prefix of which trace becomes a demonstration; every J by hand."""

import copy
import json
from pathlib import Path

import pandas as pd
import pytest
from transformers import AutoTokenizer

from data_prep.__main__ import main
from data_prep.sft import closing_text
from tests.builders import default_node
from tests.data_prep_traces import QUESTION, trace, write_run
from tests.fakes import toy_tokenizer

TEMPLATE = toy_tokenizer().chat_template
CLOSING = "</think>\n\nThe final answer is \\boxed{4}"


@pytest.fixture(scope="session")
def save_tokenizer(tmp_path_factory):
    def save(template: str) -> str:
        tokenizer = copy.copy(toy_tokenizer())
        tokenizer.chat_template = template
        directory = tmp_path_factory.mktemp("tokenizer")
        tokenizer.save_pretrained(directory)
        return str(directory)

    return save


@pytest.fixture(scope="session")
def tokenizer(save_tokenizer):
    return save_tokenizer(TEMPLATE)


def star(tmp_path, tokenizer, lines, *options):
    """(rows, manifest) of the STaR set."""
    run = write_run(tmp_path / "run", lines, model=tokenizer)
    out = tmp_path / "out"
    assert main(["star", "--traces", str(run), "--out", str(out), *options]) == 0
    rows = pd.read_parquet(out / "train.parquet").to_dict("records")
    return rows, json.loads((out / "manifest.json").read_text())


def chosen(rows):
    return [(row["problem"], row["trace"], row["episode"]) for row in rows]


def test_the_prefix_of_most_progress_with_a_right_answer(tmp_path, tokenizer):
    lines = [trace([("One.\n\n", 0.25, "wrong"), ("Wait, two.\n\n", 0.75, "right"), ("Three.\n", 0.5, "right")])]
    rows, manifest = star(tmp_path, tokenizer, lines)
    assert chosen(rows) == [(0, 0, 1)]
    assert list(rows[0]["messages"]) == [
        *QUESTION,
        {"role": "assistant", "content": "<think>\nOne.\n\nWait, two.\n\n" + CLOSING},
    ]
    assert rows[0]["j"] == 0.75
    assert rows[0]["progress"] == 0.75
    assert manifest["counts"] == {"traces": 1, "problems": 1}


def test_a_better_prefix_without_a_right_answer_is_passed_over(tmp_path, tokenizer):
    lines = [trace([("One.\n\n", 0.25, "right"), ("Two.\n\n", 0.75, "wrong"), ("Three.\n", 0.5, "timeout")])]
    assert chosen(star(tmp_path, tokenizer, lines)[0]) == [(0, 0, 0)]


def test_the_last_boundary_takes_the_own_answer(tmp_path, tokenizer):
    lines = [trace([("One.\n\n", 0.25, "right"), ("Two.\n", 1.0, "wrong")], own="right")]
    rows, _ = star(tmp_path, tokenizer, lines)
    assert chosen(rows) == [(0, 0, 1)]
    assert rows[0]["messages"][-1]["content"] == "<think>\nOne.\n\nTwo.\n" + CLOSING


def test_no_own_answer_without_the_end_of_thinking(tmp_path, tokenizer):
    lines = [trace([("One.\n\n", 0.25, "right"), ("Two.\n", 1.0, "wrong")], own="right", closed=False)]
    assert chosen(star(tmp_path, tokenizer, lines)[0]) == [(0, 0, 0)]


def test_the_scored_reference_is_no_answer_of_the_model(tmp_path, tokenizer):
    """`anchored` scores the reference (weight: its probability) beside the answers it samples."""
    lines = [trace([("One.\n\n", 0.25, "right"), ("Two.\n", 0.75, "wrong")])]
    scored = {**lines[0]["episodes"][0]["forced"][0], "weight": 0.25}
    for episode in lines[0]["episodes"]:
        sampled = {**episode["forced"][0], "weight": 0.0}
        episode["forced"] = [scored, sampled]
    assert chosen(star(tmp_path, tokenizer, lines)[0]) == [(0, 0, 0)]


@pytest.mark.parametrize(("ties", "episode"), [("shortest", 0), ("longest", 2)])
def test_ties(tmp_path, tokenizer, ties, episode):
    lines = [trace([("One.\n\n", 0.5, "right"), ("Two.\n\n", 0.25, "right"), ("Three.\n", 0.5, "right")])]
    assert chosen(star(tmp_path, tokenizer, lines, "--ties", ties)[0]) == [(0, 0, episode)]


def test_progress_of_the_last_episode(tmp_path, tokenizer):
    """J goes 0 → 0.5 → 0.75 → 0.5: the whole prefix gained most at the second, a single episode at the first."""
    episodes = [("One.\n\n", 0.5, "right"), ("Two.\n\n", 0.75, "right"), ("Three.\n", 0.5, "right")]
    assert chosen(star(tmp_path / "a", tokenizer, [trace(episodes)])[0]) == [(0, 0, 1)]
    assert chosen(star(tmp_path / "b", tokenizer, [trace(episodes)], "--progress", "episode")[0]) == [(0, 0, 0)]


def test_unknown_j_has_no_progress(tmp_path, tokenizer):
    lines = [
        trace([("One.\n\n", None, "right"), ("Two.\n", 0.25, "right")]),
        trace([("One.\n", 1.0, "right")], problem=1, before=None),
    ]
    rows, manifest = star(tmp_path, tokenizer, lines)
    assert chosen(rows) == [(0, 0, 1)]
    assert manifest["counts"]["problems without a right prefix"] == 1


def test_least_progress(tmp_path, tokenizer):
    lines = [
        trace([("One.\n", 0.5, "right")], before=0.75),
        trace([("One.\n", 0.5, "right")], problem=1, before=0.25),
    ]
    assert chosen(star(tmp_path / "a", tokenizer, lines)[0]) == [(1, 0, 0)]
    options = ["--min-progress", "-0.25"]
    assert chosen(star(tmp_path / "b", tokenizer, lines, *options)[0]) == [(0, 0, 0), (1, 0, 0)]


TRACES = [
    trace([("One.\n", 0.25, "right")], number=0),
    trace([("Two.\n", 0.75, "right")], number=1),
    trace([("Three.\n", 0.5, "right")], number=2),
]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [1]),
        (["--best-of", "1"], [0]),
        (["--per-problem", "2"], [1, 2]),
        (["--per-problem", "9"], [1, 2, 0]),
        (["--per-problem", "2", "--best-of", "2"], [1, 0]),
    ],
)
def test_best_of_several_traces(tmp_path, tokenizer, options, expected):
    assert [number for _, number, _ in chosen(star(tmp_path, tokenizer, TRACES, *options)[0])] == expected


def test_balance(tmp_path, tokenizer):
    """Three problems always answered right, one never: one of each stays."""
    episodes = [("One.\n", 0.5, "right")]
    lines = [trace(episodes, problem=problem, own="wrong" if problem == 2 else "right") for problem in range(4)]
    rows, manifest = star(tmp_path, tokenizer, lines, "--balance", "2")
    assert len(rows) == 2
    assert 2 in [problem for problem, _, _ in chosen(rows)]
    assert manifest["counts"]["problems left out by --balance"] == 2


def test_an_opening_tag_that_the_model_wrote(tmp_path, save_tokenizer):
    """Its template asks without the tag, so the tag is the model's own text, which the record has lost."""
    tokenizer = save_tokenizer(TEMPLATE.replace("<think>\n", ""))
    rows, _ = star(tmp_path, tokenizer, [trace([("\nOne.\n", 0.5, "right")], opening=1)])
    assert rows[0]["messages"][-1]["content"] == "<think>\nOne.\n" + CLOSING


def test_the_whole_stop_text(tmp_path, tokenizer):
    rows, _ = star(tmp_path, tokenizer, [trace([("One.", 0.5, "right")])], "--keep-stop-text")
    stop_text = default_node()["stop_text"]
    assert rows[0]["messages"][-1]["content"] == f"<think>\nOne.{stop_text}{{4}}"


@pytest.mark.parametrize(
    ("stop_text", "whole", "expected"),
    [
        ("\nTime is up.\n</think>\n\n\\boxed{", False, "</think>\n\n\\boxed{4}"),
        ("\nTime is up.\n</think>\n\n\\boxed{", True, "\nTime is up.\n</think>\n\n\\boxed{4}"),
        ("\nTime is up.\n</think>\n\n\\boxed", False, "</think>\n\n\\boxed{4}"),
        ("\n</think>\nExplain {it}.", False, "</think>\nExplain {it}. \\boxed{4}"),
    ],
)
def test_closing(stop_text, whole, expected):
    mrt = default_node(stop_text=stop_text)
    assert closing_text(mrt, whole=whole).format(answer="4") == expected


def test_a_template_that_cuts_the_thinking_out_is_refused(tmp_path, capsys, save_tokenizer):
    cutting = TEMPLATE.replace("message['content']", "message['content'].split('</think>')[-1]")
    run = write_run(tmp_path / "run", TRACES, model=save_tokenizer(cutting))
    assert main(["star", "--traces", str(run), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "its chat template does not keep the assistant's message whole" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "no traces"), ("{oops\n", "not a run of traces"), ('{"problem": 1}\n', "not a run of traces")],
)
def test_broken_runs(tmp_path, capsys, tokenizer, content, message):
    run = write_run(tmp_path / "run", TRACES, model=tokenizer)
    (run / "traces.jsonl").write_text(content)
    assert main(["star", "--traces", str(run), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 100_000])
def test_settings_of_a_run_that_are_none(tmp_path, capsys, tokenizer, content):
    run = write_run(tmp_path / "run", TRACES, model=tokenizer)
    (run / "run.json").write_text(content)
    assert main(["star", "--traces", str(run), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "not a run of traces" in error
    assert error.count("\n") == 1


def test_nothing_right(tmp_path, capsys, tokenizer):
    run = write_run(tmp_path / "run", [trace([("One.\n", 0.0, "wrong")])], model=tokenizer)
    assert main(["star", "--traces", str(run), "--out", str(tmp_path / "out")]) == 1
    assert "no prefix has a right answer after it in 1 traces" in capsys.readouterr().err
    assert main(["star", "--traces", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert main(["star", "--traces", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "0 runs in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("least", "message"),
    [
        ("2", "--min-progress 2: allowed: at most 1"),
        ("0.9", "no prefix with a right answer gains --min-progress 0.9; the most that one of 3 gains is 0.75"),
    ],
)
def test_no_prefix_gains_enough(tmp_path, capsys, tokenizer, least, message):
    run = write_run(tmp_path / "run", TRACES, model=tokenizer)
    assert main(["star", "--traces", str(run), "--out", str(tmp_path / "out"), "--min-progress", least]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_replaced_template_is_saved_for_the_training(tmp_path, save_tokenizer):
    """R1's own template cuts the thinking out of what it renders; recipes/star_r1_distill_7b/r1.jinja keeps it."""
    cutting = TEMPLATE.replace("message['content']", "message['content'].split('</think>')[-1]")
    template = Path(__file__).parents[2] / "recipes" / "star_r1_distill_7b" / "r1.jinja"
    rows, _ = star(tmp_path, save_tokenizer(cutting), TRACES, "--chat-template", str(template))
    assert rows[0]["messages"][-1]["content"].startswith("<think>\nTwo.\n</think>")
    saved = AutoTokenizer.from_pretrained(tmp_path / "out" / "tokenizer")
    asked = saved.apply_chat_template(QUESTION, add_generation_prompt=True, tokenize=False)
    assert asked == "<\uff5cUser\uff5c>What is 2 + 2?<\uff5cAssistant\uff5c><think>\n"

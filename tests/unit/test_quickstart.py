"""The quickstart's pieces around the trainer: tokenizer, encoding, progress lines, report."""

import json

import numpy as np
import pytest

from data_prep.search_task import STOP_TEXT, Demonstration, TraceStyle, demonstrate, make_problems
from recipes.quickstart import report
from recipes.quickstart.follow import summarise
from recipes.quickstart.make_model import encode, make_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    rng = np.random.default_rng(0)
    shown = [(p.question, demonstrate(p, TraceStyle(), rng).thinking) for p in make_problems(0)[:300]]
    return make_tokenizer(["user\nassistant\n" + question + thinking + STOP_TEXT for question, thinking in shown])


def test_tags_line_breaks_and_numbers_are_single_tokens(tokenizer):
    for text in ("\n", "<think>", "</think>", "<|im_end|>", " 12", " 7", " 21"):
        assert len(tokenizer.encode(text)) == 1, text
    text = "Try 3 and 12: 3 + 12 = 15, off 21 by 6, no.\n\n"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_an_episode_has_15_to_30_tokens(tokenizer):
    assert 15 <= len(tokenizer.encode("Alternatively, try 3 and 12: 3 + 12 = 15, off 21 by 6, no.\n\n")) <= 30


def test_reloading_does_not_change_how_numbers_are_cut(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    from recipes.quickstart.make_model import make_model

    make_model(tokenizer).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    reloaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "Which two add up to 21? Numbers: 11, 12."
    assert reloaded.encode(text) == tokenizer.encode(text)
    chat = [{"role": "user", "content": "x"}]
    assert reloaded.apply_chat_template(chat, add_generation_prompt=True, tokenize=False).endswith("<think>\n")


@pytest.mark.parametrize("forced", ["", STOP_TEXT])
def test_prompt_and_stop_text_are_not_learnt(tokenizer, forced):
    problem = make_problems(0)[0]
    ids, labels = encode(
        tokenizer, problem, Demonstration("Try 1 and 2: 1 + 2 = 3, off 9 by 6, no.\n\n", forced, "1, 2")
    )
    learnt = tokenizer.decode([token for token in labels if token != -100])
    closing = "" if forced else "</think>\n\nThe answer is \\boxed{"
    assert learnt == "Try 1 and 2: 1 + 2 = 3, off 9 by 6, no.\n\n" + closing + " 1, 2}<|im_end|>"
    assert len(ids) == len(labels)


def test_progress_lines():
    step = "(TaskRunnerV1 pid=1) step:3 - mrt/outcome:0.25 - mrt/regret:0.81234 - timing_s/step:9.71"
    assert summarise(step) == "step   3  outcome 0.25  regret 0.812  seconds 9.71"
    validated = step + " - val-core/search_task/acc/mean@1:0.5"
    assert summarise(validated) == "step   3  outcome 0.25  regret 0.812  seconds 9.71  validation accuracy 0.500"
    assert (
        summarise("step:0 - val-core/search_task/acc/mean@1:np.float64(0.125)")
        == "step   0    validation accuracy 0.125"
    )
    assert summarise("INFO anything else") is None


def test_report(tmp_path, capsys):
    logs = tmp_path / "logs"
    logs.mkdir()

    def line(step, **data):
        return json.dumps({"step": step, "data": {key.replace("__", "/"): value for key, value in data.items()}})

    accuracy = {report.ACCURACY: 0.2}
    keys = [key for _, curves in report.PANELS for key in curves]
    values = {key: 0.5 for key in keys}
    (logs / "1.jsonl").write_text(
        "\n".join([line(0, **accuracy), line(1, **values), line(2, **values), '{"step": 3, "da'])
    )
    (logs / "2.jsonl").write_text(line(2, **{**values, "mrt/outcome": 0.75, report.ACCURACY: 0.6}) + "\n")
    traces = tmp_path / "traces"
    traces.mkdir()
    trace = {
        "step": 2,
        "prompt_text": "Which two?",
        "j_before": 0.25,
        "episode_texts": ["Try this.\n\n", "Wait, <that>.\n\n"],
        "episodes": [[0, 0, 3], [3, 4, 6]],
        "js": [None, 0.75],
        "progress": [[0, 1, 0.5]],
        "outcome": 1.0,
    }
    (traces / "2.jsonl").write_text(json.dumps(trace) + "\n")
    report.main(tmp_path, problems=100)

    merged = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in merged] == [0, 1, 2]
    assert merged[2]["data"]["mrt/outcome"] == 0.75  # the resumed run's value
    # sqrt((0.2 · 0.8 + 0.6 · 0.4) / 100) = 0.0632
    assert "0.200 before and 0.600 after training" in capsys.readouterr().out
    page = (tmp_path / "report/index.html").read_text()
    assert "standard error 0.063" in page
    assert "Wait, &lt;that&gt;." in page
    assert (tmp_path / "report/trace.txt").read_text().splitlines()[1:3] == [
        "-- J without thinking: 0.25",
        "-- episode 0: J unknown, progress unknown",
    ]
    assert (tmp_path / "report/training.png").read_bytes().startswith(b"\x89PNG")


def test_report_without_a_finished_step(tmp_path):
    (tmp_path / "logs").mkdir()
    with pytest.raises(SystemExit, match="no finished training step"):
        report.main(tmp_path, problems=100)

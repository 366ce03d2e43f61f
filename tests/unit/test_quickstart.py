"""The quickstart's pieces around the trainer: tokenizer, encoding, progress lines, report."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from data_prep.search_task import ANSWER_TEXT, ENDS, STOP_TEXT, Demonstration, TraceStyle, demonstrate, make_problems
from mrt_verl.evaluation import EvaluationResult
from recipes.quickstart import report
from recipes.quickstart.follow import summarise
from recipes.quickstart.make_model import batches, encode, make_model, make_tokenizer, tokenizer_texts, warm_start
from recipes.quickstart.prepare import claim


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(tokenizer_texts(make_problems(0)[:600], np.random.default_rng(0)))


def test_tags_line_breaks_and_numbers_are_single_tokens(tokenizer):
    for text in ("\n", "<think>", "</think>", "<|im_end|>", " 12", " 7", " 21"):
        assert len(tokenizer.encode(text)) == 1, text
    text = "Try 3 and 12: 3 + 12 = 15, off 21 by 6, no.\n\n"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_an_episode_has_15_to_30_tokens(tokenizer):
    assert 15 <= len(tokenizer.encode("Alternatively, try 3 and 12: 3 + 12 = 15, off 21 by 6, no.\n\n")) <= 30


def test_reloading_does_not_change_how_numbers_are_cut(tokenizer, tmp_path):
    make_model(tokenizer).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    reloaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "Which two add up to 21? Numbers: 11, 12."
    assert reloaded.encode(text) == tokenizer.encode(text)
    chat = [{"role": "user", "content": "x"}]
    assert reloaded.apply_chat_template(chat, add_generation_prompt=True, tokenize=False).endswith("<think>\n")


@pytest.mark.parametrize("forced", ["", STOP_TEXT])
def test_prompt_and_stop_text_are_not_learnt(tokenizer, forced):
    thinking = "Try 1 and 2: 1 + 2 = 3, off 9 by 6, no.\n\n"
    shown = Demonstration(thinking, forced, "\\{1, 2\\}", ". Done.")
    ids, labels = encode(tokenizer, make_problems(0)[0], shown)
    learnt = tokenizer.decode([token for token in labels if token != -100])
    closing = "" if forced else "</think>\n\nThe answer is \\boxed"
    assert learnt == thinking + closing + "{\\{1, 2\\}}. Done.<|im_end|>"
    assert len(ids) == len(labels)


def test_braces_of_the_box_are_parts_of_other_tokens(tokenizer):
    """As in real vocabularies: a stop text that ends in the brace ends inside a token, and many tokens close a box."""
    for end in ENDS:
        pieces = [tokenizer.decode([token]) for token in tokenizer.encode(f"{STOP_TEXT}{{\\{{12, 3\\}}}}{end}")]
        assert pieces[-6:] == ["boxed", "{\\{", "12", ",", " 3", f"\\}}}}{end}"]
    assert tokenizer.encode("12") != tokenizer.encode(" 12")  # the box's number is not that of the trace


def test_a_demonstration_is_cut_as_its_whole_text_is(tokenizer):
    rng = np.random.default_rng(2)
    for problem in make_problems(0)[:300]:
        shown = demonstrate(problem, TraceStyle(hit=0.3), rng)
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": problem.question}], add_generation_prompt=True, tokenize=False
        )
        answered = f"{shown.forced or ANSWER_TEXT}{{{shown.answer}}}{shown.tail}{tokenizer.eos_token}"
        text = prompt + shown.thinking + answered
        ids, labels = encode(tokenizer, problem, shown)
        assert ids == tokenizer.encode(text)
        assert sum(label != -100 for label in labels) < 150  # train.yaml's max_response_length is 160


def test_outputs_of_another_version_of_the_task_are_refused(tmp_path):
    claim(tmp_path / "new")
    claim(tmp_path / "new")
    (tmp_path / "old" / "data").mkdir(parents=True)  # as the first version left it
    with pytest.raises(SystemExit, match="is of version 1 of the search task"):
        claim(tmp_path / "old")


@pytest.mark.long
def test_a_warm_start_is_saved_with_what_it_learnt(tmp_path, capsys):
    problems = make_problems(0)[:400]
    warm_start(tmp_path, problems, seed=0, stages=((90, TraceStyle()), (10, TraceStyle(hit=0.3))))
    assert "step  100/100" in capsys.readouterr().out
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    trained = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids, labels = next(batches(tokenizer, problems, TraceStyle(), np.random.default_rng(1)))
    with torch.no_grad():
        before, after = (model(input_ids=ids, labels=labels).loss for model in (make_model(tokenizer), trained))
    assert after < before / 3


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


def test_logs_of_several_starts_become_one(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()

    def line(step, **data):
        return json.dumps({"step": step, "data": {key.replace("__", "/"): value for key, value in data.items()}})

    first = [line(0, val=0.2), line(1, timing_s__step=0.5), line(2, timing_s__step=0.5, other=1.0), '{"step": 3, "da']
    (logs / "1.jsonl").write_text("\n".join(first))
    (logs / "2.jsonl").write_text(line(2, timing_s__step=0.75) + "\n")
    report.merge_logs(tmp_path)
    merged = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in merged] == [0, 1, 2]
    assert merged[2]["data"] == {"timing_s/step": 0.75, "other": 1.0}  # the resumed run's value


def test_the_report_compares_the_last_checkpoint_with_the_first_model(tmp_path, monkeypatch):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/1.jsonl").write_text('{"step": 1, "data": {"timing_s/step": 0.5}}\n')
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/latest_checkpointed_iteration.txt").write_text("40\n")
    evaluated, reported = [], []

    def evaluate(config):
        evaluated.append(config)
        return EvaluationResult({name: config.out / name for name in config.models}, {})

    monkeypatch.setattr(report, "evaluate", evaluate)
    monkeypatch.setattr(report, "report", lambda *where, **how: reported.append((*where, how)))
    monkeypatch.setattr(report, "describe", lambda summary: ["findings"])
    report.main(tmp_path, problems=100)
    (config,) = evaluated
    models = {"after-40-steps": f"{tmp_path}/checkpoints/global_step_40", "before": f"{tmp_path}/model"}
    assert (config.models, config.problems) == (models, 100)
    assert config.settings.markers == ("Wait", "Alternatively", "But wait")  # what the model was trained with
    ((directories, out, how),) = reported
    assert [path.name for path in directories] == ["after-40-steps", "before"]
    assert (out, how["training"]) == (tmp_path / "report", {"quickstart": tmp_path / "metrics.jsonl"})


def test_report_without_a_finished_step(tmp_path):
    (tmp_path / "logs").mkdir()
    with pytest.raises(SystemExit, match="no finished training step"):
        report.main(tmp_path, problems=100)

"""The quickstart's pieces around the trainer: tokenizer, encoding, progress lines, report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from data_prep.schema import write_parquet
from data_prep.search_task import (
    ANSWER_TEXT,
    ENDS,
    STOP_TEXT,
    VERSION,
    Demonstration,
    TraceStyle,
    demonstrate,
    make_problems,
)
from mrt_verl.evaluation import EvaluationResult
from mrt_verl.evaluation.load import load_runs
from mrt_verl.evaluation.problems import read_problems
from recipes.quickstart import prepare, recorded, report, run
from recipes.quickstart.arms import parse_arms
from recipes.quickstart.follow import Progress, follow, summarise
from recipes.quickstart.make_model import (
    batches,
    encode,
    make_model,
    make_tokenizer,
    tokenizer_texts,
    warm_start,
)
from recipes.quickstart.prepare import MADE_BY, SEED, TEST, TRAIN, WARM_START, claim, prepare_quickstart, rows
from recipes.study.fast.tasks import TASKS, made_by, make_warm_starts
from tests.evaluation_records import record, write_run


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
    ids, labels = encode(tokenizer, make_problems(0)[0].question, shown)
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
        ids, labels = encode(tokenizer, problem.question, shown)
        assert ids == tokenizer.encode(text)
        assert sum(label != -100 for label in labels) < 150  # train.yaml's max_response_length is 160


def test_outputs_of_another_version_of_the_task_are_refused(tmp_path):
    claim(tmp_path / "new")
    claim(tmp_path / "new")
    (tmp_path / "old" / "data").mkdir(parents=True)  # as the first version left it
    with pytest.raises(SystemExit, match="is of version 1 of the search task"):
        claim(tmp_path / "old")


def test_the_shipped_warm_start_is_of_this_task(tokenizer, tmp_path, capsys):
    task = TASKS["pair"]
    assert json.loads((WARM_START / MADE_BY).read_text()) == json.loads(json.dumps(made_by(task, task.seeds[0])))
    assert (task.version, WARM_START) == (VERSION, task.warm_starts / "1")
    prepare_quickstart(tmp_path)
    shipped = AutoTokenizer.from_pretrained(tmp_path / "model")
    rest = make_problems(SEED)[TEST + TRAIN :]
    fresh = make_tokenizer(tokenizer_texts(rest, np.random.default_rng(task.seeds[0])))
    assert shipped.get_vocab() == fresh.get_vocab()
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    (_, style) = task.stages[-1]
    ids, labels = next(batches(shipped, rest, style, np.random.default_rng(1)))
    with torch.no_grad():
        assert model(input_ids=ids, labels=labels).loss < 1.2  # an untrained one has 6


def test_a_warm_start_of_another_version_is_refused(tmp_path, monkeypatch):
    (tmp_path / MADE_BY).write_text('{"task_version": 1}')
    monkeypatch.setattr(prepare, "WARM_START", tmp_path)
    with pytest.raises(SystemExit, match=r"study\.fast warm-start"):
        prepare_quickstart(tmp_path / "out")


@pytest.mark.long
def test_the_warm_start_can_be_remade(tmp_path):
    make_warm_starts(replace(TASKS["pair"], stages=((3, TraceStyle(hit=0.3)),), seeds=(21,)), tmp_path)
    assert {path.name for path in WARM_START.iterdir()} == {path.name for path in (tmp_path / "1").iterdir()}
    shapes = [
        {name: tuple(value.shape) for name, value in AutoModelForCausalLM.from_pretrained(path).state_dict().items()}
        for path in (WARM_START, tmp_path / "1")
    ]
    assert shapes[0] == shapes[1]


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
    step = "(TaskRunnerV1 pid=1) step:3 - mrt/outcome:0.25 - mrt/regret:0.81234 - mrt/think_tokens_mean:91.25"
    assert summarise(step) == "step   3  accuracy 0.25  regret 0.81  tokens 91.2"
    validated = step + " - val-core/search_task/acc/mean@1:0.5"
    assert summarise(validated, 50) == "step   3/50  accuracy 0.25  regret 0.81  tokens 91.2  held-out accuracy 0.500"
    before = "step:0 - val-core/search_task/acc/mean@1:np.float64(0.125)"
    assert summarise(before) == "step   0  held-out accuracy 0.125"
    assert summarise("step:4 - critic/score/mean:1.5e-01 - x/mrt/regret:9") == "step   4  accuracy 0.15"
    assert summarise("INFO anything else") is None


def test_time_left_is_that_of_the_last_steps():
    now = iter((0.0, 30.0, 40.0, 50.0, 60.0))
    progress = Progress(steps=10, clock=lambda: next(now))
    assert progress.line("Started a local Ray instance. View …") == "  Ray is up (30 s)"
    assert "left" not in progress.line("step:1 - mrt/outcome:0.5")
    assert progress.line("step:2 - mrt/outcome:0.5").endswith("  1:20 min left")
    assert progress.line("step:3 - mrt/outcome:0.5").endswith("  1:10 min left")
    assert progress.line("Started a local Ray instance, again") is None
    assert Progress().line("step:1 - mrt/outcome:0.5") == "step   1  accuracy 0.50"


def test_all_output_is_kept_and_steps_are_counted(tmp_path, capsys):
    lines = ["noise\n", "step:1 - mrt/outcome:0.5\n", "more noise\n", "step:2 - mrt/outcome:0.5\n"]
    assert follow(lines, tmp_path / "log", 2) == 2
    assert (tmp_path / "log").read_text() == "".join(lines)
    assert len(capsys.readouterr().out.splitlines()) == 2


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


@pytest.fixture
def evaluated(monkeypatch):
    """Configs and reports that `report.main` asked for."""
    asked = {"evaluated": [], "reported": []}

    def evaluate(config):
        asked["evaluated"].append(config)
        return EvaluationResult({name: config.out / name for name in config.models}, {})

    monkeypatch.setattr(report, "evaluate", evaluate)
    monkeypatch.setattr(report, "report", lambda *where, **how: asked["reported"].append((*where, how)))
    monkeypatch.setattr(report, "describe", lambda summary: ["findings"])
    return asked


def trained(folder, steps=50):
    (folder / "logs").mkdir(parents=True)
    (folder / "logs/1.jsonl").write_text('{"step": 1, "data": {"timing_s/step": 0.5}}\n')
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints/latest_checkpointed_iteration.txt").write_text(f"{steps}\n")


def test_the_report_compares_the_arms_that_were_trained(tmp_path, evaluated, monkeypatch):
    monkeypatch.setattr(report, "unpack", lambda *_: None)
    trained(tmp_path)
    trained(tmp_path / "grpo")
    report.main(tmp_path, ["grpo", "mrt"], problems=100, recorded=False)
    mrt, grpo = evaluated["evaluated"]
    assert mrt.models == {"mrt-50-steps": f"{tmp_path}/checkpoints/global_step_50"}
    assert grpo.models == {"grpo-50-steps": f"{tmp_path}/grpo/checkpoints/global_step_50"}
    assert mrt.settings.markers == ("Wait", "Alternatively", "But wait")  # what the model was trained with
    ((directories, out, how),) = evaluated["reported"]
    assert [path.name for path in directories[:2]] == ["mrt-50-steps", "grpo-50-steps"]
    assert (out, list(how["training"])) == (tmp_path / "report", ["mrt", "grpo"])


def test_recorded_runs_stand_beside_what_was_trained(tmp_path, evaluated, monkeypatch):
    trained(tmp_path)
    monkeypatch.setattr(report, "unpack", lambda name, out, data: out / name)
    report.main(tmp_path, ["mrt"], problems=100)
    ((directories, _, how),) = evaluated["reported"]
    assert [path.name for path in directories] == ["mrt-50-steps", "grpo", "before"]
    assert how["common"]  # of so many problems as were evaluated here
    report.main(tmp_path, ["mrt"], problems=100, recorded=False)
    assert [path.name for path in evaluated["reported"][1][0]] == ["mrt-50-steps", "before"]


def test_recorded_runs_that_cannot_be_compared_are_left_out(tmp_path, evaluated, monkeypatch, capsys):
    trained(tmp_path)
    monkeypatch.setattr(report, "unpack", lambda name, out, data: out / name)

    def refuse(directories, out, **how):
        evaluated["reported"].append(directories)
        if len(directories) > 1:
            raise ValueError("grader: another version")

    monkeypatch.setattr(report, "report", refuse)
    report.main(tmp_path, ["mrt"], problems=100)
    assert "the recorded runs are left out: grader: another version" in capsys.readouterr().out
    assert len(evaluated["reported"][-1]) == 1


def test_a_kept_run_comes_back_for_the_same_problems_only(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "RECORDED", tmp_path / "recorded")
    data = tmp_path / "test.parquet"
    problems = make_problems(0)[:3]
    write_parquet(rows(problems, "test"), data)
    uids = [one.uid for one in read_problems(data)]
    sampled = write_run(tmp_path / "run", [record(problem=p, uid=uid) for p, uid in enumerate(uids)], problems=3)
    log = tmp_path / "metrics.jsonl"
    log.write_text(json.dumps({"step": 1, "data": {"mrt/regret": 0.123456789, "perf/x": 1.0}}) + "\n")
    recorded.keep("grpo", sampled, log, tmp_path / "recorded")
    kept = json.loads((tmp_path / "recorded/grpo/metrics.jsonl").read_text())
    assert kept == {"step": 1, "data": {"mrt/regret": 0.12346}}
    run_json = json.loads((tmp_path / "recorded/grpo/run.json").read_text())
    assert run_json["recorded"] == recorded.made_by("grpo")
    assert "mrt.alpha=0" in run_json["recorded"]["overrides"] and len(run_json["recorded"]["settings"]) == 64
    (loaded,) = load_runs([recorded.unpack("grpo", tmp_path / "out", data)])
    assert (loaded.name, [traces[0].uid for traces in loaded.problems]) == ("grpo (recorded)", uids)
    assert recorded.unpack("before", tmp_path / "out", data) is None
    write_parquet(rows(problems[::-1], "test"), data)
    assert recorded.unpack("grpo", tmp_path / "out", data) is None


@pytest.mark.parametrize("name", recorded.NAMES)
def test_what_is_recorded_is_of_this_task_and_these_settings(name):
    """A change of the task or of the arms' settings calls for new recordings."""
    if not (recorded.RECORDED / name).exists():
        pytest.skip("not recorded: both arms are trained")
    kept = json.loads((recorded.RECORDED / name / "run.json").read_text())
    assert kept["recorded"] == recorded.made_by(name)
    assert kept["problems"] == recorded.PROBLEMS


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """trainer(script): `run.train` starts that shell script in place of Python; everything is below tmp_path."""
    monkeypatch.setattr(run, "directory_of", lambda arm: tmp_path / arm)

    def stand_in(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(run.sys, "executable", str(path))

    return stand_in


def test_a_run_is_followed_and_not_repeated(trainer, tmp_path, capsys):
    latest = "checkpoints/latest_checkpointed_iteration.txt"
    trainer(
        f'echo "step:1 - mrt/outcome:0.5"; echo "$VERL_FILE_LOGGER_PATH"; echo "$*"\n'
        f"mkdir {tmp_path}/mrt/checkpoints; echo 2 > {tmp_path}/mrt/{latest}"
    )
    run.train("mrt", 2)
    assert "step   1/2  accuracy 0.50" in capsys.readouterr().out
    _, logger, words = (tmp_path / "mrt/train.log").read_text().splitlines()
    assert logger.startswith(f"{tmp_path}/mrt/logs/")
    assert "reward_model=mrt" in words and "trainer.total_training_steps=2" in words
    trainer("exit 9")
    run.train("mrt", 2)
    assert "mrt: trained already" in capsys.readouterr().out


def test_a_trainer_that_fails_shows_the_end_of_its_output(trainer, capsys):
    trainer('for n in $(seq 100); do echo "line $n"; done; exit 3')
    with pytest.raises(SystemExit, match="mrt: the trainer ended with status 3"):
        run.train("mrt", 2)
    shown = capsys.readouterr().err.splitlines()
    assert (len(shown), shown[-1]) == (run.LAST_LINES, "line 100")


def test_arms():
    assert parse_arms("mrt") == ["mrt"]
    assert parse_arms("grpo") == parse_arms("grpo mrt") == parse_arms("grpo,mrt") == ["grpo", "mrt"]
    with pytest.raises(SystemExit, match="no arm gpro; allowed: grpo mrt"):
        parse_arms("gpro mrt")


def test_report_without_a_finished_step(tmp_path):
    (tmp_path / "logs").mkdir()
    with pytest.raises(SystemExit, match="no finished training step"):
        report.main(tmp_path, ["mrt"], problems=100)

"""Records from a server that plays a script: plain, kept from stopping, with a sliding window, failing, resumed."""

import asyncio
import dataclasses
import json
import re

import pandas as pd
import pytest

from mrt_verl.evaluation import command, evaluate_models
from mrt_verl.evaluation.config import check_settings, evaluation_settings
from mrt_verl.evaluation.plan import SamplingPlan
from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.run import sample_missing
from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.evaluation.store import TRACES, Store
from mrt_verl.grading import Grader
from mrt_verl.grading.grades import RIGHT, WRONG
from mrt_verl.trace import TraceTimeout
from tests.builders import default_settings
from tests.evaluation_records import settings as run_settings
from tests.fakes import END, FakeServer, play, toy_tokenizer

OPEN, CLOSE, STOP = "<think>", "</think>", "stop\\boxed{"
WORDS = ("Wait", "Hold", "7", "8", "}", "Q", "\\boxed{", "user", "assistant")
TOKENIZER = toy_tokenizer((*WORDS, "\n", "\n\n", STOP, " a", " b", " c"))
PROMPT_TOKENS = 11
"""<|im_start|>, user, a line break, Q, <|im_end|>, a line break; <|im_start|>, assistant, …, <think>, a line break."""
SETTINGS = default_settings(
    markers=["Wait", "Hold"],
    stop_text=STOP,
    prover="sample",
    branches=3,
    branch_max_tokens=2,
    branch_stop=[],
    min_steps=1,
    min_episode_tokens=0,
    think_open=OPEN,
    think_close=CLOSE,
)
PROBLEM = Problem(0, "uid", "test", [{"role": "user", "content": "Q"}], "7")


def serve(*pieces, answer=lambda _: "8}"):
    """A server that writes `answer(request)` after the stop text, and the next of the pieces after all else."""
    written = play(*pieces)
    return FakeServer(TOKENIZER, lambda request: (answer if request.text.endswith(STOP) else written)(request))


def thinking(request):
    """What the request's prompt holds of the thinking."""
    return request.text.partition(OPEN + "\n")[2].removesuffix(STOP)


def forced(server):
    """The thinking of every request for a forced answer."""
    return [thinking(request) for request in server.requests if request.text.endswith(STOP)]


def contexts(server):
    """The thinking that every other request continues."""
    return [thinking(request) for request in server.requests if not request.text.endswith(STOP)]


def rises_with_b(request):
    return "7}" if "b" in thinking(request) else "8}"


def sampler_of(server, settings=SETTINGS, **plan):
    plan = SamplingPlan(**{"response_tokens": 40, "direct_answers": 2, **plan})
    return RecordSampler(server, TOKENIZER, settings, plan, Grader(thinking=None))


def sample(server, **plan):
    return asyncio.run(sampler_of(server, **plan).sample(PROBLEM, trace=0))


def test_a_plain_trace():
    server = serve(" a\n\nWait b\n\n" + CLOSE + "\\boxed{7}" + END, answer=rises_with_b)
    record = sample(server)
    assert [(e.start, e.marker_end, e.end) for e in record.episodes] == [(0, 0, 2), (2, 3, 5)]
    assert [e.text for e in record.episodes] == [" a\n\n", "Wait b\n\n"]
    assert [e.j for e in record.episodes] == [0.0, 1.0]
    assert [len(e.forced) for e in record.episodes] == [3, 2]  # the own answer is one sample of the last
    # the last boundary is asked from where the policy closed its thinking itself
    assert forced(server) == [""] * 2 + [" a\n\n"] * 3 + [" a\n\nWait b\n\n" + CLOSE.strip()] * 2
    assert (record.j_before, len(record.before), record.before_tokens) == (0.0, 2, 3.0)
    assert (record.own.extracted, record.own.verdict, record.own.score) == ("7", "right", 1.0)
    assert record.episodes[0].answer_tokens == 3.0  # stop text, digit, brace
    assert (record.prompt_tokens, record.response_tokens, record.think_tokens) == (PROMPT_TOKENS, 10, 5)
    assert record.closed and record.finished and record.markers == 1
    assert record.branch_tokens == 10


def test_a_trace_that_never_closes_its_thinking():
    record = sample(serve(" a\n\nWait b b b"), response_tokens=6)
    assert (record.closed, record.finished, record.own.verdict, record.own.score) == (False, False, "no_answer", 0.0)
    assert [len(e.forced) for e in record.episodes] == [3, 3]


def test_the_end_of_the_sequence_inside_the_thinking_is_not_part_of_a_prefix():
    server = serve(" a" + END)
    record = sample(server)
    assert not record.closed
    assert forced(server)[2:] == [" a"] * 3


@pytest.mark.parametrize("window", [None, 1])
def test_a_trace_that_never_comes(window):
    server = FakeServer(TOKENIZER, lambda _: "8}", delay=lambda one: 0.0 if one.text.endswith(STOP) else 60.0)
    patient = dataclasses.replace(SETTINGS, trace_timeout_s=0.05)
    with pytest.raises(TraceTimeout, match=r"no answer within mrt\.trace_timeout_s=0\.05"):
        asyncio.run(sampler_of(server, patient, window=window).sample(PROBLEM, trace=0))


def test_a_failed_branch_is_counted():
    answers = play("8}", "8}", "7}", RuntimeError("engine died"), "8}")
    record = sample(serve(" a" + CLOSE + END, answer=answers))
    assert record.branch_failures == 1
    assert record.episodes[0].j == pytest.approx(1 / 2)  # one right of one forced and the own answer


def test_what_training_inserts_an_evaluation_inserts():
    server = serve(" a" + CLOSE, " b" + CLOSE, "\\boxed{7}" + END, answer=rises_with_b)
    settings = dataclasses.replace(
        SETTINGS, insertion="budget_forcing", insert_max=1, insert_texts=("Wait",), insert_min_left=1
    )
    record = asyncio.run(sampler_of(server, settings).sample(PROBLEM, 0))
    assert contexts(server)[1:] == [" a\n\nWait", " a\n\nWait b" + CLOSE]
    assert [one.j for one in record.episodes] == [0.0, 1.0]


def test_budget_forcing_inserts_markers_in_rotation():
    server = serve(
        " a" + CLOSE + "\\boxed{8}" + END,
        " b" + CLOSE + "\\boxed{7}" + END,  # closes at once
        " c c c c c",  # runs into the limit
        " a" + END,
        answer=rises_with_b,
    )
    record = sample(server, insertions=3, insertion_tokens=3)
    assert contexts(server)[1:] == [" a\n\nWait", " a\n\nWait b\n\nHold", " a\n\nWait b\n\nHold c c c\n\nWait"]
    assert [(e.start, e.marker_end, e.end) for e in record.extension] == [(1, 3, 4), (4, 6, 9), (9, 11, 12)]
    assert [e.text for e in record.extension] == ["\n\nWait b", "\n\nHold c c c", "\n\nWait a"]
    assert [e.j for e in record.extension] == [1.0, 1.0, 1.0]
    assert forced(server)[-3:] == [" a\n\nWait b\n\nHold c c c\n\nWait a"] * 3
    assert [e.j for e in record.episodes] == [0.0]  # the trace itself stays as it was


def test_a_trace_without_thinking_is_not_extended():
    record = sample(serve(CLOSE + "\\boxed{7}" + END), insertions=2)
    assert (record.episodes, record.extension, record.own.score) == ([], [], 1.0)


def test_a_window_keeps_the_last_episodes_in_the_context():
    server = serve(
        " a\n\nWait",
        " b\n\nHold",
        " c\n\nWait",
        " a" + CLOSE + "\\boxed{7}" + END,
        answer=rises_with_b,
    )
    record = sample(server, window=1)
    assert contexts(server) == ["", " a\n\nWait", "Wait b\n\nHold", "Hold c\n\nWait"]
    assert [(e.start, e.end) for e in record.episodes] == [(0, 2), (2, 5), (5, 8), (8, 10)]
    assert [e.text for e in record.episodes] == [" a\n\n", "Wait b\n\n", "Hold c\n\n", "Wait a"]
    # forced answers see what the window holds: b has left it before the last boundary
    assert [e.j for e in record.episodes] == [0.0, 1.0, 1.0, pytest.approx(1 / 3)]
    assert record.own.score == 1.0
    assert (record.response, record.markers) == (
        " a\n\nWait b\n\nHold c\n\nWait a</think>\\boxed{7}",
        3,
    )


def test_a_window_is_as_long_as_asked_for_whatever_the_shortest_episode():
    """An episode that has only its marker so far is not short: it is being written."""
    pieces = (" a a a a\n\nWait", " b b b b\n\nHold", " c c c c\n\nWait", " a a a a" + CLOSE + "\\boxed{7}" + END)
    server = serve(*pieces, answer=rises_with_b)
    settings = dataclasses.replace(SETTINGS, min_episode_tokens=4)
    record = asyncio.run(sampler_of(server, settings, window=1).sample(PROBLEM, trace=0))
    assert contexts(server) == ["", " a a a a\n\nWait", "Wait b b b b\n\nHold", "Hold c c c c\n\nWait"]
    assert [e.text for e in record.episodes] == [" a a a a\n\n", "Wait b b b b\n\n", "Hold c c c c\n\n", "Wait a a a a"]


def goes_on(request):
    """a, b, c in turn, a paragraph each, from wherever the context ends; a sum at the end of each."""
    if request.text.endswith(STOP):
        return "8}"
    written = thinking(request)
    following = {"": " a", " a": " b", " b": " c", " c": " a"}
    last, text = written.strip("\n")[-2:], ""
    if written and not written.endswith("\n\n"):
        text = "\n\n"
    for _ in range(9):
        last = following[last]
        text += last + "\n\n"
    return text


@pytest.mark.parametrize("kind", ["paragraphs", "tokens:2"])
@pytest.mark.parametrize("window", [1, 2])
def test_a_window_of_episodes_that_no_marker_opens(kind, window):
    """Paragraphs of two tokens: the episode that is written sees `window` finished ones."""
    server = FakeServer(TOKENIZER, goes_on)
    settings = dataclasses.replace(SETTINGS, episodes=kind)
    sampler = sampler_of(server, settings, window=window, response_tokens=11)
    record = asyncio.run(sampler.sample(PROBLEM, trace=0))
    assert [e.text for e in record.episodes] == [" a\n\n", " b\n\n", " c\n\n", " a\n\n", " b\n\n", " c"]
    assert max(text.count("\n\n") for text in forced(server)) == window + 1  # those before, and the one that ends there
    assert all(episode.forced for episode in record.episodes)
    assert record.response == " a\n\n b\n\n c\n\n a\n\n b\n\n c"


def test_a_window_stops_at_the_budget():
    record = sample(serve(" a\n\nWait", " b\n\nHold", " c c c c"), window=1, response_tokens=8)
    assert (record.response_tokens, record.closed, record.finished) == (8, False, False)
    assert [(e.start, e.end) for e in record.episodes] == [(0, 2), (2, 5), (5, 8)]


def test_a_window_must_leave_room():
    with pytest.raises(ValueError, match=r"window=6; allowed: 1 … 5, below mrt\.max_episodes"):
        sampler_of(serve(), window=6)


PROBLEMS = [Problem(index, f"uid{index}", "test", [{"role": "user", "content": "Q"}], "7") for index in range(3)]
TRACE = " a" + CLOSE + "\\boxed{7}" + END


def run(server, directory, traces=2):
    settings = run_settings()
    with Store(directory, settings) as store:
        return asyncio.run(sample_missing(PROBLEMS, traces, sampler_of(server), store, concurrency=2, label="model"))


def test_all_missing_traces_are_sampled_once(tmp_path):
    assert run(serve(*[TRACE] * 6), tmp_path) == 6
    lines = (tmp_path / TRACES).read_text().splitlines()
    assert sorted((row["problem"], row["trace"]) for row in map(json.loads, lines)) == [
        (problem, trace) for problem in range(3) for trace in range(2)
    ]
    assert run(serve(), tmp_path) == 0
    assert (tmp_path / TRACES).read_text().splitlines() == lines


def test_a_full_disk_names_the_trace(tmp_path, monkeypatch):
    def append(self, record):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "append", append)
    with pytest.raises(RuntimeError, match=r"^model: problem \d, trace \d: .*No space left on device$"):
        run(serve(*[TRACE] * 6), tmp_path)


def test_direct_answers_are_sampled_once_per_problem_also_after_a_stop(tmp_path):
    server = serve(*[TRACE] * 6)
    run(server, tmp_path)
    assert forced(server).count("") == 3 * 2
    lines = (tmp_path / TRACES).read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["trace"] == 0]
    (tmp_path / TRACES).write_text("".join(kept) + lines[0][:50])
    server = serve(*[TRACE] * 3, answer=lambda _: "7}")
    assert run(server, tmp_path) == 3
    assert forced(server).count("") == 0
    rows = list(map(json.loads, (tmp_path / TRACES).read_text().splitlines()))
    assert all(row["before"][0]["text"] == "8}" for row in rows)


def test_an_engine_that_dies_names_the_trace_and_loses_nothing(tmp_path):
    with pytest.raises(RuntimeError, match=r"model: problem \d, trace \d: engine died"):
        run(serve(TRACE, TRACE, RuntimeError("engine died")), tmp_path)
    assert 1 <= len((tmp_path / TRACES).read_text().splitlines()) <= 2
    run(serve(*[TRACE] * 5), tmp_path)
    assert len((tmp_path / TRACES).read_text().splitlines()) == 6


class Scorer:
    """Stands for the grader where verl's function scores: keeps what it is shown."""

    def __init__(self):
        self.shown = []

    async def grade_outcome(self, compute_score, **arguments):
        assert compute_score is None and arguments["data_source"] == "test" and arguments["extra_info"] == {"index": 3}
        self.shown.append(arguments["solution_str"])
        return RIGHT if "7" in self.shown[-1] else WRONG


def test_verls_function_is_shown_whole_responses():
    settings = dataclasses.replace(SETTINGS, outcome="compute_score", branches=1)
    server, scorer = serve(" a\n\nWait b" + CLOSE + "\\boxed{7}" + END), Scorer()
    sampler = sampler_of(server, settings, direct_answers=1)
    sampler.answers.grader = scorer
    record = asyncio.run(sampler.sample(dataclasses.replace(PROBLEM, extra_info={"index": 3}), trace=0))
    assert scorer.shown == [STOP + "8}", " a\n\nWait b" + CLOSE + "\\boxed{7}", " a\n\n" + STOP + "8}"]
    assert (record.own.score, [e.j for e in record.episodes]) == (1.0, [0.0, 1.0])


def test_a_model_without_tags_thinks_and_answers_in_one():
    settings = dataclasses.replace(SETTINGS, think_open=None, think_close=None)
    server = serve(" a\n\nWait b\\boxed{7}" + END, " c" + END, answer=rises_with_b)
    sampler = sampler_of(server, settings, insertions=1, insertion_tokens=5)
    record = asyncio.run(sampler.sample(PROBLEM, trace=0))
    assert record.closed and record.own.extracted == "7"
    assert (
        forced(server)[2:] == [" a\n\n"] * 3 + [" a\n\nWait b\\boxed{7}"] * 2 + [" a\n\nWait b\\boxed{7}\n\nWait c"] * 3
    )
    assert [e.j for e in record.episodes] == [0.0, 1.0]
    # the end of the sequence is counted, though nothing stands after it
    assert [(e.start, e.end) for e in record.extension] == [(8, 11)]


@pytest.fixture
def data(tmp_path):
    row = {"data_source": "s", "prompt": PROBLEM.messages, "reward_model": {"ground_truth": "7"}}
    path = tmp_path / "data.parquet"
    pd.DataFrame([row, row]).to_parquet(path)
    return path


def evaluate(monkeypatch, data, *arguments, max_model_len=None):
    """The command with scripted servers; returns how many it started, all of which it must have closed."""
    started = []

    def open_engine(name, config):
        server = serve(*[TRACE] * 4)
        server.max_model_len = max_model_len
        started.append(server)
        return server, TOKENIZER

    monkeypatch.setattr(evaluate_models, "open_engine", open_engine)
    own = ["mrt.markers=[Wait]", f"mrt.stop_text='{STOP}'", "mrt.branch_max_tokens=2", "mrt.branch_stop=[]"]
    fixed = ["--data", str(data), "--budgets", "20,40", "--traces", "2", "--out", str(data.parent / "out")]
    try:
        command.main(["run", *fixed, "--set", *own, *arguments])
    finally:
        assert all(server.is_closed for server in started)
    return len(started)


def test_model_and_baselines_run_in_turn_and_are_reported(monkeypatch, data, capsys):
    models = ("--model", "new=path/new", "--baseline", "old=path/old", "older=path/older")
    assert evaluate(monkeypatch, data, *models) == 3
    assert evaluate(monkeypatch, data, *models) == 0
    assert "new: all 4 traces are in" in capsys.readouterr().out
    command.main(["report", str(data.parent / "out")])
    page = json.loads((data.parent / "out/report/summary.json").read_text())
    assert [(one["method"], one["baseline"]) for one in page["comparisons"]] == [("new", "old"), ("new", "older")]


def test_graded_by_a_function_of_ones_own(monkeypatch, data):
    """Right is what says 8, as no trace but every forced answer does; another function is another run."""
    score = data.parent / "score.py"
    score.write_text("def compute_score(solution_str, said, **_):\n    return float(said in solution_str)\n")
    function = "reward.custom_reward_function"
    by = (f"{function}.path={score}", "mrt.outcome=compute_score", f"+{function}.reward_kwargs.said='8}}'")
    assert evaluate(monkeypatch, data, *by, "--model", "new=path/new") == 1
    rows = [json.loads(line) for line in (data.parent / "out/new" / TRACES).read_text().splitlines()]
    assert [row["own"]["verdict"] for row in rows] == ["wrong"] * 4
    assert {answer["verdict"] for row in rows for answer in row["before"]} == {"right"}
    score.write_text("def compute_score(solution_str, said, **_):\n    return 1.0\n")
    with pytest.raises(SystemExit, match=r"error: .*grader\.function\.sha256"):
        evaluate(monkeypatch, data, *by, "--model", "new=path/new")


def test_other_settings_in_the_same_directory_are_refused(monkeypatch, data):
    evaluate(monkeypatch, data, "--model", "new=path/new")
    with pytest.raises(SystemExit, match=r"error: .*sampling\.sampling_params\.temperature: 1\.0 there, 0\.5 here"):
        evaluate(monkeypatch, data, "--model", "new=path/new", "--temperature", "0.5")


@pytest.mark.parametrize("base_url", [None, "http://localhost:1/v1"])
def test_a_model_whose_tags_are_no_tokens_is_refused_before_an_engine_starts(data, base_url):
    toy_tokenizer((*WORDS, "\n"), added=()).save_pretrained(data.parent / "untagged")
    model = ["--model", f"m={data.parent / 'untagged'}", *(["--base-url", base_url] if base_url else [])]
    fixed = ["--data", str(data), "--budgets", "20", "--out", str(data.parent / "out")]
    with pytest.raises(SystemExit, match=r"error: mrt\.think_open='<think>' is 7 tokens for .*untagged; allowed"):
        command.main(["run", *fixed, *model])


@pytest.mark.parametrize(("trace", "is_told"), [(TRACE, False), (CLOSE + "\\boxed{7}" + END, True)])
def test_a_model_that_never_thinks_is_told_of(monkeypatch, data, capsys, trace, is_told):
    monkeypatch.setattr(evaluate_models, "open_engine", lambda *_: (serve(*[trace] * 4), TOKENIZER))
    own = ["mrt.markers=[Wait]", f"mrt.stop_text='{STOP}'", "mrt.branch_max_tokens=2", "mrt.branch_stop=[]"]
    fixed = ["--data", str(data), "--budgets", "20,40", "--traces", "2", "--out", str(data.parent / "out")]
    command.main(["run", *fixed, "--model", "new=path/new", "--set", *own])
    assert ("new: no trace contains any thinking" in capsys.readouterr().out) == is_told


def test_a_context_that_is_too_short_is_told_before_anything_is_sampled(monkeypatch, data):
    with pytest.raises(SystemExit, match=r"context is 53 tokens; allowed: 54 or more \(prompt 11 \+ largest budget 40"):
        evaluate(monkeypatch, data, "--model", "new=path/new", max_model_len=53)
    assert evaluate(monkeypatch, data, "--model", "new=path/new", max_model_len=54) == 1


def test_a_function_that_always_raises_is_no_accuracy_of_zero(monkeypatch, data, capsys):
    score = data.parent / "score.py"
    score.write_text("def compute_score(**_):\n    raise KeyError('no such unit')\n")
    by = (f"reward.custom_reward_function.path={score}", "mrt.outcome=compute_score", "--model", "new=path/new")
    with pytest.raises(SystemExit, match=r"new: grading failed for \d+ of \d+ answers: KeyError: 'no such unit'\."):
        evaluate(monkeypatch, data, *by)
    command.main(["report", str(data.parent / "out")])
    assert re.search(r"new: (\d+) of \1 answers are ungraded, so its numbers say little", capsys.readouterr().out)


def test_an_endpoint_takes_four_stop_texts():
    settings = dataclasses.replace(evaluation_settings(), branch_stop=("a", "b", "c", "d", "e"))
    check_settings(settings)
    with pytest.raises(ValueError, match=r"mrt\.branch_stop has 5 texts with --base-url; allowed there: 4 or fewer"):
        check_settings(settings, "http://localhost:1/v1")
    check_settings(evaluation_settings(), "http://localhost:1/v1")  # the default is within

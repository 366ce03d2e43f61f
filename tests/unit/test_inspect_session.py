"""Stop texts side by side, traces cut anew, sampling in time, and a whole inspection on a server that plays a model."""

import asyncio
import json
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from mrt_verl.evaluation.config import EvaluationConfig, evaluation_settings
from mrt_verl.evaluation.records import TraceRecord
from mrt_verl.evaluation.settings import read_settings
from mrt_verl.inspect import session as session_module
from mrt_verl.inspect.command import main
from mrt_verl.inspect.session import Session
from mrt_verl.inspect.stop_texts import Candidate, Reply, candidates, choose, own_words, summarise
from mrt_verl.inspect.words import shell_word
from mrt_verl.settings import MRTSettings
from tests.data_prep_traces import trace
from tests.fakes import FakeServer
from tests.inspections import TOKENIZER, model, write_problems


def closing(text, **changes):
    """A record whose own answer is this text."""
    line = trace([("One.\n\n", 0.5, "right")], **changes)
    return TraceRecord.from_dict({**line, "own": {**line["own"], "text": text}})


def test_the_models_own_words_before_its_box():
    said = [closing("So:\n\n**Answer:** $\\boxed{7}$"), closing("**Answer:** $\\boxed{8}$")]
    assert own_words(said) == "**Answer:** $"
    assert own_words(said[:1]) is None  # once is no habit
    assert own_words([closing("x = 7, so \\boxed{7}")] * 3) is None  # names the problem
    assert own_words([closing("\\boxed{7}")] * 3) is None and own_words([]) is None


def test_candidates_close_the_thinking_as_the_stop_text_does():
    given = ["X </think> \\boxed", "X \\boxed"]  # the second one leaves the thinking open
    texts = {one.name: one.text for one in candidates(MRTSettings(), [closing("It is \\boxed{7}.")] * 3, given)}
    assert texts["as set"] == MRTSettings().stop_text
    assert texts["the model's own words"] == "\n</think>\n\nIt is \\boxed"
    assert texts["without the sentence before the tag"] == "\n</think>\n\nThe final answer is \\boxed"
    assert texts["without words"] == "\n</think>\n\n\\boxed" and texts["given, number 1"] == given[0]
    assert "given, number 2" not in texts
    assert "the family's short one" not in texts  # it is the one as set
    plain = candidates(read_settings([], ["mrt_family=plain"]), [])
    assert [one.text for one in plain] == [
        "\n\nI stop here. The final answer is \\boxed",
        "\n\n**Final answer:** \\boxed",
        "\n\n\\boxed",
    ]


def tried(name, readable, agreement, count=40):
    """Answers of which shares can be read and agree."""
    replies = [
        Reply("7" if n < readable * count else None, True, 0.0, float(n < agreement * count)) for n in range(count)
    ]
    return summarise(Candidate(name, name), replies, 5 * count)


def test_another_stop_text_must_be_clearly_better():
    as_set = tried("as set", 0.6, 0.5)
    assert (as_set.readable, as_set.agreement, as_set.tokens, as_set.answers) == (0.6, 0.5, 5, 40)
    assert choose([as_set, tried("a little", 0.7, 0.6)]) is as_set
    assert choose([as_set, tried("b", 0.7, 0.6), tried("c", 0.95, 0.6)]).name == "c"
    assert choose([as_set, tried("agrees", 0.6, 0.9)]).name == "agrees"
    assert choose([as_set, tried("read, but not meant", 1.0, 0.1)]) is as_set
    assert summarise(Candidate("none", ""), [], 0) is None
    assert summarise(Candidate("x", ""), [Reply("7", True, 1.0, None)], 3).agreement is None


@pytest.mark.parametrize(
    "value",
    ["paragraphs", "tokens:25", '"\n</think>\n\n\\boxed"', '"{ {reference} }"', '["Wait", "It\'s"]', '"a \\"b\\" $x"'],
)
def test_what_is_pasted_reaches_hydra(value):
    """Through a real shell, and read as a training run reads it."""
    override = f"mrt.key={value}"
    done = subprocess.run(["bash", "-c", f"printf %s {shell_word(override)}"], capture_output=True, text=True)
    assert done.stdout == override
    assert OverridesParser.create().parse_override(done.stdout).value() is not None


def test_settings_read_as_training_reads_them():
    given = ['mrt.stop_text="\n</think>\n\n**So** \\boxed"', 'mrt.reference_text="{ {reference} }"']
    settings = read_settings([], given)
    assert settings.stop_text == "\n</think>\n\n**So** \\boxed" and settings.reference_text == "{ {reference} }"
    with pytest.raises(ValueError, match=r"--set mrt\.reference_text=\{\{reference\}\}: "):
        read_settings([], ["mrt.reference_text={{reference}}"])


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("seconds", "minutes", "rounds"),
    [
        (1.0, 60, [4, 12, 28, 32]),  # doubling while there is time
        (10.0, 1, [4]),  # 40 of 30 seconds are over after the first, which there always is
        (10.0, 3, [4, 9]),  # 90 s: five more fit
    ],
)
def test_rounds_that_fit_the_time(tmp_path, seconds, minutes, rounds):
    data, clock, seen = write_problems(tmp_path, 32), Clock(), []
    config = EvaluationConfig(models={"m": "m"}, data=data, budgets=[64], out=tmp_path, settings=evaluation_settings())
    one = Session(config, minutes, clock)
    one._begun = 0.0

    async def sample(problems):
        clock.now += seconds * (len(problems) - (seen[-1] if seen else 0))
        seen.append(len(problems))

    count = asyncio.run(one.in_rounds(one.problems, sample, share=0.5))
    assert seen == rounds and count == rounds[-1]


def test_a_whole_inspection(tmp_path, monkeypatch, capsys):
    """One engine start; markers find one episode, so the traces are cut into paragraphs; a second call asks nothing."""
    starts = []

    def start(name, config):
        starts.append(FakeServer(TOKENIZER, model))
        return starts[-1], TOKENIZER

    monkeypatch.setattr(session_module, "open_engine", start)
    words = [
        "--model",
        "m",
        "--data",
        str(write_problems(tmp_path, 3)),
        "--traces",
        "2",
        "--out",
        str(tmp_path / "out"),
    ]
    words += ["--response-tokens", "64", "mrt.min_episode_tokens=0"]
    main(words)
    out = capsys.readouterr().out
    assert len(starts) == 1
    assert "100% of the traces that think are one episode" in out
    assert "3.0 a trace with mrt.episodes=paragraphs" in out
    assert "MRT has something to credit here." in out
    assert "to paste: reward_model=mrt mrt.min_episode_tokens=0 mrt.episodes=paragraphs" in out
    traces = [request for request in starts[0].requests if not request.text.endswith("\\boxed")]
    assert len(traces) == 6  # none for the second look
    told = json.loads((tmp_path / "out/inspect.json").read_text())
    assert told["proposals"][0]["override"] == "mrt.episodes=paragraphs"
    names = [one["name"] for one in told["stop_texts"]]
    assert names[0] == "as set" and "without words" in names
    assert all(one["readable"] == 1.0 for one in told["stop_texts"])
    page = (tmp_path / "out/report/index.html").read_text()
    assert "Stop texts side by side" in page and "MRT has something to credit here" in page
    main(words)
    assert len(starts) == 1 and "to paste: reward_model=mrt" in capsys.readouterr().out
    about = tmp_path / "out/proposed/run.json"
    about.write_text(about.read_text().replace('"paragraphs"', '"steps"'))  # as if another had been proposed
    main(words)
    assert "3.0 a trace with mrt.episodes=paragraphs" in capsys.readouterr().out
    assert all(request.text.endswith("\\boxed") for request in starts[1].requests)

"""A whole inspection of models whose chat templates treat thinking unlike: on a server that plays each."""

import copy
import json

import pandas as pd
import pytest

from mrt_verl.inspect import session as session_module
from mrt_verl.inspect.command import main
from tests.fakes import CHAT_TEMPLATE, END, FakeServer, toy_tokenizer

OPENED, BARE = toy_tokenizer(opens_thinking=True), toy_tokenizer(opens_thinking=False)
CLOSED = copy.deepcopy(BARE)  # toy_tokenizer keeps what it makes
CLOSED.chat_template = CHAT_TEMPLATE.replace("{% endif %}", "<think>\n\n</think>\n\n{% endif %}")
"""Qwen3's with enable_thinking=False."""
THOUGHTS = "Try 1.\n\nWait 2.\n\nWait 3.\n\n"
ANSWER = f"So the answer is \\boxed{{7}}{END}"


@pytest.fixture
def inspect(tmp_path, monkeypatch, capsys):
    """What an inspection prints of a model that writes `response`, and the requests for traces that it made."""

    def run(tokenizer, response, *words):
        def reply(request):
            if not request.text.endswith("\\boxed"):
                return response
            return "{7}." if "Wait 2." in request.text else "{8}."

        server = FakeServer(tokenizer, reply)
        monkeypatch.setattr(session_module, "open_engine", lambda *_: (server, tokenizer))
        truth = {"ground_truth": "7"}
        rows = [{"prompt": [{"role": "user", "content": text}], "reward_model": truth} for text in ("1", "2")]
        pd.DataFrame(rows).to_parquet(tmp_path / "data.parquet")
        out = tmp_path / "out"
        sizes = ["--traces", "2", "--response-tokens", "64", "mrt.min_episode_tokens=0", "mrt.min_steps=1"]
        main(["--model", "m", "--data", str(tmp_path / "data.parquet"), "--out", str(out), *sizes, *words])
        return capsys.readouterr().out, json.loads((out / "inspect.json").read_text())

    return run


@pytest.mark.parametrize(
    ("tokenizer", "response", "words"),
    [
        pytest.param(OPENED, f"{THOUGHTS}</think>\n\n{ANSWER}", ["mrt_family=r1"], id="the template opens the tag"),
        pytest.param(BARE, f"<think>\n{THOUGHTS}</think>\n\n{ANSWER}", ["mrt_family=qwen3"], id="the model opens it"),
        pytest.param(BARE, f"{THOUGHTS}{ANSWER}", ["mrt_family=plain"], id="no tags"),
    ],
)
def test_three_episodes_whoever_opens_the_thinking(inspect, tokenizer, response, words):
    """J is 0 after the first and 1 after the second, whichever way the template has it."""
    out, told = inspect(tokenizer, response, *words)
    assert "100% think" in out and "3.0 a trace with mrt.episodes=markers" in out
    assert "0.00 without thinking, 1.00 at the end of it" in out
    assert "opened by a marker: Wait 8 (times)" in out
    assert told["verdict"].endswith("MRT has something to credit here")


@pytest.mark.parametrize("family", ["r1", "qwen3"])
def test_a_template_that_closes_the_thinking_is_told(inspect, family):
    """Where it does, nothing is thought; the advice names Qwen3's switch and the family without tags."""
    out, told = inspect(CLOSED, f"{THOUGHTS}{ANSWER}", f"mrt_family={family}")
    assert "0% think" in out
    assert told["proposals"][0]["override"] == "mrt_family=plain" and "enable_thinking" in out
    assert "once more the same traces, with mrt_family=plain" in out
    assert "3.0 a trace with mrt.episodes=markers" in out
    (paste,) = [line for line in out.splitlines() if line.startswith("to paste")]
    assert paste.endswith("mrt.min_steps=1 mrt_family=plain mrt.prover=seen")


def test_tags_that_are_not_the_models(inspect):
    """A model without tags, asked with those of r1 as the default has them."""
    out, told = inspect(BARE, f"{THOUGHTS}{ANSWER}")
    assert told["proposals"][0]["override"] == "mrt_family=plain"
    assert "to paste: reward_model=mrt mrt.min_episode_tokens=0 mrt.min_steps=1 mrt_family=plain" in out

"""Whole inspections on a server that plays a model: what they refuse, what they score, what they paste."""

import json

import pytest

from mrt_verl.inspect import inspection as inspection_module
from mrt_verl.inspect import session as session_module
from mrt_verl.inspect.command import main
from tests.fakes import END, FakeServer
from tests.inspections import TOKENIZER, model, write_problems


@pytest.fixture
def inspected(tmp_path, monkeypatch, capsys):
    """What an inspection prints of a model that answers by `reply`, and inspect.json."""

    def run(*words, reply=model):
        server = FakeServer(TOKENIZER, reply)
        monkeypatch.setattr(session_module, "open_engine", lambda *_: (server, TOKENIZER))
        data, out = str(write_problems(tmp_path, 4)), tmp_path / "out"
        main(["--model", "m", "--data", data, "--out", str(out), "--traces", "2", "--response-tokens", "64", *words])
        return capsys.readouterr().out, json.loads((out / "inspect.json").read_text())

    return run


@pytest.mark.parametrize(
    ("word", "prover"),
    [("reward_model=mrt_backtrack", "seen"), ("reward_model=mrt_prefix", "sample"), ("mrt_stop=explain", "ht")],
)
def test_what_is_pasted_names_one_reward_model_and_a_prover_for_it(inspected, word, prover):
    out, _ = inspected(word)
    (paste,) = [line for line in out.splitlines() if line.startswith("to paste")]
    words = paste.partition(": ")[2].split()
    assert sum(one.startswith("reward_model=") for one in words) == 1 and word in words
    assert words[-1] == f"mrt.prover={prover}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stop-text", "\\n\\nFinal answer: \\boxed"], "error: --stop-text: mrt.stop_text="),
        (["mrt.prover=seen", "--stop-text", "</think> Answer: "], "error: --stop-text: mrt.prover='seen' with"),
    ],
)
def test_a_stop_text_that_training_refuses_ends_it(inspected, words, message):
    def no_trace(*_):
        raise AssertionError("sampled")

    with pytest.raises(SystemExit) as ended:
        inspected(*words, reply=no_trace)
    assert str(ended.value).startswith(message) and "; allowed: " in str(ended.value)
    assert "\n" not in str(ended.value)


def bare(request):
    """Answers in a way that can be read only right after the tag."""
    if not request.text.endswith("\\boxed"):
        return f"Try 1.\n\nTry 2.\n\n</think>\n\n\\boxed{{7}}{END}"
    return "{7}." if request.text.endswith("</think>\n\n\\boxed") else "I do not know"


def test_the_reference_is_scored_after_the_stop_text_to_use(inspected, monkeypatch):
    asked = []

    async def score(sampler, places, forms, *, stop_text):
        asked.append((stop_text, forms))
        return {form: 0.9 for form in forms}

    monkeypatch.setattr(inspection_module, "VLLMEngine", FakeServer)
    monkeypatch.setattr(inspection_module, "score_references", score)
    words = ["mrt.min_episode_tokens=0", "mrt.episodes=paragraphs"]
    out, told = inspected(*words, reply=bare)
    ((stop_text, forms),) = asked
    assert stop_text == "\n</think>\n\n\\boxed" and forms[0] == "{{reference}}"
    assert told["stop_text"] == "\n</think>\n\n\\boxed"
    assert "its mean probability after the stop text 'without words', written as '{{reference}}' 0.900" in out
    assert [one["override"] for one in told["proposals"]] == [
        'mrt.stop_text="\n</think>\n\n\\boxed"',
        "mrt.prover=pooled",
    ]


@pytest.mark.parametrize("words", [["--stop-text", "</think> Ω \\boxed"], ["mrt.stop_text='</think> Ω \\boxed'"]])
def test_a_stop_text_that_the_tokenizer_does_not_hold_ends_it(inspected, monkeypatch, words):
    def lossy(settings, tokenizer, model):
        return iter(["mrt.stop_text: Ω; allowed: a text that it keeps"] if "Ω" in settings.stop_text else [])

    monkeypatch.setattr(session_module, "text_problems", lossy)
    with pytest.raises(SystemExit, match=r"error: mrt\.stop_text: Ω; allowed"):
        inspected(*words)

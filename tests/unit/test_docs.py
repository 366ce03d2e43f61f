"""Runs every snippet of docs/extending.md; test_docs_facts.py holds the rest of the documentation to the package."""

import asyncio
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import data_prep.sources
from data_prep.__main__ import main as data_prep_main
from mrt_verl.episode_kinds import load_splitter
from mrt_verl.grading import Grader
from mrt_verl.grading.grades import Grade, Verdict
from mrt_verl.parts import check_parts
from mrt_verl.progress import compute_credit
from mrt_verl.rollout import Rollout
from mrt_verl.value_estimates import estimate_j, weights_of
from tests.builders import ROOT, default_settings
from tests.fakes import FakeServer, toy_tokenizer

DOCS = ROOT / "docs"
BLOCKS = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", (DOCS / "extending.md").read_text(), re.DOTALL))
"""{file: code} of every Python block of docs/extending.md."""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a snippet as an importable module, under the name that the page's setting names."""
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()

    def write_one(file):
        (tmp_path / file).write_text(BLOCKS[file])
        monkeypatch.delitem(sys.modules, file.removesuffix(".py"), raising=False)
        return tmp_path / file

    return write_one


def rollout_of(text, **settings):
    """A rollout on the toy tokenizer whose engine writes `text` as its traces, and "{17}." as forced answers."""
    tokenizer, chosen = toy_tokenizer(), default_settings(**settings)
    check_parts(chosen)  # as before a run
    server = FakeServer(tokenizer, lambda one: "{17}." if one.text.endswith("\\boxed") else text)
    return Rollout(server, tokenizer, chosen, response_tokens=400), server


def prompt(tokenizer):
    chat = [{"role": "user", "content": "Try 4 + 13"}]
    return list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False))


TRACE = "Try 4 + 12 is 16.\n\nWait take 4 + 13 is 17.\n\nTry that.\n\nNo.\n</think>\n\nThe answer is 17<|im_end|>"


def test_prover(write):
    write("my_provers.py")
    rollout, server = rollout_of(TRACE, prover="my_provers:GreedyProver", min_steps=1, min_episode_tokens=0)
    ids = prompt(rollout.tokenizer)

    async def sample():
        response = await rollout.sample(ids, {"temperature": 1.0, "logprobs": True}, "one")

        async def ask(prefix, count):
            how = {"sampling_params": {"temperature": 1.0}, "request_id": "one"}
            return await rollout.prover.branch(prefix, count=count, **how)

        return response, await rollout.branch(ids, response.boundaries, ask)

    response, branches = asyncio.run(sample())
    assert len(response.boundaries) == 2
    assert [[answer.text for answer in one.answers] for one in branches.values()] == [["{17}"], ["{17}"]]
    assert [one.params["temperature"] for one in server.requests] == [1.0, 0.0, 0.0]
    right = [Grade(Verdict.RIGHT, 1.0)]
    assert [estimate_j(right, weights_of(one.answers)) for one in branches.values()] == [1.0, 1.0]


def test_a_prover_is_kept_to_what_it_declares(write):
    write("my_provers.py")
    with pytest.raises(ValueError, match=r"mrt\.variant='prefix'"):
        check_parts(default_settings(prover="my_provers:GreedyProver", variant="prefix"))
    check_parts(default_settings(prover="my_provers:GreedyProver", branch_token_budget=32))  # one answer of 32 tokens
    with pytest.raises(ValueError, match="branch_token_budget=31; allowed: 32"):
        check_parts(default_settings(prover="my_provers:GreedyProver", branch_token_budget=31))


def test_credit(write):
    write("my_credits.py")
    check_parts(default_settings(credit="my_credits:early_credit", gamma=0.5))
    progress, mask = np.array([[0.5, -0.25, 1.0], [1.0, 0.5, 9.0]], dtype=np.float32), [[1, 1, 1], [1, 1, 0]]
    credit = compute_credit(progress, mask, "my_credits:early_credit", gamma=0.5)
    assert credit.tolist() == [[0.5, -0.125, 0.25], [1.0, 0.25, 0.0]]
    assert credit.dtype == np.float32


@pytest.mark.parametrize(("insert_max", "expected"), [(2, 1), (0, 0)])
def test_insertion_policy(write, insert_max, expected):
    write("my_insertions.py")
    rollout, _ = rollout_of(
        "Try 4.\n\n</think>", insertion="my_insertions:AskTwice", insert_max=insert_max, min_episode_tokens=0
    )
    response = asyncio.run(rollout.sample(prompt(rollout.tokenizer), {"logprobs": True}, "one"))
    written = [rollout.tokenizer.decode(response.ids[start:end]) for start, end in response.trace.inserted]
    assert written == ["Wait, does that answer the question that was asked?"] * expected
    assert len(response.episodes) == 1 + expected
    assert response.trace.mask.count(0) == sum(end - start for start, end in response.trace.inserted)


def test_episode_splitter(write):
    write("my_splitters.py")
    tokenizer = toy_tokenizer()
    settings = default_settings(episodes="my_splitters:NumberedSteps", min_episode_tokens=0)
    check_parts(settings)
    splitter = load_splitter(tokenizer, settings)
    texts = ["So.\n\n", "Step 1: try 4.\n\nWait no.\n\n", "But hold on.\n\n", "2. take 13.\n\n", "Step 3: so 17.\n"]
    pieces = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    ids = [token for piece in pieces for token in piece]
    edge = len(pieces[0]) + len(pieces[1])
    inserted = [(edge, edge + len(pieces[2]))]
    split = splitter.split(ids, thinking_open=True, inserted=inserted)
    assert [tokenizer.decode(ids[one.start : one.end]) for one in split.episodes] == texts
    assert [one.marker_end - one.start for one in split.episodes] == [0, 0, len(pieces[2]), 0, 0]
    assert split.markers == 3


def test_outcome(write):
    path = write("my_outcome.py")
    spec = importlib.util.spec_from_file_location("a_name_that_nobody_imports", path)  # as verl loads it
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    asked = {"data_source": "riddles", "ground_truth": "The Egg", "extra_info": {}}

    async def grade(solution):
        return await grader.grade_outcome(module.compute_score, solution_str=solution, **asked)

    with Grader(deadline_s=30) as grader:
        right, wrong, none = (
            asyncio.run(grade(text)) for text in (r"… \boxed{the  egg}", r"\boxed{hen}", "no answer at all")
        )
    assert [one.score for one in (right, wrong, none)] == [1.0, 0.0, 0.0]


def test_data_source(tmp_path, monkeypatch, capsys):
    file = tmp_path / "riddles.py"
    file.write_text(BLOCKS["data_prep/sources/riddles.py"])
    spec = importlib.util.spec_from_file_location("riddles", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(data_prep.sources.SOURCES, "riddles", module.SOURCE)
    rows = [{"riddle": "Two and two?", "answer": "4"}, {"riddle": "Who?", "answer": "?"}]
    copy = tmp_path / "copy.jsonl"
    copy.write_text("\n".join(map(json.dumps, rows)))
    command = ["riddles", "--from", str(copy), "--out", str(tmp_path / "out"), "--workers", "1", "--no-decontamination"]
    assert data_prep_main(command) == 0, capsys.readouterr().err
    (row,) = pq.read_table(tmp_path / "out/train.parquet").to_pylist()
    assert row["prompt"][0]["content"].startswith("Two and two?")
    assert row["reward_model"]["ground_truth"] == "4"
    assert "1 left out: answer: an open riddle" in capsys.readouterr().out


def test_every_snippet_is_run_and_short():
    run = set(re.findall(r'(?:write\(|BLOCKS\[)"([^"]+)"', Path(__file__).read_text()))
    assert run == set(BLOCKS)
    assert (DOCS / "extending.md").read_text().count("```python") == len(BLOCKS)
    assert not {file for file, code in BLOCKS.items() if len(re.findall(r"^ *\S", code, re.MULTILINE)) > 20}

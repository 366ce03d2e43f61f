"""The provers' log-probs from a real vLLM engine against those that transformers computes."""

import json
import os
import subprocess
import sys

import pytest
import torch


@pytest.fixture(scope="module")
def model_and_scores(tokenizer, tmp_path_factory):
    from recipes.quickstart.make_model import make_model

    directory = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = make_model(tokenizer).eval()
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    environment = {**os.environ, "VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.contract.vllm_scores", str(directory)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-4000:]
    return model, json.loads(result.stdout.splitlines()[-1])


def log_probs(model, prompt_ids, answer_ids, temperature):
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt_ids, *answer_ids]])).logits[0, len(prompt_ids) - 1 : -1]
    rows = torch.log_softmax(logits.double() / temperature, dim=-1)
    return rows[range(len(answer_ids)), answer_ids]


def probability(model, prompt_ids, answer_ids, closers):
    """Of an answer's tokens and any token that closes its box, by summing the row that transformers gives."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt_ids, *answer_ids]])).logits[0, len(prompt_ids) - 1 :]
    rows = torch.softmax(logits.double(), dim=-1)
    return (rows[range(len(answer_ids)), answer_ids].prod() * rows[-1, closers].sum()).item()


def test_likelihood_is_the_answers_probability_wherever_the_cache_ends(model_and_scores):
    model, scores = model_and_scores
    for one in scores["scored"]:
        expected = probability(model, one["prompt_ids"], scores["answer_ids"], scores["closers"])
        assert one["weights"] == pytest.approx([expected] * 2, rel=1e-3)
    assert all(one["cached"][1] > 0 for one in scores["scored"])
    again = [one["prompt_tokens"][1] > one["prompt_tokens"][0] for one in scores["scored"]]
    assert 0 < sum(again) < len(again) / 2  # where a cached block ended in the answer it was scored twice, else once


def test_a_reference_that_begins_like_the_drawn_answer_is_scored_right_wherever_the_cache_ends(model_and_scores):
    model, scores = model_and_scores
    assert len(scores["anchored"]) >= 4
    for one in scores["anchored"]:
        expected = probability(model, one["prompt_ids"], one["answer_ids"], one["closers"])
        assert one["weight"] == pytest.approx(expected, rel=1e-3)
    for one in scores["anchored"]:
        drawn, scored = len(one["prompt_ids"]), len(one["prompt_ids"]) + len(one["answer_ids"])
        one["once"] = one["prompt_tokens"] in (drawn + 2 * scored, drawn + 3 * scored + 1)
    once = [one["once"] for one in scores["anchored"]]
    assert sum(once) > len(once) / 2  # one answer drawn, one text scored and asked for its close, rarely scored again


def test_horvitz_thompson_gets_the_log_probs_of_its_own_distribution(model_and_scores):
    model, scores = model_and_scores
    for ids, values in scores["samples"]:
        expected = log_probs(model, scores["prompt_ids"], ids, 0.8)
        assert values == pytest.approx(expected.tolist(), abs=1e-3)

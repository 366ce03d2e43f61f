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


def test_likelihood_is_the_answers_probability_wherever_the_cache_ends(model_and_scores):
    model, scores = model_and_scores
    for one in scores["scored"]:
        expected = log_probs(model, one["prompt_ids"], scores["answer_ids"], 1.0).sum().exp().item()
        assert one["weights"] == pytest.approx([expected] * 2, rel=1e-3)
    assert all(one["cached"][1] > 0 for one in scores["scored"])
    again = [one["prompt_tokens"][1] > one["prompt_tokens"][0] for one in scores["scored"]]
    assert 0 < sum(again) < len(again) / 2  # where a cached block ended in the answer it was scored twice, else once


def test_a_reference_that_begins_like_the_drawn_answer_is_scored_right_wherever_the_cache_ends(model_and_scores):
    model, scores = model_and_scores
    assert len(scores["anchored"]) >= 4
    for one in scores["anchored"]:
        expected = log_probs(model, one["prompt_ids"], one["answer_ids"], 1.0).sum().exp().item()
        assert one["weight"] == pytest.approx(expected, rel=1e-3)
    once = [one["prompt_tokens"] == 2 * len(one["prompt_ids"]) + len(one["answer_ids"]) for one in scores["anchored"]]
    assert sum(once) > len(once) / 2  # one answer drawn, one text scored, rarely scored again


def test_horvitz_thompson_gets_the_log_probs_of_its_own_distribution(model_and_scores):
    model, scores = model_and_scores
    for ids, values in scores["samples"]:
        expected = log_probs(model, scores["prompt_ids"], ids, 0.8)
        assert values == pytest.approx(expected.tolist(), abs=1e-3)

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
    cached = [one["cached"][1] for one in scores["scored"]]
    assert sorted(set(cached))[0] == 0  # the block that holds the answer's start was computed anew
    assert sum(count > 0 for count in cached) > len(cached) / 2  # and everywhere else the prefix came from the cache


def test_horvitz_thompson_gets_the_log_probs_of_its_own_distribution(model_and_scores):
    model, scores = model_and_scores
    for ids, values in scores["samples"]:
        expected = log_probs(model, scores["prompt_ids"], ids, 0.8)
        assert values == pytest.approx(expected.tolist(), abs=1e-3)

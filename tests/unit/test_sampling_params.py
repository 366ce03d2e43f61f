"""What the rollout server is asked for."""

import pytest

from mrt_verl.sampling_params import answer_params, segment_params, stopping_at, trace_params

VERLS = {"temperature": 0.9, "top_p": 1.0, "logprobs": True}


def test_a_vllm_server_writes_no_text_for_a_trace():
    assert trace_params(VERLS, "vllm") == {**VERLS, "detokenize": False}


def test_another_server_gets_what_verl_gives():
    assert trace_params(VERLS, "sglang") == VERLS


def test_stop_strings_need_text():
    """vLLM refuses stop strings without it."""
    params = trace_params(VERLS, "vllm")
    assert stopping_at(params, ["\n\n"]) == {**VERLS, "stop": ["\n\n"]}
    assert stopping_at(params, []) == params
    assert trace_params({**VERLS, "stop": ["END"]}, "vllm") == {**VERLS, "stop": ["END"]}


@pytest.mark.parametrize(("stop", "text"), [(["\n"], {"stop": ["\n"]}), ([], {"detokenize": False})])
def test_forced_answers(stop, text):
    params = answer_params(trace_params(VERLS, "vllm"), max_tokens=8, stop=stop, temperature=None, log_probs=False)
    assert params == {"temperature": 0.9, "top_p": 1.0, "logprobs": False, "max_tokens": 8, **text}


def test_a_segment_keeps_the_traces_parameters():
    params = segment_params(trace_params(VERLS, "vllm"), max_tokens=5, pause_ids=[7])
    assert params == {**VERLS, "detokenize": False, "max_tokens": 5, "stop_token_ids": [7]}

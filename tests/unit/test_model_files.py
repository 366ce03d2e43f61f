"""What is wrong with a model's files or an engine's arguments is told before an engine starts."""

import shutil

import pytest

from mrt_verl.evaluation.model_files import check_names, check_weights, load_tokenizer
from mrt_verl.evaluation.problems import Problem
from mrt_verl.evaluation.sampling import RecordSampler
from tests.builders import ROOT

MODEL = ROOT / "recipes/study/warm_start"


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(MODEL, tmp_path / "model")


def refused(model):
    with pytest.raises(ValueError) as caught:
        check_weights(str(model))
    return str(caught.value)


def test_whole_weights_and_names_of_the_hub_pass(model):
    check_weights(str(model))
    check_weights("someone/model")


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", None])
def test_weights_that_are_cut_off_or_a_pointer(model, content):
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    assert refused(model).startswith(f"model {model}: model.safetensors: not whole weights: ")


def test_a_directory_without_weights_config_or_a_shard(model):
    (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "two.safetensors"}}')
    assert "two.safetensors is missing, which model.safetensors.index.json names" in refused(model)
    (model / "model.safetensors").unlink()
    assert "no weights in it; allowed: a directory with *.safetensors" in refused(model)
    (model / "config.json").unlink()
    assert "no config.json in it" in refused(model)


def test_a_tokenizer_without_a_chat_template(model):
    assert load_tokenizer(str(model)).chat_template
    (model / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match="its tokenizer has no chat template; allowed: "):
        load_tokenizer(str(model))


def test_a_template_that_refuses_the_messages():
    tokenizer = load_tokenizer(str(MODEL))
    tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    sampler = RecordSampler.__new__(RecordSampler)
    sampler.tokenizer, sampler._continued_from = tokenizer, None
    with pytest.raises(ValueError, match=r"^problem 3: the chat template refuses its messages: System role not supp"):
        sampler.encode(Problem(3, "uid", "own", [{"role": "system", "content": "x"}], "1"))


def test_an_argument_that_vllm_does_not_have():
    check_names(["max_model_len"], ["seed", "max_model_len"])
    with pytest.raises(ValueError, match=r"max_modl_len=…: vLLM has no such argument; allowed: max_model_len$"):
        check_names(["max_modl_len"], ["seed", "max_model_len"])

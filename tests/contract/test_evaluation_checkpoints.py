"""Checkpoints as verl's FSDP trainer writes them, merged by verl's own merger."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mrt_verl.evaluation.checkpoints import find_actor, merge_adapter, merge_checkpoint


@pytest.fixture
def checkpoint(tokenizer, tmp_path):
    """(model, directory of a run with one checkpoint of it, saved by one rank)."""
    from recipes.quickstart.make_model import make_model

    model = make_model(tokenizer)
    model.config.architectures = [type(model).__name__]
    actor = tmp_path / "run/global_step_3/actor"
    model.config.save_pretrained(actor / "huggingface")
    tokenizer.save_pretrained(actor / "huggingface")
    (actor / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 2, "world_size": 1}))
    torch.save(model.state_dict(), actor / "model_world_size_1_rank_0.pt")
    (tmp_path / "run/latest_checkpointed_iteration.txt").write_text("3")
    return model, tmp_path / "run"


def test_a_checkpoint_becomes_the_model_it_was(checkpoint, tokenizer, tmp_path):
    model, run = checkpoint
    target = merge_checkpoint(find_actor(run), tmp_path / "merged/model")
    merged = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32).state_dict()
    for name, weights in model.state_dict().items():
        torch.testing.assert_close(merged[name], weights.bfloat16().float(), msg=name)  # verl's merger rounds
    assert AutoTokenizer.from_pretrained(target).encode("try 3") == tokenizer.encode("try 3")
    written = (target / "model.safetensors").stat().st_mtime_ns
    merge_checkpoint(find_actor(run), target)  # a second time, it is there
    assert (target / "model.safetensors").stat().st_mtime_ns == written


def test_a_broken_checkpoint_is_told_in_the_mergers_words(checkpoint, tmp_path):
    _, run = checkpoint
    actor = find_actor(run)
    (actor / "fsdp_config.json").unlink()
    with pytest.raises(RuntimeError, match=r"could not merge .*actor:\n(.|\n)*fsdp_config\.json does not exist"):
        merge_checkpoint(actor, tmp_path / "merged/model")
    assert not (tmp_path / "merged/model").exists()


def test_an_adapter_is_merged_into_its_model(tmp_path):
    """verl's merger leaves it beside the base model, which would be evaluated without it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes)).save_pretrained(tmp_path)
    base = AutoModelForCausalLM.from_pretrained(tmp_path)
    tuned = get_peft_model(base, LoraConfig(r=2, lora_alpha=4, target_modules="all-linear", init_lora_weights=False))
    tuned.save_pretrained(tmp_path / "lora_adapter")
    ids = torch.arange(5)[None]
    expected = tuned.eval()(ids).logits
    merge_adapter(tmp_path)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path)(ids).logits
    assert torch.allclose(merged, expected, atol=1e-5)
    assert not torch.allclose(merged, LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes))(ids).logits, atol=1e-2)
    assert not (tmp_path / "lora_adapter").exists()
    merge_adapter(tmp_path)  # nothing is left to do
    (tmp_path / "lora_adapter").mkdir()
    (tmp_path / "lora_adapter/adapter_config.json").write_text('{"lora_alpha": 0}')
    with pytest.raises(RuntimeError, match="adapter without lora_alpha"):
        merge_adapter(tmp_path)

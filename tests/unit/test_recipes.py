"""The recipes' helpers on hand-made inputs: thinking tags for Llama, wrapped demonstrations, a dry run's numbers."""

import json

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from recipes.backtrack_llama_3b.add_tags import add_tags, open_thinking
from recipes.backtrack_llama_3b.wrap_thinking import wrap
from recipes.tools.model_shapes import SHAPES, Shape, read_shape

TEMPLATE = (
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>"
    "{{ '\\n\\n' + m.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)


@pytest.fixture
def llama(tmp_path):
    """A model directory with a byte-level tokenizer that has Llama 3's kind of special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    reserved = [f"<|reserved_special_token_{number}|>" for number in range(3)]
    headers = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*headers, *reserved)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|eot_id|>", chat_template=TEMPLATE)
    fast.save_pretrained(tmp_path / "llama")
    (tmp_path / "llama" / "weights").write_bytes(b"\x01")
    return tmp_path / "llama"


def test_tags_are_one_token_each_and_nothing_is_added(llama, tmp_path):
    before = AutoTokenizer.from_pretrained(llama)
    add_tags(llama, tmp_path / "tagged")
    after = AutoTokenizer.from_pretrained(tmp_path / "tagged")
    assert len(after) == len(before)
    first = before.convert_tokens_to_ids("<|reserved_special_token_0|>")
    assert after.encode("<think>a</think>", add_special_tokens=False)[::2] == [first, first + 1]
    assert after.decode([first, first + 1], skip_special_tokens=True) == "<think></think>"
    asked = after.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False, add_generation_prompt=True)
    assert asked.endswith("assistant<|end_header_id|>\n\n<think>\n")
    assert (tmp_path / "tagged" / "weights").read_bytes() == b"\x01"
    assert len(before.encode("<think>", add_special_tokens=False)) == 7  # the original is left alone


def test_other_tokenizers_are_refused(llama, tmp_path):
    tokenizer = json.loads((llama / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [one for one in tokenizer["added_tokens"] if "token_1" not in one["content"]]
    (llama / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ValueError, match="reserved_special_token_1"):
        add_tags(llama, tmp_path / "tagged")
    assert not (tmp_path / "tagged").exists()
    with pytest.raises(ValueError, match="a template of Llama 3"):
        open_thinking("{{ messages }}")


def test_wrapped_demonstration():
    failed = "Step 1: 1 + 1 = 3.\n\n"
    content = f"{failed}Wait, let me go back to step 1.\n\nStep 1: 1 + 1 = 2.\n\nThe final answer is \\boxed{{2}}"
    row = {
        "messages": [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": content}],
        "untrained_characters": len(failed),
        "step": "1",
    }
    wrapped = wrap(row)
    text = wrapped["messages"][-1]["content"]
    assert text == (
        "<think>\nStep 1: 1 + 1 = 3.\n\nWait, let me go back to step 1.\n\nStep 1: 1 + 1 = 2.\n</think>\n\n"
        "The final answer is \\boxed{2}"
    )
    assert text[wrapped["untrained_characters"] :].startswith("Wait, let me go back")
    assert (wrapped["step"], wrapped["messages"][0]) == ("1", row["messages"][0])
    with pytest.raises(ValueError, match="boxed"):
        wrap({**row, "messages": [row["messages"][0], {"role": "assistant", "content": failed + "no answer"}]})


def test_parameters_by_hand(tmp_path):
    # one layer: q and o 4x4 each, k and v 4x2 each, three maps 4x8; embeddings 10x4, and again where not tied
    assert Shape(1, 4, 8, 2, 4, 10, tied=True).parameters == 2 * 16 + 2 * 8 + 3 * 32 + 40
    assert Shape(1, 4, 8, 2, 4, 10, tied=False).parameters == 2 * 16 + 2 * 8 + 3 * 32 + 80
    # LoRA: (4+4) for q and o each, (4+2) for k and v each, (4+8) for each of the three
    assert Shape(1, 4, 8, 2, 4, 10, tied=True).linear_sides == 2 * 8 + 2 * 6 + 3 * 12
    config = {"hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config |= {"num_key_value_heads": 1, "vocab_size": 10, "tie_word_embeddings": True}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_shape(str(tmp_path)) == Shape(1, 4, 8, 2, 4, 10, tied=True)
    with pytest.raises(SystemExit, match="allowed: a model on this machine"):
        read_shape("nobody/knows-it")


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1.78e9),
        ("Qwen/Qwen3-4B", 4.02e9),
        ("outputs/backtrack_llama_3b/model", 3.21e9),
    ],
)
def test_shapes_have_as_many_parameters_as_published(model, published):
    assert SHAPES[model].parameters == pytest.approx(published, rel=0.003)

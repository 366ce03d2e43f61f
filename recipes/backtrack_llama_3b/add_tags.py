"""Gives a Llama 3 model thinking tags: two of its reserved tokens are renamed, so no embedding is added.

MRT finds the end of the thinking on token ids, so each tag must be one token. The reserved tokens were never trained;
the warm start trains the closing one, the opening one is written by the chat template.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from mrt_verl.whole import whole_directory

HEADER = "<|start_header_id|>assistant<|end_header_id|>\\n\\n"
"""What the chat template writes to ask for a response, as it stands in the template."""
RENAMED = {"<|reserved_special_token_0|>": "<think>", "<|reserved_special_token_1|>": "</think>"}


def rename_tokens(directory: Path) -> None:
    """Rename the tokens in tokenizer.json and tokenizer_config.json, as ordinary added tokens that decoding keeps.

    Raises:
        ValueError: the tokenizer has no such reserved tokens.
    """
    tokenizer = _read(directory / "tokenizer.json")
    config = _read(directory / "tokenizer_config.json")
    entries = [*tokenizer["added_tokens"], *config.get("added_tokens_decoder", {}).values()]
    missing = set(RENAMED) - {token["content"] for token in tokenizer["added_tokens"]}
    if missing:
        raise ValueError(f"{directory}/tokenizer.json: no token {sorted(missing)[0]}; allowed: a tokenizer of Llama 3")
    for token in entries:
        if token["content"] in RENAMED:
            token.update(content=RENAMED[token["content"]], special=False)
    vocabulary = tokenizer["model"]["vocab"]
    for old, new in RENAMED.items():
        if old in vocabulary:
            vocabulary[new] = vocabulary.pop(old)
    _write(directory / "tokenizer.json", tokenizer)
    _write(directory / "tokenizer_config.json", config)


def open_thinking(template: str) -> str:
    """The chat template that opens the thinking where it asks for a response, which is where it ends.

    Raises:
        ValueError: it does not end in Llama 3's header of a response.
    """
    before, header, after = template.rpartition(HEADER)
    if not header:
        raise ValueError(f"chat template: no {HEADER!r}; allowed: a template of Llama 3")
    return f"{before}{header}<think>\\n{after}"


def add_tags(model: Path, out: Path) -> None:
    """Copy the model's directory to `out` with the tags; a finished one is kept."""
    if out.exists():
        return
    with whole_directory(out) as partial:
        shutil.copytree(model, partial)
        rename_tokens(partial)
        tokenizer = AutoTokenizer.from_pretrained(partial)
        tokenizer.chat_template = open_thinking(tokenizer.chat_template)
        tokenizer.save_pretrained(partial)
    print(f"model with thinking tags: {out}", flush=True)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, content: Any) -> None:
    path.unlink()  # a copy of the hub's cache may be linked to it
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a directory with the model")
    parser.add_argument("--out", type=Path, default=Path("outputs/backtrack_llama_3b/model"))
    arguments = parser.parse_args()
    add_tags(arguments.model, arguments.out)

"""What must be right of a model's files and an engine's arguments before it starts: its own errors fill a page."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mrt_verl.weights import TORCH_FORMATS, broken_weights, has_weights

FORMATS = (*TORCH_FORMATS, ".gguf")


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a model.

    Raises:
        ValueError: there is no such model, which says where it was looked for, or it has no tokenizer with a chat
            template.
    """
    from transformers import AutoTokenizer

    is_name = model.count("/") <= 1 and not model.startswith((".", "/", "~"))
    if not is_name and not Path(model).is_dir():
        raise ValueError(f"model {model}: no such directory")
    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        where = "it has no tokenizer" if Path(model).is_dir() else "no directory here, and the hub does not give it"
        raise ValueError(f"model {model}: {where}: {reason}") from error
    if getattr(tokenizer, "chat_template", None) is None:
        raise ValueError(
            f"model {model}: its tokenizer has no chat template; allowed: a model with one, such as the instruct form "
            "of a base model, or the template as chat_template.jinja beside the tokenizer"
        )
    return tokenizer


def check_weights(model: str) -> None:
    """Look for a model's weights and read their headers; a name of the hub is left to the engine.

    Raises:
        ValueError: a directory lacks its config, has no weights, or a file of them is cut off or a pointer to one.
    """
    directory = Path(model)
    if not directory.is_dir():
        return
    if not (directory / "config.json").is_file():
        raise ValueError(f"model {model}: no config.json in it; allowed: a Hugging Face model or a verl checkpoint")
    if not has_weights(directory, FORMATS):
        names = ", ".join(f"*{suffix}" for suffix in FORMATS)
        raise ValueError(f"model {model}: no weights in it; allowed: a directory with {names}")
    if (problem := broken_weights(directory)) is not None:
        raise ValueError(f"model {model}: {problem}")


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Raises ValueError: an engine argument is none of vLLM's; names those that are spelled nearly so."""
    allowed = sorted(known)
    for name in given:
        if name not in allowed:
            near = ", ".join(difflib.get_close_matches(name, allowed)) or "those of `vllm serve`, with _ for -"
            raise ValueError(f"--engine {name}=…: vLLM has no such argument; allowed: {near}")

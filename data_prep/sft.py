"""Messages for verl's SFT trainer, and the check that a model's chat template leaves them as they are."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.problems import DataError
from data_prep.schema import arrow_type
from mrt_verl.grading.text.boxes import box_brace, open_box

if TYPE_CHECKING:  # the command line starts without it
    import pyarrow as pa

Messages = list[dict[str, str]]


class MessagesSchema:
    """Rows of an SFT file: `messages`, the last by the assistant, and where they came from."""

    def __init__(self, columns: Mapping[str, type]) -> None:
        """Name the columns beside `messages`: str, int or float."""
        self._columns = columns

    def check(self, row: Mapping[str, Any], position: int) -> None:
        """Validate one row.

        Raises:
            ValueError: a column is missing or of the wrong type, or the assistant does not speak last.
        """
        for column, kind in self._columns.items():
            if type(row.get(column)) is not kind:
                raise ValueError(f"row {position}: {column}={row.get(column)!r}; allowed: a {kind.__name__}")
        messages = row.get("messages") or []
        if len(messages) < 2 or messages[-1]["role"] != "assistant" or not messages[-1]["content"].strip():
            raise ValueError(f"row {position}: messages={messages!r}; allowed: a prompt, then the assistant's text")

    def arrow(self) -> "pa.Schema":
        """The columns' types."""
        import pyarrow as pa

        message = pa.struct([("role", pa.string()), ("content", pa.string())])
        columns = {column: arrow_type(kind) for column, kind in self._columns.items()}
        return pa.schema({"messages": pa.list_(message), **columns})


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """A model's chat template."""

    tokenizer: Any
    name: str
    opening: str
    """What the template writes after the assistant's header when it asks for a response, such as an opening tag."""

    def messages(self, prompt: Sequence[Mapping[str, str]], response: str) -> Messages:
        """The prompt and the assistant's message that render to the prompt as it is sampled from, and `response`.

        Raises:
            DataError: the template changes the message, as those do that cut the thinking out of earlier turns.
        """
        messages = [dict(message) for message in prompt]
        messages.append({"role": "assistant", "content": self.opening + response})
        asked = self._render(messages[:-1], add_generation_prompt=True)
        if not self._render(messages).startswith(asked + response):
            raise DataError(
                f"{self.name}: its chat template does not keep the assistant's message whole, so SFT would not see the "
                "thinking; --chat-template FILE replaces it, such as recipes/star_r1_distill_7b/r1.jinja"
            )
        return messages

    def save_replaced(self, options: argparse.Namespace) -> None:
        """Save the tokenizer with `--chat-template` to `--out`, where SFT finds it; nothing without that option."""
        if options.chat_template:
            self.tokenizer.save_pretrained(options.out / "tokenizer")

    def _render(self, messages: Messages, **how: Any) -> str:
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, **how))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that `load_chat_format` reads."""
    parser.add_argument("--tokenizer", help="whose chat template the messages must survive (default: the run's model)")
    parser.add_argument(
        "--chat-template",
        type=Path,
        metavar="FILE",
        help="a Jinja file to use instead of the tokenizer's own; OUT/tokenizer has it then, for SFT's tokenizer_path",
    )


def load_chat_format(options: argparse.Namespace, model: str) -> ChatFormat:
    """The chat template of `--tokenizer`, or of the run's model, or the one in `--chat-template`.

    Raises:
        DataError: it cannot be loaded, or there is no chat template.
    """
    from transformers import AutoTokenizer

    name = options.tokenizer or model
    template = options.chat_template.read_text(encoding="utf-8") if options.chat_template else None
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        tokenizer.chat_template = template or tokenizer.chat_template
        asking = [{"role": "user", "content": "?"}]
        asked = str(tokenizer.apply_chat_template(asking, add_generation_prompt=True, tokenize=False))
        answered = str(tokenizer.apply_chat_template([*asking, {"role": "assistant", "content": "!"}], tokenize=False))
    except Exception as error:  # missing files, the hub out of reach, no template: each has a type of its own
        raise DataError(f"--tokenizer {name}: {' '.join(str(error).split())[:300]}") from error
    header = _common_start(asked, answered)
    return ChatFormat(tokenizer, name, asked[len(header) :])


def closing_text(mrt: Mapping[str, Any], *, whole: bool) -> str:
    """What closes the thinking and gives the answer, with `{answer}` in its place.

    Args:
        mrt: the settings the traces were sampled with.
        whole: take all of `mrt.stop_text`; otherwise only what begins with the closing tag, because the model should
            learn to stop by itself and not to be told to.
    """
    text = str(mrt["stop_text"])
    tag = mrt["think_close"]
    if not whole and tag is not None and tag in text:
        text = text[text.index(tag) :]
    escaped = text.replace("{", "{{").replace("}", "}}")
    # a stop text that opens a box gets the rest of it; one that does not gets a box
    opens_box, brace = open_box(text) is not None, "{{" if box_brace(text) else ""
    return escaped + (f"{brace}{{answer}}}}}}" if opens_box else " \\boxed{{{answer}}}")


def _common_start(first: str, second: str) -> str:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    return first[:length]

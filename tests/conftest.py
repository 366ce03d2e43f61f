"""Tokenizers made for tests."""

import logging
from collections.abc import Callable, Sequence

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

PieceTokenizer = Callable[..., tuple[PreTrainedTokenizerFast, list[int]]]


def _byte_letters() -> dict[int, str]:
    """The letter that byte-level vocabularies write for each byte: itself if printable, else one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}


def _tokenizer_from_pieces(
    pieces: Sequence[str | bytes], *, added: Sequence[str] = ()
) -> tuple[PreTrainedTokenizerFast, list[int]]:
    """A byte-level tokenizer whose vocabulary is the given pieces, cut wherever one likes, and their token ids.

    Args:
        pieces: one token each; bytes may hold half a character.
        added: those of the pieces that are added tokens of the tokenizer, as thinking tags usually are.
    """
    letters = _byte_letters()
    raw = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    added_bytes = {text.encode(): text for text in added}
    names = [added_bytes.get(piece) or "".join(letters[byte] for byte in piece) for piece in raw]
    vocabulary = {name: token for token, name in enumerate(dict.fromkeys([*names, "unknown"]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="unknown"))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in added])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer), [vocabulary[name] for name in names]


@pytest.fixture(autouse=True)
def heard(caplog):
    """caplog hears the package's logger, which does not propagate once verl has loaded the plugin."""
    logger = logging.getLogger("mrt_verl")
    logger.addHandler(caplog.handler)
    propagate, logger.propagate = logger.propagate, False
    yield
    logger.propagate = propagate
    logger.removeHandler(caplog.handler)


@pytest.fixture(scope="session")
def tokenizer_from_pieces() -> PieceTokenizer:
    return _tokenizer_from_pieces

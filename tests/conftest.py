"""Tokenizers made for tests, and real ones."""

import logging
from collections.abc import Callable, Sequence

import pytest
from hypothesis import settings
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from tests.vocabularies import LOADERS, Vocabulary, byte_letters, load_vocabulary

# a change is judged by the same examples each time; `--hypothesis-profile=default` looks for new ones
settings.register_profile("same", derandomize=True)
settings.load_profile("same")
PieceTokenizer = Callable[..., tuple[PreTrainedTokenizerFast, list[int]]]


def _tokenizer_from_pieces(
    pieces: Sequence[str | bytes], *, added: Sequence[str] = ()
) -> tuple[PreTrainedTokenizerFast, list[int]]:
    """A byte-level tokenizer whose vocabulary is the given pieces, cut wherever one likes, and their token ids.

    Args:
        pieces: one token each; bytes may hold half a character.
        added: those of the pieces that are added tokens of the tokenizer, as thinking tags usually are.
    """
    letters = byte_letters()
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
    """caplog hears the package's logger, which does not propagate once verl has loaded the plugin.

    Its handlers are the test's own: the console counts what it has shown, and another test may have warned of the same.
    """
    logger = logging.getLogger("mrt_verl")
    handlers, logger.handlers = logger.handlers, [caplog.handler]
    propagate, logger.propagate = logger.propagate, False
    yield
    logger.propagate = propagate
    logger.handlers = handlers


@pytest.fixture(scope="session")
def tokenizer_from_pieces() -> PieceTokenizer:
    return _tokenizer_from_pieces


@pytest.fixture(scope="session", params=sorted(LOADERS))
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    """Every real vocabulary in turn."""
    return load_vocabulary(request.param)

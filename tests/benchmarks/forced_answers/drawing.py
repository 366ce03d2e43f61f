"""Draws many answers after a prefix as one tree, and adds up the probability of a text over all its token paths.

Rows with equal tokens are computed once: a node that n answers pass through hands them on by n independent draws from
its one distribution, so that the answers are independent draws from the model.
"""

import functools
import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from mrt_verl.token_text import vocabulary_texts
from tests.benchmarks.forced_answers.boxes import Box
from tests.benchmarks.forced_answers.model import Continued

UNLIKELY = math.log(1e-7)
"""Token paths below this are left out of a text's probability."""


@dataclass(frozen=True)
class Path:
    """The tokens of an answer so far."""

    box: Box
    ids: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    count: int = 1
    """Answers drawn that begin with these tokens."""
    close: int | None = None
    """Index of the token that closed the box."""
    head: str = ""
    """That token's text up to the brace that closed it."""
    log_close_mass: float = 0.0
    """Log-probability, at that place, of all tokens that begin with `head`."""

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "box"}


class Vocabulary:
    """Texts of the tokens, and which of them begin with a text."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        """Keep the texts; a model's rows may be longer than its tokenizer (`size`)."""
        texts = vocabulary_texts(tokenizer)
        special = set(tokenizer.all_special_ids)
        # a special token ends an answer and has no text
        self.texts = ["" if token in special else text for token, text in enumerate(texts)] + [""] * (size - len(texts))
        self.eos = tokenizer.eos_token_id

    @functools.cache  # noqa: B019 one vocabulary lives as long as the process
    def beginning_with(self, head: str) -> torch.Tensor:
        """Ids of the tokens whose text begins with `head`."""
        return torch.tensor([token for token, text in enumerate(self.texts) if text.startswith(head)], dtype=torch.long)

    def ends(self, token: int) -> bool:
        """Whether it is an end of sequence or holds a line break, the stop string."""
        return token == self.eos or "\n" in self.texts[token]

    def extend(self, path: Path, token: int, row: torch.Tensor, count: int) -> Path:
        """The path with one token more, its box followed."""
        box, closed = path.box.read(self.texts[token])
        longer = replace(
            path, box=box, ids=(*path.ids, token), log_probs=(*path.log_probs, row[token].item()), count=count
        )
        if closed is None:
            return longer
        head = self.texts[token][:closed]
        mass = row[self.beginning_with(head)].logsumexp(0).item()
        return replace(longer, close=len(path.ids), head=head, log_close_mass=mass)


def draw(
    after: Continued, vocabulary: Vocabulary, box: Box, *, count: int, max_tokens: int, to_the_line: bool, seed: int
) -> tuple[list[Path], int]:
    """(the distinct answers of `count` independent ones, rows computed).

    Args:
        to_the_line: an answer goes on after its box to a line break, an end of sequence or `max_tokens`.
    """
    rng = np.random.default_rng(seed)
    after.restart()
    live, rows, done, computed = [Path(box, count=count)], after.first, [], 1
    while live:
        parents, grown = [], []
        for index, path in enumerate(live):
            for token, drawn in draw_tokens(rows[index], path.count, rng).items():
                longer = vocabulary.extend(path, token, rows[index], drawn)
                closed = longer.close is not None and not to_the_line
                if closed or vocabulary.ends(token) or len(longer.ids) == max_tokens:
                    done.append(longer)
                else:
                    parents.append(index)
                    grown.append(longer)
        live = grown
        if live:
            rows = after.step(parents, [path.ids[-1] for path in live])
            computed += len(live)
    return done, computed


def draw_tokens(row: torch.Tensor, count: int, rng: np.random.Generator) -> Counter[int]:
    """`count` independent tokens from a row of log-probs."""
    edges = row.double().exp().cumsum(0)
    uniform = torch.from_numpy(rng.random(count)) * edges[-1]
    tokens = torch.searchsorted(edges, uniform, right=True).clamp_(max=len(row) - 1)
    return Counter(tokens.tolist())


def spell(after: Continued, vocabulary: Vocabulary, box: Box, text: str) -> list[Path]:
    """Every token path that says `text`, whose last brace closes the box, with its closing mass; no unlikely ones.

    Each path's `log_probs` are those of its tokens before the closing one; closing tokens are merged.
    """
    after.restart()
    live, rows, done = [(Path(box), text)], after.first, []
    while live:
        parents, grown = [], []
        for index, (path, rest) in enumerate(live):
            so_far = sum(path.log_probs)
            mass = so_far + rows[index][vocabulary.beginning_with(rest)].logsumexp(0).item()
            if mass > UNLIKELY:
                done.append(replace(path, close=len(path.ids), head=rest, log_close_mass=mass - so_far))
            for length in range(1, len(rest)):
                for token in vocabulary.beginning_with(rest[:length]).tolist():
                    said = vocabulary.texts[token]
                    if said == rest[:length] and so_far + rows[index][token].item() > UNLIKELY:
                        parents.append(index)
                        grown.append((vocabulary.extend(path, token, rows[index], 1), rest[length:]))
        live = grown
        if live:
            rows = after.step(parents, [path.ids[-1] for path, _ in live])
    return done

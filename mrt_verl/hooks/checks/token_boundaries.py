"""Whether texts that are written for the policy end where its tokenizer has a token boundary, on the run's own data."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from mrt_verl.grading.comparison import as_references
from mrt_verl.grading.text.boxes import open_box
from mrt_verl.hooks.checks.local import first_rows, ground_truth, listed, load_tokenizer, readable_parquet
from mrt_verl.provers.spelling import spell
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import joins

logger = logging.getLogger(__name__)

WORDS = ("the", "so", "let", "I", "3", "\\(x")
"""How a text goes on that a policy takes over, after a space."""


def check_stop_text(settings: MRTSettings, config: Any) -> Iterator[str]:
    """A warning with the share of the references whose first token would begin inside the stop text."""
    tokenizer = load_tokenizer(config.actor_rollout_ref.model)
    if tokenizer is None:
        return
    rows = _rows(config)
    references = [one for row in rows for one in as_references(ground_truth(row))]
    answers = spell(settings.stop_text, settings.reference_text, references) or [f" {one}" for one in references]
    moved = moving(tokenizer, settings.stop_text, answers)
    if moved:
        logger.warning(
            "mrt.stop_text=%r ends inside a token for %d of %d answers (%.0f %%) of data.train_files, as %r: after "
            "it the model can hardly write them, and their J is too low%s",
            *(settings.stop_text, len(moved), len(answers), 100 * len(moved) / len(answers), moved[0]),
            _advice(tokenizer, settings, references, len(moved)),
        )
    yield from ()


def check_written_texts(settings: MRTSettings, config: Any) -> Iterator[str]:
    """The same for texts that a trace goes on from: insertions, backtrack sentences, prefixes of the data."""
    tokenizer = load_tokenizer(config.actor_rollout_ref.model)
    if tokenizer is None:
        return
    written: dict[str, Sequence[str]] = {}
    if settings.insertion == "budget_forcing":
        written["mrt.insert_texts"] = settings.insert_texts
    if settings.insertion == "backtrack":
        written["mrt.backtrack_text"] = [settings.backtrack_text.replace("{step}", "3")]
    if settings.variant == "prefix" and settings.prefix_source == "dataset":
        prefixes = [row.get("prefix") for row in _rows(config)]
        written["data.train_files: column prefix"] = [text for text in prefixes if isinstance(text, str) and text]
    for key, texts in written.items():
        moved = [text for text in texts if len(moving(tokenizer, text, _going_on(text))) > len(WORDS) / 2]
        if moved:
            logger.warning(
                "%s: %d of %d end inside a token, such as %r: the model has never gone on from there; end it without "
                "white space",
                *(key, len(moved), len(texts), moved[0][-40:]),
            )
    yield from ()


def moving(tokenizer: Any, head: str, tails: Sequence[str]) -> list[str]:
    """Of some texts those whose first token begins inside `head`, which is encoded on its own."""
    return [tail for tail in tails if not joins(tokenizer, head, tail)]


def _going_on(text: str) -> list[str]:
    gap = "" if text[-1:].isspace() else " "
    return [gap + word for word in WORDS]


def _advice(tokenizer: Any, settings: MRTSettings, references: Sequence[str], moved: int) -> str:
    """The end of a stop text that splits fewer answers, if one does."""
    text = settings.stop_text
    if open_box(text) is None:
        ends = [text.rstrip()]
    else:
        bare = text.rstrip("{ ")
        ends = [bare, bare + "{"]
    written = {end: spell(end, None, references) or [f" {one}" for one in references] for end in ends if end != text}
    best = min(written, key=lambda end: len(moving(tokenizer, end, written[end])), default=text)
    if best == text or len(moving(tokenizer, best, written[best])) >= moved:
        return ""
    shown = best[best.rfind("\\") :] if open_box(best) is not None else best[-12:]
    return f"; end it in {shown!r}"


def _rows(config: Any) -> Iterator[dict[str, Any]]:
    for file in filter(readable_parquet, listed(config.data.get("train_files"))):
        try:
            yield from first_rows(file)[1]
        except (OSError, ValueError):
            continue  # machine.check_rows says so


CHECKS = (check_stop_text, check_written_texts)

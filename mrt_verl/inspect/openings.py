"""Which words open a model's paragraphs: switch markers it has, and those it might have (pure)."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mrt_verl.episode_kinds import NUMBERED

BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
OPENING = re.compile(r"[#*\s]*([A-Z][\w'-]*(?: [a-z][\w'-]*)?)")
"""One or two words at the start of a paragraph."""
FREQUENT = 0.1
"""Share of the traces in which an opening must occur to be suggested."""
LEAST_TRACES = 3


@dataclass(frozen=True, slots=True)
class Openings:
    """The paragraphs of some thinking texts, the first of each apart."""

    paragraphs_mean: float
    """Per trace, the first one included."""
    numbered_share: float
    """Of the paragraphs that begin with a step's number."""
    markers: dict[str, int]
    """Paragraphs by the marker they begin with, the most frequent first."""
    others: dict[str, int]
    """Traces by an opening that is no marker and is frequent, the most frequent first."""


def find_openings(texts: Sequence[str], markers: Sequence[str]) -> Openings:
    """How the paragraphs of thinking texts begin.

    Args:
        texts: one per trace.
        markers: `mrt.markers`.
    """
    longest_first = sorted(markers, key=len, reverse=True)
    found: Counter[str] = Counter()
    others: Counter[str] = Counter()
    total = numbered = 0
    for text in texts:
        paragraphs = split_paragraphs(text)
        total += len(paragraphs)
        numbered += sum(NUMBERED.match(one) is not None for one in paragraphs)
        seen = set()
        for paragraph in paragraphs[1:]:
            marker = next((one for one in longest_first if _starts_with(paragraph, one)), None)
            if marker is not None:
                found[marker] += 1
            elif (opening := OPENING.match(paragraph)) and not NUMBERED.match(paragraph):
                seen.add(opening.group(1).partition(" ")[0])
        others.update(seen)
    least = max(LEAST_TRACES, FREQUENT * len(texts))
    return Openings(
        paragraphs_mean=total / max(len(texts), 1),
        numbered_share=numbered / max(total, 1),
        markers=dict(found.most_common()),
        others={word: count for word, count in others.most_common(12) if count >= least},
    )


def split_paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, blank ones left out."""
    return [part for part in BLANK_LINE.split(text.strip()) if part.strip()]


def _starts_with(paragraph: str, marker: str) -> bool:
    rest = paragraph.lstrip().removeprefix(marker)
    return rest != paragraph.lstrip() and not rest[:1].isalnum()

"""What a chat prompt holds beside text."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KINDS = ("image", "video", "audio")
PLACEHOLDERS = {kind: f"<{kind}>" for kind in KINDS}
"""What stands for a medium in a message whose content is plain text, as verl's dataset reads it."""


def count_media(messages: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How many images, videos and audios stand in messages whose content is a list of parts."""
    parts = (part for message in messages for part in _parts(message.get("content")))
    return Counter(kind for part in parts for kind in KINDS if _is_of(kind, part))


def count_placeholders(messages: Iterable[Mapping[str, Any]], kind: str) -> int:
    """How many placeholders of a kind stand in messages whose content is plain text."""
    texts = (message.get("content") for message in messages)
    return sum(text.count(PLACEHOLDERS[kind]) for text in texts if isinstance(text, str))


def _parts(content: Any) -> Sequence[Mapping[str, Any]]:
    if content is None or isinstance(content, str):
        return ()
    return [part for part in content if isinstance(part, Mapping)]


def _is_of(kind: str, part: Mapping[str, Any]) -> bool:
    """A part names its kind, or holds such a medium; a parquet file writes the other kinds' keys as null."""
    named = str(part.get("type") or "")
    return kind in named if named else any(part.get(key) is not None for key in (kind, f"{kind}_url"))

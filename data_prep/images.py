"""Images of a table's row, as verl's dataset reads them: `{"bytes": …, "path": …}` in the column `images`.

In the prompt each stands where `<image>` does. geo3k's layout (hiyouga/geometry3k) needs nothing but the column's name.
"""

import io
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from data_prep.problems import Unusable

PLACEHOLDER = "<image>"
Image = dict[str, Any]
"""`bytes` of an encoded image, and `path`, where it came from, or None."""


def to_images(value: Any, column: str, directory: Path) -> list[Image]:
    """The images of a column: one or a list of encoded bytes, structs of bytes and path, paths, PIL images; or null.

    Args:
        directory: what relative paths start from; the files' bytes go into the row.

    Raises:
        Unusable: something else, or a file that cannot be read.
    """
    if value is None:
        return []
    values = value if isinstance(value, list | tuple) else [value]
    return [_image(one, column, directory) for one in values]


def place(question: str, images: Sequence[Image], column: str) -> str:
    """The question with a placeholder for each image: its own, or all before it where it has none.

    Raises:
        Unusable: it has another number of them.
    """
    have, want = question.count(PLACEHOLDER), len(images)
    if have == want:
        return question
    if have == 0:
        return PLACEHOLDER * want + question
    raise Unusable(column, f"{want} images, and {PLACEHOLDER} {have} times in the question")


def digest(images: Sequence[Image]) -> str:
    """Hexadecimal digits that tell images apart: one question about two pictures is two problems."""
    content = blake2b(digest_size=8)
    for image in images:
        content.update(len(image["bytes"]).to_bytes(8, "big") + image["bytes"])
    return content.hexdigest()


def _image(value: Any, column: str, directory: Path) -> Image:
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes) and value["bytes"]:
        path = value.get("path")
        return {"bytes": value["bytes"], "path": path if isinstance(path, str) else None}
    if isinstance(value, bytes) and value:
        return {"bytes": value, "path": None}
    if isinstance(value, dict) and isinstance(value.get("path"), str):
        value = value["path"]
    if isinstance(value, str) and value.strip():
        try:
            return {"bytes": (directory / value).read_bytes(), "path": value}
        except OSError as error:
            raise Unusable(column, f"an image that cannot be read: {error.strerror}", value) from error
    if hasattr(value, "save"):
        encoded = io.BytesIO()
        value.save(encoded, format="PNG")
        return {"bytes": encoded.getvalue(), "path": None}
    raise Unusable(column, f"a {type(value).__name__}, not an image", value)

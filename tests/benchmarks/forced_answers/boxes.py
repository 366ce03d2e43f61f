r"""Where an answer closes its box, followed token by token on their texts."""

from typing import NamedTuple

UNOPENED = 0
NEVER = -1


class Box(NamedTuple):
    """How far an answer is: open braces, and whether its last character was an escaping backslash."""

    depth: int
    """UNOPENED before the box's brace, NEVER once something else stood in its place."""
    escaped: bool = False

    def read(self, text: str) -> "tuple[Box, int | None]":
        """(the box after these characters, how many of them it took to close it; None while it is not closed)."""
        depth, escaped = self
        for position, character in enumerate(text):
            if depth == NEVER:
                break
            if depth == UNOPENED:
                depth = 1 if character == "{" else UNOPENED if character.isspace() else NEVER
                continue
            if escaped or character not in "{}":
                escaped = character == "\\" and not escaped
                continue
            depth += 1 if character == "{" else -1
            if depth == 0:
                return Box(NEVER), position + 1
        return Box(depth, escaped), None


def box_after(stop_text: str) -> Box:
    r"""What a stop text that ends in `\boxed` or `\boxed{` leaves open."""
    return Box(1 if stop_text.endswith("{") else UNOPENED)

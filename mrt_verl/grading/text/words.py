"""Sets of words, written as one text."""


def words(text: str) -> frozenset[str]:
    """The words between white space."""
    return frozenset(text.split())

"""Traces on real vocabularies as models write them and as they might, and a splitter that sees their whole text."""

import bisect
import functools
import itertools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from mrt_verl.token_text import HALF_CHARACTER, vocabulary_texts
from tests.vocabularies import TAGS, Vocabulary, byte_letters, load_vocabulary

MARKERS = ("Wait", "But", "But wait", "Alternatively", "等等", "Is it so?", "Hmm")
SENTENCES = (
    *(
        "So x = 3",
        "the sum is 12",
        "Wait",
        "But",
        "But wait",
        "Waiting",
        "Buttons",
        " Wait",
        "wait",
        "Hmm",
        "Is it so?",
    ),
    *(
        "等等",
        "等等。我再想想",
        "所以答案是7",
        "Nous allons vérifier",
        "😀",
        "👨‍👩‍👧",
        "ça",
        "é",
        "दो",
        "٣",
        "𝒙²",
        "§4",
        "🧮 3+4",
    ),
    *(
        "Alternatively",
        "Alternatively, note",
        "- x",
        "## Step 2",
        "`code`",
        "$x^2$",
        "\\frac{1}{2}",
        "</",
        "<think",
        "think>",
    ),
)
ENDS = (".", ")", "?", "!", ":", "...", "。", "}", "$", "]", '"', ";", "", ",", "**", "`", "'")
GAPS = (
    *(
        "\n\n",
        "\n\n",
        "\n\n",
        "\n",
        "\n\n\n",
        "\n \n",
        "\n\t\n",
        " \n\n",
        "\r\n\r\n",
        "\r\n",
        "\n\n ",
        "\n\n\t",
        "\n    \n",
    ),
    *("\n\u00a0\n", "\n\n\u3000", "\n\u3000\n", "\n\u2003\n", "\n\n\u202f", "\n\n\n\n\n", " ", "", "\t"),
)
_UNSPACED = ("CJK ", "HIRAGANA", "KATAKANA", "THAI", "LAO", "MYANMAR", "KHMER", "IDEOGRAPHIC")


_BYTES = {letter: byte for byte, letter in byte_letters().items()}


def bytes_of(vocabulary: Vocabulary, token: int) -> bytes:
    """The bytes that a token stands for."""
    name = vocabulary.tokenizer.convert_ids_to_tokens(token)
    if token in vocabulary.tokenizer.added_tokens_decoder:
        return str(name).encode()
    return bytes(_BYTES[letter] for letter in name)


@functools.cache
def odd_tokens(name: str) -> tuple[tuple[int, ...], ...]:
    """Pools of token ids: with line breaks, of other white space, of half characters, near a marker, near a tag."""
    vocabulary = load_vocabulary(name)
    special = set(vocabulary.tokenizer.added_tokens_decoder)
    texts = {n: text for n, text in enumerate(vocabulary_texts(vocabulary.tokenizer)) if text and n not in special}
    starts = tuple(marker[:2] for marker in MARKERS)
    return (
        tuple(n for n, text in texts.items() if "\n" in text),
        tuple(n for n, text in texts.items() if not text.strip() and "\n" not in text),
        tuple(n for n, text in texts.items() if HALF_CHARACTER in text),
        tuple(n for n, text in texts.items() if text.lstrip().startswith(starts)),
        tuple(n for n, text in texts.items() if text.strip() in ("<", "</", "th", "think", "ink", ">", "<th", "></")),
    )


@st.composite
def paragraphs(draw: st.DrawFn) -> str:
    """Some text as it stands in a trace, its line breaks with it."""
    parts = st.tuples(*map(st.sampled_from, (SENTENCES, ENDS, GAPS)))
    return "".join(map("".join, draw(st.lists(parts, max_size=8))))


def written(name: str) -> st.SearchStrategy[list[int]]:
    """Token ids as the tokenizer writes them."""
    return paragraphs().map(load_vocabulary(name).encode)


def sampled(name: str, *, tags: bool = False) -> st.SearchStrategy[list[int]]:
    """Token ids that a model may sample: texts and odd single tokens, one after the other."""
    encode, pools = load_vocabulary(name).encode, odd_tokens(name)
    numbers = st.tuples(st.integers(0, len(pools) - 1), st.integers(0, 1 << 16))
    odd = numbers.map(lambda at: [pools[at[0]][at[1] % len(pools[at[0]])]])
    texts = st.sampled_from([*SENTENCES, *ENDS, *GAPS, *(TAGS if tags else ())]).map(encode)
    joined = st.lists(st.one_of(odd, texts, texts), max_size=30)
    return joined.map(lambda parts: [token for part in parts for token in part])


@dataclass(frozen=True, slots=True)
class PlainText:
    """The text of some tokens, and which token each of its characters starts and ends in."""

    text: str
    """A byte that is no character is a surrogate."""
    ends: list[int] = field(repr=False)
    """Per token, its end in bytes."""

    @classmethod
    def of(cls, vocabulary: Vocabulary, ids: Sequence[int]) -> "PlainText":
        pieces = [bytes_of(vocabulary, token) for token in ids]
        return cls(b"".join(pieces).decode(errors="surrogateescape"), list(itertools.accumulate(map(len, pieces))))

    def token_at(self, position: int) -> int:
        """The token in which the character at a position starts; their number at the end of the text."""
        return bisect.bisect_right(self.ends, len(self.text[:position].encode(errors="surrogateescape")))

    def end_of(self, position: int) -> int:
        """One past the token in which the character before a position ends."""
        return bisect.bisect_left(self.ends, len(self.text[:position].encode(errors="surrogateescape"))) + 1


def marker_at(text: str, position: int) -> str | None:
    """The longest marker that stands there as a word of its own."""
    for marker in sorted(MARKERS, key=len, reverse=True):
        end = position + len(marker)
        if text.startswith(marker, position) and not (
            marker[-1].isalnum() and _goes_on(marker[-1], text[end : end + 1])
        ):
            return marker
    return None


def _goes_on(last: str, following: str) -> bool:
    """Whether a word that ends in one character goes on in the other."""
    is_unspaced = [unicodedata.name(one, "").startswith(_UNSPACED) for one in (last, following) if one]
    return bool(following) and (following.isalnum() or following == "_") and not any(is_unspaced)


def split_plainly(plain: PlainText, rules: Mapping[str, int]) -> list[tuple[int, int]]:
    """[(first token, one past its marker's last)] of the episodes of a thinking block, as docs/episodes.md has it."""
    starts = [gap.end() for gap in re.finditer(r"\n[^\S\n]*\n\s*(?=\S)", plain.text)]
    first = re.search(r"\S", plain.text)
    if first is None:
        return []
    kept: list[tuple[int, int]] = []
    last_step = 0
    for step, start in enumerate([first.start(), *(start for start in starts if start > first.start())]):
        marker = marker_at(plain.text, start)
        token = plain.token_at(start)
        if step == 0:
            kept.append((0, plain.end_of(start + len(marker)) if marker else 0))
        elif marker and step - last_step >= rules["min_steps"] and token > kept[-1][0]:
            kept.append((token, plain.end_of(start + len(marker))))
            last_step = step
    return _limited(kept, len(plain.ends), rules["min_episode_tokens"], rules["max_episodes"])


def _limited(kept: list[tuple[int, int]], end: int, min_tokens: int, max_episodes: int) -> list[tuple[int, int]]:
    """Short episodes go into the one before them, a short first one takes the next; evenly chosen ones stay."""
    long = kept[:1]
    for one in kept[1:]:
        if one[0] - long[-1][0] >= min_tokens:
            long.append(one)
    if len(long) > 1 and end - long[-1][0] < min_tokens:
        long.pop()
    count = min(len(long), max_episodes)
    return [long[number * len(long) // count] for number in range(count)]

"""Seconds to split 1,000 traces of 16,384 tokens into episodes, on one core; prints one JSON line.

The vocabulary has 151,000 tokens, the size of today's models. A trace has paragraphs of about 50 tokens; the first
words of each are drawn from those of reasoning traces, so near misses ("But I", "Waiting") are as common as markers.
The ids are handed over as lists of int, as rollout servers return them. `tags_of_pieces` splits the same traces for a
tokenizer that has no token for the thinking tags, where they must be searched as text.
"""

import json
import random
import statistics
import time

from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from mrt_verl.episodes import EpisodeSplitter

TRACES, TOKENS, VOCABULARY, REPEATS = 1000, 16_384, 151_000, 5
MARKERS = ("Wait", "But wait", "Alternatively", "Is there another way", "But let me double-check", "But hold on")
# byte-level vocabularies write a space as Ġ and a line break as Ċ
FIRST_WORDS = ["So", "Let", "Now", "First", "Then", "But ĠI", "But Ġwe", "Is Ġthis", "Wait ing", "Therefore", "Hm m"]
FIRST_WORDS += ["Wait ,", "But Ġwait ,", "Altern atively ,", "But Ġlet Ġme Ġdouble - check"]
PARAGRAPH_ENDS = [".ĊĊ", ".Ċ Ċ", "ĊĊ", ":ĊĊ"]
WORDS = [f"Ġw{number}" for number in range(2000)] + [",", "Ġ=", "Ġ<", "Ċ", "Ġ+", "Ġ2"]


def make_tokenizer(*, has_tags: bool) -> PreTrainedTokenizerFast:
    """A vocabulary of the traces' tokens, filled up with words of no use."""
    used = dict.fromkeys([*" ".join(FIRST_WORDS + PARAGRAPH_ENDS).split(), *WORDS, "<", "/", "think", ">"])
    names = [*used, *(f"Ġfiller{number}" for number in range(VOCABULARY - len(used)))]
    tokenizer = Tokenizer(models.WordLevel({name: token for token, name in enumerate(names)}, unk_token=names[-1]))
    tokenizer.decoder = decoders.ByteLevel()
    if has_tags:
        tokenizer.add_tokens([AddedToken("<think>", special=False), AddedToken("</think>", special=False)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def make_trace(rng: random.Random, closing: str) -> list[str]:
    """Names of the tokens of a closed trace whose prompt opened the thinking block."""
    names: list[str] = []
    while len(names) < TOKENS - 10:
        names += rng.choice(FIRST_WORDS).split()
        names += rng.choices(WORDS, k=rng.randint(20, 80))
        names += rng.choice(PARAGRAPH_ENDS).split()
    return [*names[: TOKENS - 10], *closing.split(), *WORDS[:10]][:TOKENS]


def measure(*, has_tags: bool) -> dict[str, float]:
    tokenizer = make_tokenizer(has_tags=has_tags)
    vocabulary = tokenizer.get_vocab()
    rng = random.Random(0)
    closing = "</think>" if has_tags else "< / think >"
    traces = [[vocabulary[name] for name in make_trace(rng, closing)] for _ in range(TRACES)]
    rules = {"markers": MARKERS, "think_open": "<think>", "think_close": "</think>"}
    started = time.perf_counter()
    splitter = EpisodeSplitter(tokenizer, **rules)
    splitter.split(traces[0], thinking_open=True)
    first_split = time.perf_counter() - started
    seconds = []
    for _ in range(REPEATS):
        fresh = EpisodeSplitter(tokenizer, **rules)  # nothing remembered of the traces; the vocabulary's texts are
        fresh.split(traces[0], thinking_open=True)
        started = time.perf_counter()
        splits = [fresh.split(trace, thinking_open=True) for trace in traces]
        seconds.append(time.perf_counter() - started)
    return {
        "seconds": round(statistics.median(seconds), 3),
        "first_split_with_table_seconds": round(first_split, 3),
        "markers_mean": statistics.mean(split.markers for split in splits),
        "closed": sum(split.closed for split in splits),
    }


def main() -> None:
    results = {"tags_of_one_token": measure(has_tags=True), "tags_of_pieces": measure(has_tags=False)}
    print(json.dumps({"benchmark": "episodes", "traces": TRACES, "tokens": TOKENS, **results}))


if __name__ == "__main__":
    main()

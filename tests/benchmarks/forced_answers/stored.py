"""The collected answers after one prefix and stop text, graded, as arrays with one row for each distinct answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrt_verl.grading import Grader
from tests.benchmarks.forced_answers.collect import MAX_TOKENS, OLD

OLD_STOPS = ("\n",)
NEW_STOPS = ("\n", "}.", "}$", "}\\)", "}\\]")


@dataclass(frozen=True)
class Answers:
    """(k,) arrays over the distinct token sequences drawn; equal identities are equal numbers."""

    ids: list[tuple[int, ...]]
    keys: list[tuple[tuple[int, ...], str]]
    """Stem, and the text of the closing token up to the brace."""
    draws: np.ndarray
    """(1000,) row of each answer drawn."""
    line_draws: np.ndarray
    """(200,) of those that went on to the end of the line; theirs alone is `whole`."""
    right: np.ndarray
    contents: list[str]
    """What stands in the box, with the brace that closes it."""
    text: np.ndarray
    whole: np.ndarray
    cut: np.ndarray
    stem: np.ndarray
    answer: np.ndarray
    """Identities: text up to the close; all tokens; tokens to the close; those before; those before, closers merged."""
    p_whole: np.ndarray
    p_cut: np.ndarray
    p_stem: np.ndarray
    p_answer: np.ndarray
    p_text: np.ndarray
    """Probabilities; that of a text is the sum over its token sequences among the 1,000."""
    through: np.ndarray
    """(k, k) bool: the row's stem begins the column's answer."""
    opened: np.ndarray
    """Whether a box was opened at all."""
    empty: np.ndarray
    """Whether the box closed around nothing."""
    tokens: dict[str, float]
    """Mean tokens of an answer by stop rule, over those drawn to the line."""
    wrong_cuts: dict[str, float]
    """Share of those whose stop string stands inside the box."""


def end_of(path: dict[str, Any], texts: Sequence[str], eos: int) -> int:
    """Tokens before the one that ends an answer."""
    if path["close"] is not None:
        return int(path["close"])
    last = path["ids"][-1]
    return len(path["ids"]) - int(last == eos or "\n" in texts[last])


def content_of(path: dict[str, Any], texts: Sequence[str], stop: str) -> tuple[str, bool]:
    """(what stands in the box, with the brace that closes it, whether there is a box at all)."""
    text = cut_at_stop("".join(texts[token] for token in path["ids"]), OLD_STOPS)
    if path["close"] is not None:
        text = "".join(texts[token] for token in path["ids"][: path["close"]]) + path["head"]
    if stop == "old":
        return text, True
    opened = text.lstrip().startswith("{")
    return (text.lstrip()[1:], True) if opened else (text, False)


def grade(grader: Grader, contents: Sequence[tuple[str, bool]], finished: Sequence[bool], reference: str) -> list[bool]:
    """Whether each answer is right; each distinct text is graded once (the grader remembers)."""
    right = []
    for (text, opened), done in zip(contents, finished, strict=True):
        shown, stop = (text, OLD) if opened else ("\\boxed" + text, "")
        (one,) = grader.grade_sync([shown], reference, stop_text=stop, finished=done)
        right.append(one.score > 0)
    return right


def numbered(keys: Sequence[Any]) -> np.ndarray:
    """Equal numbers for equal keys."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys])


def rule_lengths(paths: Sequence[dict[str, Any]], texts: Sequence[str], stop: str) -> tuple[dict[str, float], ...]:
    """(mean tokens, share of wrong cuts) by stop rule, of paths drawn to the line."""
    counts = np.array([path["count"] for path in paths])
    rules: dict[str, tuple[str, ...]] = {"old": OLD_STOPS, "new": NEW_STOPS}
    tokens, wrong = {}, {}
    for name, stops in rules.items():
        found = [first_stop(path, texts, stops) for path in paths]
        tokens[name] = float(np.average([length for length, _ in found], weights=counts))
        wrong[name] = float(np.average([inside for _, inside in found], weights=counts))
    to_close = [len(path["ids"]) if path["close"] is None else path["close"] + 1 for path in paths]
    tokens["close"] = float(np.average(to_close, weights=counts))
    return tokens, wrong


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop string."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def first_stop(path: dict[str, Any], texts: Sequence[str], stops: Sequence[str]) -> tuple[int, bool]:
    """(tokens generated up to the first stop string, whether that stood before the brace that closes the box)."""
    text, ends = "", []
    for token in path["ids"]:
        text += texts[token]
        ends.append(len(text))
    at = len(cut_at_stop(text, stops))
    if at == len(text):
        return len(ends), False
    found = min(at + len(one) for one in stops if text.startswith(one, at))
    length = next(n for n, end in enumerate(ends, 1) if end >= found)
    if path["close"] is None:
        return length, text[at] == "}"  # the box went on after the brace that was taken for its end
    closed = len("".join(texts[token] for token in path["ids"][: path["close"]])) + len(path["head"])
    return length, at + 1 < closed


def load(
    line: dict[str, Any],
    reference: str,
    texts: Sequence[str],
    eos: int,
    grader: Grader,
    seed: int,
    max_tokens: int = MAX_TOKENS,
) -> Answers:
    """The answers of one line of answers.jsonl, shuffled."""
    paths = [*line["line"], *line["box"]]
    lines, stop = len(line["line"]), line["stop"]
    ends = [end_of(path, texts, eos) for path in paths]
    contents = [content_of(path, texts, stop) for path in paths]
    finished = [path["close"] is not None or end < max_tokens for path, end in zip(paths, ends, strict=True)]
    stems = [tuple(path["ids"][:end]) for path, end in zip(paths, ends, strict=True)]
    cuts = [tuple(path["ids"][: end + 1]) for path, end in zip(paths, ends, strict=True)]
    # an answer that never closed is known by the token that ended it instead
    heads = [p["head"] or cut[len(stem) :] for p, stem, cut in zip(paths, stems, cuts, strict=True)]
    rows = list(zip(paths, ends, strict=True))
    p_stem = np.exp([sum(path["log_probs"][:end]) for path, end in rows])
    p_cut = np.exp([sum(path["log_probs"][: end + 1]) for path, end in rows])
    mass = np.exp([path["log_close_mass"] for path in paths])
    p_answer = np.where([path["close"] is not None for path in paths], p_stem * mass, p_cut)
    keys = list(zip(stems, heads, strict=True))
    answer, text = numbered(keys), numbered(contents)
    distinct = np.unique(answer, return_index=True)[1]
    p_text = np.bincount(text[distinct], p_answer[distinct], minlength=text.max() + 1)[text]
    rng = np.random.default_rng(seed)
    drawn = np.repeat(np.arange(len(paths)), [path["count"] for path in paths])
    tokens, wrong_cuts = rule_lengths(line["line"], texts, stop)
    return Answers(
        ids=[tuple(path["ids"]) for path in paths],
        keys=keys,
        draws=rng.permutation(drawn),
        line_draws=rng.permutation(drawn[drawn < lines]),
        right=np.array(grade(grader, contents, finished, reference)),
        contents=[text if opened else f"\\boxed{text}" for text, opened in contents],
        text=text,
        whole=numbered([tuple(path["ids"]) for path in paths]),
        cut=numbered(cuts),
        stem=numbered(stems),
        answer=answer,
        p_whole=np.exp([sum(path["log_probs"]) for path in paths]),
        p_cut=p_cut,
        p_stem=p_stem,
        p_answer=p_answer,
        p_text=p_text,
        through=np.array([[tuple(path["ids"][: len(stem)]) == stem for path in paths] for stem in stems]),
        opened=np.array([opened for _, opened in contents]),
        empty=np.array([text.strip() == "}" for text, _ in contents]),
        tokens=tokens,
        wrong_cuts=wrong_cuts,
    )


def read_lines(path: Path) -> list[dict[str, Any]]:
    """JSON lines of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]

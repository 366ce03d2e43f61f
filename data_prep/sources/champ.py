"""CHAMP: 270 annotated competition problems, shipped by the package `champ-dataset`; nothing is downloaded.

Problems and answers are written in ASCII mathematics; answers are turned into LaTeX and freed of the words around them,
so that math-verify reads them. What remains prose ("Yes, and the sequence is …") is dropped by the answer check.
"""

import argparse
import re
from collections.abc import Iterator
from importlib import metadata

from data_prep.problems import Dropped, Problem, Source, Split

_ASIDE = re.compile(r",? (?:or equivalently|or an equivalent form|or approximately)\b.*| \((?:i\.e\.|no\b|none\b).*\)$")
_FRAMES = (
    re.compile(r"(?P<answer>-?[0-9]+) (?:is the only possible value|values|pairs|roots|inequalities)"),
    re.compile(r"The limit exists and is equal to (?P<answer>.+)"),
    re.compile(r"The only possible value for the limit is (?P<answer>.+)"),
)
_GROUPS = (
    ("^floor(", "^{\\lfloor ", " \\rfloor}"),
    ("sqrt(", "\\sqrt{", "}"),
    ("^(", "^{", "}"),
    ("_(", "_{", "}"),
    ("floor(", "\\lfloor ", " \\rfloor"),
)
_BINOMIAL = re.compile(r"\bC\(([^(),]+), ([^(),]+)\)")
_LIST = re.compile(r"-?[0-9]+(?:, -?[0-9]+)* and -?[0-9]+")
_SUM = re.compile(r"\bsum_")


def read(_: str, __: argparse.Namespace) -> Split:
    """The problems, in the package's order."""
    import champ_dataset

    problems = champ_dataset.load("v0").problems.values()
    origin = {"package": "champ-dataset", "revision": metadata.version("champ-dataset")}
    return Split(_problems(problems), origin, len(problems))


def _problems(problems: object) -> Iterator[Problem | Dropped]:
    for row, problem in enumerate(problems):  # type: ignore[arg-type, var-annotated]
        extra = {"id": problem.identifier, "category": problem.category}
        yield Problem(problem.text, plain_answer(problem.answer), row, extra)


def plain_answer(answer: str) -> str:
    """The answer alone, in LaTeX: "100 (i.e., all values)" → "100", "sqrt(3)/3, or equivalently …" → "\\sqrt{3}/3"."""
    answer = _ASIDE.sub("", answer).replace("\u2212", "-")
    for frame in _FRAMES:
        if found := frame.fullmatch(answer):
            answer = found["answer"]
    if _LIST.fullmatch(answer):
        answer = answer.replace(" and", ",")
    answer = _BINOMIAL.sub(r"\\binom{\1}{\2}", answer)
    for opening, left, right in _GROUPS:
        answer = _regroup(answer, opening, left, right)
    return _SUM.sub(r"\\sum_", answer)


def _regroup(text: str, opening: str, left: str, right: str) -> str:
    """`opening`, which ends in a parenthesis, and what closes it become `left` and `right`."""
    while (start := text.find(opening)) >= 0:
        depth, end = 1, start + len(opening)
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        text = text[:start] + left + text[start + len(opening) : end - 1] + right + text[end:]
    return text


SOURCE = Source(
    name="champ",
    summary="270 annotated competition problems, offline (package champ-dataset)",
    data_source="champ",
    ability="math",
    splits=("train",),
    read=read,
)

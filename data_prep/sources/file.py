"""A table of one's own: `data_prep file --from X.jsonl --question COLUMN --answer COLUMN --out DIR`.

An answer may be the reference itself or a worked solution, whose box, `####` or closing "the answer is …" is taken. A
row that cannot be used is counted with its reason and never ends the file.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_prep.answers import refused
from data_prep.images import digest, place, to_images
from data_prep.problems import DataError, Dropped, Problem, Source, Split, Unusable, to_text
from data_prep.references import to_answer, to_boxed_answer
from data_prep.tables import Item, field_of, read_table
from mrt_verl.grading import extract_answer

_WORKED = re.compile(r"\\(?:boxed|fbox)\b|####")


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--from",
        dest="table",
        required=True,
        metavar="PLACE",
        help="a .jsonl, .csv, .json or .parquet file, or owner/name on the hub",
    )
    add(
        "--question", required=True, metavar="COLUMN", help="text of the problem, or chat messages, whose last is taken"
    )
    add("--answer", required=True, metavar="COLUMN", help="reference or worked solution; a dot leads into a struct")
    add(
        "--images",
        metavar="COLUMN",
        help="one image or several, as bytes or paths; `<image>` in the question says where each stands",
    )
    add("--data-source", default="file", help="verl's name of the set, which groups metrics (default: %(default)s)")
    add("--hub-config", metavar="NAME", help="config of a dataset on the hub")
    add("--hub-split", default="train", metavar="NAME", help="split of a dataset on the hub (default: %(default)s)")


def read(_: str, options: argparse.Namespace) -> Split:
    """The table's rows.

    Raises:
        DataError: it cannot be read.
    """
    columns = _columns(options)
    items, rows = read_table(options.table, config=options.hub_config, split=options.hub_split, columns=columns)
    named = {"question": options.question, "answer": options.answer}
    if options.images:
        named["images"] = options.images
    return Split(_problems(items, options), {**rows.origin, **named}, rows.total)


def _columns(options: argparse.Namespace) -> tuple[str, ...]:
    return (options.question, options.answer, *([options.images] if options.images else []))


def _problems(items: Iterator[Item], options: argparse.Namespace) -> Iterator[Problem | Dropped]:
    names: dict[str, None] = {}
    has_problem = False
    for number, row in enumerate(items):
        names.update(dict.fromkeys(row) if isinstance(row, dict) else {})
        try:
            problem = _problem(row, number, options)
        except Unusable as why:
            yield Dropped(number, why.column, why.reason, why.value)
        else:
            has_problem = True
            yield problem
    for column in _columns(options):
        if not has_problem and names and column.split(".")[0] not in names and column not in names:
            raise DataError(f"{options.table}: column {column} is in no row; got {', '.join(map(str, names))}")


def _problem(row: Item, number: int, options: argparse.Namespace) -> Problem:
    question = to_question(field_of(row, options.question), options.question)
    answer = to_reference(field_of(row, options.answer), options.answer)
    if not options.images:
        return Problem(question, answer, number)
    images = to_images(field_of(row, options.images), options.images, Path(options.table).parent)
    question = place(question, images, options.images)
    return Problem(question, answer, number, images=images, identity=f"{question} {digest(images)}")


def to_question(value: Any, column: str) -> str:
    """A problem's text; of chat messages the last one's.

    Raises:
        Unusable: there is none.
    """
    if isinstance(value, list) and value and isinstance(value[-1], dict) and "content" in value[-1]:
        value = value[-1]["content"]
    return to_text({column: value}, column)


def to_reference(value: Any, column: str) -> str:
    """The reference of an answer column.

    Raises:
        Unusable: there is none.
    """
    text = to_answer({column: value}, column)
    if _WORKED.search(text):
        return to_boxed_answer(text, column)
    if refused(text) == "prose":
        # "… so the answer is 42." holds a reference, other prose none
        found = extract_answer(text, thinking=None, finished=True, fallbacks=("answer_phrase",))
        return found or text
    return text


SOURCE = Source(
    name="file",
    summary="a table of one's own: .jsonl, .csv, .json, .parquet, or a dataset on the hub",
    data_source="file",
    ability="math",
    splits=("train",),
    read=read,
    add_options=add_options,
    example="--from mine.jsonl --question problem --answer solution",
)

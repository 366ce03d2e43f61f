"""NuminaMath 1.5: 896,000 competition and school problems; kept are those whose answer can be checked.

The MRT paper trains on 4,000 problems of NuminaMath by RL and on 10,000 by STaR. It does not say which, nor of which
edition: `--set rl` and `--set star` choose as many by seed, and no problem is in both.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from data_prep.problems import Row, Unusable, to_text
from data_prep.references import to_answer
from data_prep.sources.hub import hub_source

SETS = {"rl": (0, 4_000), "star": (4_000, 10_000)}
"""(skip, limit) in the order of the seed."""
_NEEDED = {"question_type": "math-word-problem", "problem_is_valid": "Yes", "solution_is_valid": "Yes"}


class _ChooseSet(argparse.Action):
    def __call__(
        self, _: Any, namespace: argparse.Namespace, value: str | Sequence[Any] | None, __: str | None = None
    ) -> None:
        setattr(namespace, self.dest, value)
        namespace.skip, namespace.limit = SETS[str(value)]


def add_set_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", choices=SETS, action=_ChooseSet, help="the paper's RL set (4,000) or STaR set (10,000), by seed"
    )


def convert(row: Row) -> tuple[str, str, dict[str, Any]]:
    for column, needed in _NEEDED.items():
        if row[column] != needed:
            raise Unusable(column, f"not {needed}", row[column])
    if row["synthetic"]:
        raise Unusable("synthetic", "a synthetic problem")
    return to_text(row, "problem"), to_answer(row, "answer"), {"origin": to_text(row, "source")}


SOURCE = hub_source(
    name="numinamath",
    summary="NuminaMath 1.5: 896,000 problems, filtered for verifiable answers",
    repository="AI-MO/NuminaMath-1.5",
    splits={"train": "train"},
    columns=(*_NEEDED, "synthetic", "problem", "answer", "source"),
    convert=convert,
    add_options=add_set_option,
    data_source="numinamath",
    ability="math",
)

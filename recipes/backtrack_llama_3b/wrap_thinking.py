r"""Puts thinking tags around demonstrations that were sampled from a model without them.

`data_prep backtrack` ends a demonstration of a plain model in a paragraph with the `\boxed{}`. All before that becomes
the thinking block, which the chat template of add_tags.py opens; it is untrained as the failed attempt after it is.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from data_prep.writing import explained_file

OPEN, CLOSE = "<think>\n", "\n</think>\n\n"


def wrap(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its last message in the form `<think> … </think> answer`.

    Raises:
        ValueError: the message does not end in a paragraph with a box, or nothing of its thinking is learnt.
    """
    *prompt, last = (dict(message) for message in row["messages"])
    thinking, _, answer = last["content"].rstrip().rpartition("\n\n")
    if "\\boxed{" not in answer or int(row["untrained_characters"]) >= len(thinking):
        raise ValueError(f"demonstration ends in {last['content'][-200:]!r}; allowed: a paragraph with a \\boxed{{}}")
    last["content"] = OPEN + thinking.rstrip() + CLOSE + answer.strip()
    untrained = len(OPEN) + int(row["untrained_characters"])
    return {**row, "messages": [*prompt, last], "untrained_characters": untrained}


def main(data: Path, out: Path) -> None:
    rows = [wrap(row) for row in pd.read_parquet(data).to_dict("records")]
    with explained_file(out) as partial:
        pd.DataFrame(rows).to_parquet(partial)
    print(f"{len(rows)} demonstrations in {out}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    main(arguments.data, arguments.out)

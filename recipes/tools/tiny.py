"""Makes the model and the data of SCALE=cpu: the quickstart's, after a short warm start; what is there is kept.

The model writes traces with paragraphs, switch markers and boxed answers, which is all that a recipe's two steps need.
It has no numbered steps to go back to, so the demonstrations of backtracking are written here instead of sampled.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from data_prep.schema import write_parquet
from data_prep.search_task import ANSWER_TEXT, Problem, TraceStyle, make_problems, write_attempt
from mrt_verl.whole import whole_directory
from recipes.quickstart.make_model import warm_start
from recipes.quickstart.prepare import claim, rows

STAGES = ((150, TraceStyle(hit=0.3)),)
"""Steps and style of the warm start: enough for answers in a box."""
TEST, TRAIN = 8, 64


def make_tiny(out: Path) -> None:
    """Write `out`/data/{train,test,backtrack}.parquet and `out`/model."""
    claim(out)
    problems = make_problems(seed=3)
    for split, part in (("test", problems[:TEST]), ("train", problems[TEST : TEST + TRAIN])):
        path = out / "data" / f"{split}.parquet"
        if not path.exists():
            write_parquet(rows(part, split), path)
    demonstrations = [backtrack_row(problem) for problem in problems[TEST : TEST + TRAIN]]
    pd.DataFrame(demonstrations).to_parquet(out / "data" / "backtrack.parquet")
    if (out / "model").exists():
        return
    with whole_directory(out / "model") as partial:
        warm_start(partial, problems[TEST + TRAIN :], seed=3, stages=STAGES)


def backtrack_row(problem: Problem) -> dict[str, Any]:
    """A demonstration as `data_prep backtrack` writes it: a failed step, the way back to it, the right one."""
    wrong = next(pair for pair in problem.pairs if pair != problem.solution)
    failed = "<think>\n" + write_attempt(problem.target, wrong, False, "Step 1: try")
    back = "Wait, let me go back to step 1.\n\n"
    right = write_attempt(problem.target, problem.solution, True, "Step 1: try")
    content = f"{failed}{back}{right}{ANSWER_TEXT}{{{problem.answer}}}"
    messages = [{"role": "user", "content": problem.question}, {"role": "assistant", "content": content}]
    return {"messages": messages, "untrained_characters": len(failed)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/scale_cpu"))
    make_tiny(parser.parse_args().out)

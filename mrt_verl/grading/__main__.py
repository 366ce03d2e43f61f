"""`python -m mrt_verl.grading ANSWER REFERENCE...`: the verdict on an answer, and what it was compared with."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from mrt_verl.grading.extraction import extract_answer
from mrt_verl.grading.front import grade
from mrt_verl.grading.grades import Verdict

_EXIT_CODES = {Verdict.RIGHT: 0, Verdict.WRONG: 1, Verdict.NO_ANSWER: 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one grading; 0 if the answer is right, 1 if it is wrong or missing, 2 if nothing is known about it."""
    parser = argparse.ArgumentParser(prog="python -m mrt_verl.grading", description=__doc__)
    parser.add_argument("answer", help="a response, or a bare answer if there is no box, answer tag or phrase in it")
    parser.add_argument("reference", nargs="+", help="the right answer, or several accepted ones")
    parser.add_argument("--cut-off", action="store_true", help="the response was cut off by a token limit")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    finished = not options.cut_off
    bare = extract_answer(options.answer, finished=finished) is None and not options.cut_off
    graded = grade(options.answer, options.reference, finished=finished, bare=bare)
    print(json.dumps(asdict(graded), ensure_ascii=False) if options.json else graded)
    return _EXIT_CODES.get(graded.verdict, 2)


if __name__ == "__main__":
    sys.exit(main())

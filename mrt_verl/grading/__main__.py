"""`python -m mrt_verl.grading ANSWER REFERENCE...`: the verdict on an answer, and what it was compared with."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from mrt_verl.grading.extraction import extract_answer
from mrt_verl.grading.front import grade
from mrt_verl.grading.grades import Verdict
from mrt_verl.grading.other_readings import is_prose
from mrt_verl.grading.presets import PRESETS

_EXIT_CODES = {Verdict.RIGHT: 0, Verdict.WRONG: 1, Verdict.NO_ANSWER: 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one grading; 0 if the answer is right, 1 if it is wrong or missing, 2 if nothing is known about it."""
    parser = argparse.ArgumentParser(prog="python -m mrt_verl.grading", description=__doc__)
    parser.add_argument("answer", help="a response, or a bare answer if there is no box, answer tag or phrase in it")
    parser.add_argument("reference", nargs="+", help="the right answer, or several accepted ones")
    parser.add_argument("--cut-off", action="store_true", help="the response was cut off by a token limit")
    parser.add_argument("--rules", choices=PRESETS, default="default", help="what graders disagree on, docs/grading.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    finished = not options.cut_off
    bare = not options.cut_off and _has_no_answer(options.answer, options.rules)
    graded = grade(options.answer, options.reference, finished=finished, bare=bare, rules=options.rules)
    print(json.dumps(asdict(graded), ensure_ascii=False) if options.json else graded)
    return _EXIT_CODES.get(graded.verdict, 2)


def _has_no_answer(text: str, rules: str) -> bool:
    """Whether the text is an answer itself; what searches prose, which rules may allow, looks only into prose."""
    fallbacks = PRESETS[rules if is_prose(text) else "default"].fallbacks
    return extract_answer(text, finished=True, fallbacks=fallbacks) is None


if __name__ == "__main__":
    sys.exit(main())

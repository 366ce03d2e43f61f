"""Grading that cannot hang, crash, lie or slow a run: answer extraction, equality by math-verify, deadlines by killing.

    front.py        grade and grade_many, with reasons; the command `python -m mrt_verl.grading` prints the same
    grades.py       Verdict, Grade, GraderStats: what a grading says and what the gradings of a run cost
    extraction.py   the final answer inside a response (pure)
    comparison.py   equality: decided here where that takes no time, in a worker for what is left
        folding.py, tokens.py, numerals.py          text: Unicode, wrappers, tokens, ways to write a number
        reading.py, choices.py, relations.py, ...   what kind of thing an answer is: the types in forms.py
        expressions.py, algebra.py, numerics.py     formulas: trees, exact normal forms, values at points
        matching.py, values.py                      one rule per pair of types; the rule for decimals
        unread.py                                   sums and integrals, by math-verify's parser, only in a worker
    outcomes.py     verl's `default_compute_score` and a run's `custom_reward_function`, made ready for a worker
    channel.py      length-prefixed messages between the two processes
    worker.py       the child process: one task after the other, under a memory limit
    pool.py         the workers' side in this process: deadlines, killing, replacing
    grader.py       Grader, the front for event loops and scripts: cache, shared gradings, accounting

Neither sympy nor math-verify is ever imported in the process that grades, only in its workers.
"""

from mrt_verl.grading.extraction import Thinking, extract_answer
from mrt_verl.grading.front import Graded, grade, grade_many
from mrt_verl.grading.grader import Grader
from mrt_verl.grading.grades import Grade, GraderStats, Verdict

__all__ = [
    "Grade",
    "Graded",
    "Grader",
    "GraderStats",
    "Thinking",
    "Verdict",
    "extract_answer",
    "grade",
    "grade_many",
]

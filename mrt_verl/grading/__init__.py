"""Grading that cannot hang, crash, lie or slow a run: answers read as a mathematician reads them, compared exactly.

    grade(response_text, reference)    one response: verdict, answer, and the forms that were compared
    python -m mrt_verl.grading A REF   the same on the command line: why was this wrong?

    response  -> extraction.py   the final answer inside it: boxes, answer tags, phrases
    answer    -> text/           Unicode, wrappers, thousands separators, choice letters, tokens
              -> forms/          what it is: number, listing, tuple, set, interval, matrix, choice, text, ...
                 formulas/       trees, exact normal forms, values at points; the rule for decimals (values.py)
    two forms -> matching/       a rule per pair of types: right, wrong, or left to a worker

    comparison.py   an answer against its references: decided here if that takes no time, in a worker otherwise
    unread.py       sums and integrals, by math-verify's parser, only in a worker
    grades.py       Verdict, Grade, GraderStats: what a grading says and what the gradings of a run cost
    outcomes.py     verl's `default_compute_score` and a run's `custom_reward_function`, made ready for a worker
    channel.py      length-prefixed messages between the two processes
    worker.py       the child process: one task after the other, under a memory limit
    pool.py         the workers' side in this process: deadlines, replacing, what is not asked again
    child.py        one worker's handle: started, waited for, ended with all that it started
    printed.py      what workers print, bounded
    grader.py       Grader, the front for event loops and scripts: cache, shared gradings, accounting
    front.py        grade and grade_many
    presets.py      what graders disagree on, as switches: ours and Math-Verify's
    other_readings.py   what a text may say besides, under other rules than ours

A missing unit, percent sign or choice letter is forgiven, a different one is not. Words are compared as words. Sets,
tuples and intervals differ by type. What is ambiguous is wrong: a reward must not be had by writing what may be meant.
Neither sympy nor math-verify is ever imported in the process that grades, only in its workers.
"""

from mrt_verl.grading.extraction import Thinking, extract_answer
from mrt_verl.grading.front import Graded, grade, grade_many
from mrt_verl.grading.grader import Grader
from mrt_verl.grading.grades import Grade, GraderStats, Verdict
from mrt_verl.grading.presets import Rules

__all__ = [
    "Grade",
    "Graded",
    "Grader",
    "GraderStats",
    "Rules",
    "Thinking",
    "Verdict",
    "extract_answer",
    "grade",
    "grade_many",
]

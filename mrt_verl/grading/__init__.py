"""Grading that cannot hang, crash, lie or slow a run: answer extraction, equality by math-verify, deadlines by killing.

    grades.py       Verdict, Grade, GraderStats: what a grading says and what the gradings of a run cost
    extraction.py   the final answer inside a response (pure)
    comparison.py   equality: exact paths that need no sympy, and the call of math-verify (only in a worker)
    outcomes.py     verl's `default_compute_score` and a run's `custom_reward_function`, made ready for a worker
    channel.py      length-prefixed messages between the two processes
    worker.py       the child process: one task after the other, under a memory limit
    pool.py         the workers' side in this process: deadlines, killing, replacing
    grader.py       Grader, the front for event loops and scripts: cache, shared gradings, accounting

Neither sympy nor math-verify is ever imported in the process that grades, only in its workers.
"""

from mrt_verl.grading.extraction import Thinking, extract_answer
from mrt_verl.grading.grader import Grader
from mrt_verl.grading.grades import Grade, GraderStats, Verdict

__all__ = ["Grade", "Grader", "GraderStats", "Thinking", "Verdict", "extract_answer"]

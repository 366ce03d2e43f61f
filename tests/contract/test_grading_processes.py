"""Worker processes: deadlines, kill -9, forks, dead parents, and no trace of them afterwards."""

import asyncio
import os
import runpy
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from mrt_verl.grading import Grader, Verdict
from tests.builders import worker_pids

WORKLOAD = Path(__file__).parents[1] / "benchmarks" / "grading_workload.py"
DEADLINE_S = 2.0


def hard(n: int) -> str:
    """An answer equal to n that only a worker can tell."""
    return rf"\boxed{{\sin^2 {n}+\cos^2 {n}+{n - 1}}}"


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def wait_until_gone(pids: list[int], seconds: float = 10.0) -> list[int]:
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(map(is_alive, pids)):
        time.sleep(0.05)
    return [pid for pid in pids if is_alive(pid)]


def seconds_alone(answer: str) -> float:
    """The best of two more tries: what was late once may have been so because the machine was busy."""
    seconds = []
    for _ in range(2):
        with Grader(deadline_s=DEADLINE_S) as grader:
            grader.grade_sync([hard(42)], "42")
            started = time.perf_counter()
            grader.grade_sync([rf"\boxed{{{answer}}}"], "42")
            seconds.append(time.perf_counter() - started)
    return min(seconds)


def test_pathological_answers_keep_to_the_deadline_and_harm_no_other() -> None:
    answers = runpy.run_path(str(WORKLOAD))["pathological"]()
    assert len(answers) == 200
    late, known = [], []
    with Grader(deadline_s=DEADLINE_S) as grader:
        grader.grade_sync([hard(42)], "42")
        (first,) = worker_pids(grader)
        memory = resident_mb(first)
        for number, answer in enumerate(answers):
            started = time.perf_counter()
            (grade,) = grader.grade_sync([rf"\boxed{{{answer}}}"], "42")
            if time.perf_counter() - started >= DEADLINE_S + 1.0:
                late.append(answer)
            known.append(grade.verdict)
            # needs the replacement, so that its start is not counted as the next answer's time
            innocent = hard(number)
            assert grader.grade_sync([innocent], str(number))[0].verdict is Verdict.RIGHT, answer[:50]
        (last,) = worker_pids(grader)
        assert resident_mb(last) < memory + 600
        assert grader.stats().restarts == known.count(Verdict.TIMEOUT)
    assert [answer[:50] for answer in late if seconds_alone(answer) >= DEADLINE_S + 1.0] == []
    assert Verdict.RIGHT not in known
    assert known.count(Verdict.TIMEOUT) >= 10
    assert wait_until_gone([first, last]) == []


def test_one_batch_of_hanging_and_innocent_answers() -> None:
    answers = [text for n in range(5) for text in (rf"\boxed{{9^{{9^{{9^{n + 8}}}}}}}", hard(n))]
    with Grader(deadline_s=DEADLINE_S, workers=2) as grader:
        grades = asyncio.run(grader.grade(answers, ["0", "1", "2", "3", "4"]))
        assert len(worker_pids(grader)) <= 2
    assert [grade.verdict for grade in grades] == [Verdict.TIMEOUT, Verdict.RIGHT] * 5


def test_kill_9_in_the_middle_of_a_batch_loses_no_grade() -> None:
    async def run(grader: Grader) -> list[Verdict]:
        await grader.grade([hard(42)], "42")
        calls = [grader.grade([hard(n)], str(n)) for n in range(1, 601)]
        batch = [asyncio.create_task(call) for call in calls]
        await batch[10]
        assert not batch[-1].done()
        os.kill(worker_pids(grader)[0], signal.SIGKILL)
        return [grade.verdict for (grade,) in await asyncio.gather(*batch)]

    with Grader(deadline_s=60.0) as grader:
        verdicts = asyncio.run(run(grader))
        assert grader.stats().restarts == 1
    assert verdicts == [Verdict.RIGHT] * 600


def test_a_closed_grader_starts_anew_and_what_it_had_under_way_is_an_error() -> None:
    async def run(grader: Grader) -> list[Verdict]:
        await grader.grade([hard(42)], "42")
        hanging = asyncio.create_task(grader.grade([r"\boxed{9^{9^{9^{9}}}}"], "42"))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(grader.close)
        return [grade.verdict for grade in await hanging + await grader.grade([hard(43)], "43")]

    with Grader(deadline_s=60.0) as grader:
        assert asyncio.run(run(grader)) == [Verdict.ERROR, Verdict.RIGHT]


def test_a_forked_child_has_workers_of_its_own_and_leaves_its_parents_alone() -> None:
    with Grader() as grader:
        assert grader.grade_sync([hard(42)], "42")[0].verdict is Verdict.RIGHT
        parents = worker_pids(grader)
        child = os.fork()
        if child == 0:  # no assert here: whatever happens, this process must end now
            (grade,) = grader.grade_sync([hard(43)], "43")
            own = worker_pids(grader)
            grader.close()
            os._exit(0 if grade.verdict is Verdict.RIGHT and set(own).isdisjoint(parents) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert worker_pids(grader) == parents
        assert grader.grade_sync([hard(44)], "44")[0].verdict is Verdict.RIGHT


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), 9)", "sys.exit(0)", "del grader; time.sleep(30)"])
def test_no_worker_outlives_its_parent_or_its_grader(ending: str) -> None:
    """SIGKILL, which Ray uses on its actors; an ordinary exit; a grader that is only forgotten."""
    script = f"""
        import os, sys, threading, time
        from mrt_verl.grading import Grader
        grader = Grader(deadline_s=60)
        grader.grade_sync([r"\\boxed{{\\sin^2 1+\\cos^2 1}}"], "1")
        print(*(pid for pool in grader._pools.values() for pid in pool.pids()), flush=True)
        hang = lambda grader=grader: grader.grade_sync([r"\\boxed{{9^{{9^{{9^{{9}}}}}}}}"], "42")
        if not {ending!r}.startswith("del"):
            threading.Thread(target=hang, daemon=True).start()
            time.sleep(0.3)
        del hang
        {ending}
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 1
        assert wait_until_gone(pids) == []
    finally:
        process.kill()
        process.communicate()


def test_the_grading_process_loads_no_mathematics() -> None:
    script = "import sys, mrt_verl.grading; print({'sympy', 'math_verify', 'torch', 'verl'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"

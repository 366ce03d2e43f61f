"""What a policy writes and a dataset holds is hostile: it steers no terminal, runs no code and leaves no directory."""

import asyncio
import json
import logging
import os
import pickle
import re
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from mrt_verl import log
from mrt_verl.evaluation.command import name_models
from mrt_verl.evaluation.config import EvaluationConfig
from mrt_verl.evaluation.options import parse_arguments
from mrt_verl.grading import Grader, Verdict
from mrt_verl.grading.channel import Channel, ChannelClosed
from mrt_verl.grading.outcomes import FileFunction
from mrt_verl.hooks.checks.position import Position
from mrt_verl.interrupts import run_command
from mrt_verl.step_report import GradingFailed, check_errors, warn_of_timeouts
from tests.faults.records import rollout

ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\x08\u009d"
UNPICKLES = r"pickle\.loads?\(|torch\.load\((?!.*weights_only=True)"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture
def console(capsys):
    """console() -> what our logger has printed."""
    logger = logging.getLogger("mrt_verl")
    before, propagate = list(logger.handlers), logger.propagate
    logger.handlers.clear()
    log.speak_up()
    yield lambda: capsys.readouterr().err
    logger.handlers[:], logger.propagate = before, propagate


def test_warnings_hold_no_terminal_escape(console):
    warn_of_timeouts([rollout(answers=2, grade_timeouts=1, timeout_example=ESCAPES)], 3)
    logging.getLogger("mrt_verl.hooks.agent_loop").warning("a rollout is lost: %s", f"said {ESCAPES}")
    printed = console()
    assert "owned" in printed and not CONTROL.search(printed)


def test_the_line_that_ends_a_run_holds_none():
    with pytest.raises(GradingFailed) as ended:
        check_errors([rollout(answers=2, grade_errors=2, error_example=f"ValueError: {ESCAPES}")], 0.5, 3)
    assert "owned" in str(ended.value) and not CONTROL.search(str(ended.value))


def test_commands_print_none(capsys):
    """Nor marks that turn the order of a line, or end it to some terminals."""
    assert run_command("mrt-data", lambda: print(f"x\t{ESCAPES}\u202e\u2066\u2028")) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("x\t\\x1b]0;owned") and not CONTROL.search(printed)


def test_half_a_character_ends_no_command(capsys):
    """No standard output takes it: a dataset's row with one ended what showed it, or kept a page from being written."""
    assert run_command("mrt-data", lambda: print("x\ud83d")) == 0
    assert capsys.readouterr().out == "x\\ud83d\n"


@pytest.mark.long
def test_data_prep_shows_a_hostile_dataset(tmp_path):
    rows = [{"problem": f"1 + 1? {ESCAPES}", "answer": f"see {ESCAPES} there"}, {"problem": "2 + 2?", "answer": "4"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [
        *("file", "--from", str(tmp_path / "in.jsonl"), "--question", "problem", "--answer", "answer"),
        *("--out", str(tmp_path / "out"), "--show-dropped"),
    ]
    done = subprocess.run([sys.executable, "-m", "data_prep", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr and "\x9b" not in done.stdout + done.stderr


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_what_a_worker_returns_is_never_unpickled(tmp_path):
    ours, theirs = map(Channel, socket.socketpair())
    theirs.send(Bomb(tmp_path / "owned"))
    with pytest.raises(ChannelClosed):
        ours.receive_plain(5)
    assert not (tmp_path / "owned").exists()
    theirs.send_plain(["done", {"a": [1, None, 0.5]}])
    assert ours.receive_plain(5) == ["done", {"a": [1, None, 0.5]}]


LIES = (
    "pickle.dumps(Bomb())",
    "b'[[\"done\", {}], 7]'",
    "b'\\xff' * 9",
    *(f"reply({body})" for body in ("'ab'", "[10**400, None]", "[1.0, 5]", "[True]", "None")),
    # well-formed ones, for another job than the one that is asked
    "json.dumps([10**6, ['done', [1.0, None]], False]).encode()",
    "json.dumps([['done', [1.0, None]], False]).encode()",
)


@pytest.mark.long
@pytest.mark.parametrize("body", LIES)
def test_a_worker_that_lies_costs_its_answer_alone(tmp_path, body):
    """A function that finds the channel and writes into it what it likes; `reply` has the number of the job."""
    (tmp_path / "score.py").write_text(
        "import json, os, pickle, struct, sys\n"
        "def reply(value):\n"
        "    frame = sys._getframe()\n"
        "    while 'number' not in frame.f_locals:\n"
        "        frame = frame.f_back\n"
        "    return json.dumps([frame.f_locals['number'], ['done', value], False]).encode()\n"
        "class Bomb:\n"
        "    def __reduce__(self):\n"
        f"        return os.mkdir, ({str(tmp_path / 'owned')!r},)\n"
        "def score(solution_str, **_):\n"
        "    if solution_str == 'lie':\n"
        f"        body = {body}\n"
        "        for name in os.listdir('/proc/self/fd'):\n"
        "            try:\n"
        "                if os.readlink('/proc/self/fd/' + name).startswith('socket:'):\n"
        "                    os.write(int(name), struct.pack('!Q', len(body)) + body)\n"
        "            except OSError:\n"
        "                pass\n"
        "    return float(solution_str != 'wrong')\n"
    )
    function = FileFunction(str(tmp_path / "score.py"), "score")

    async def grades(grader, *solutions):
        calls = (
            grader.grade_outcome(function, data_source="x", solution_str=one, ground_truth="1") for one in solutions
        )
        return [one.verdict for one in await asyncio.gather(*calls)]

    with Grader(thinking=None, deadline_s=30.0) as grader:
        verdicts = asyncio.run(grades(grader, "lie", "wrong", "fine", "wrong"))
        assert verdicts == [Verdict.ERROR, Verdict.WRONG, Verdict.RIGHT, Verdict.WRONG]
    assert not (tmp_path / "owned").exists()


CODE = (
    r"\int_0^1 __import__('os').mkdir('owned') dx",
    r"\sum_{n=1}^{3} \operatorname{open}('owned','w')",
    r"\input{/etc/passwd}",
    r"\write18{mkdir owned}",
    r"\int_0^{10^{10^{10}}} x^{10^{9}} dx",
    r"\sum_{n=1}^{10^{12}} n!",
    r"\begin{pmatrix}" + "1 &" * 20_000 + r"1\end{pmatrix}",
    "eval(\"__import__('os').mkdir('owned')\")",
    "{{ cycler.__init__.__globals__.os.mkdir('owned') }}",
    "!!python/object/apply:os.mkdir ['owned']",
)


@pytest.mark.long
def test_answers_run_no_code_and_read_no_file(tmp_path, monkeypatch):
    """Each as an answer and as a reference, through every path: forms, sums and integrals, deep comparison."""
    monkeypatch.chdir(tmp_path)
    with Grader(thinking=None, deadline_s=3.0, memory_mb=1024) as grader:
        for text in CODE:
            for answer, reference in ((text, "42"), ("42", text), (text, r"\int_0^1 x dx")):
                (grade,) = grader.grade_sync([rf"\boxed{{{answer}}}"], reference, finished=True)
                assert grade.verdict is not Verdict.RIGHT
                assert "root:" not in str(grade)
        assert grader.grade_sync([r"\boxed{\frac12}"], "0.5", finished=True)[0].verdict is Verdict.RIGHT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "../up", "a/b", "a\\b", "\x1b[2J", "a\nb", ".hidden", "merged", ""])
def test_a_models_name_leads_nowhere_else(tmp_path, name):
    with pytest.raises(ValueError, match="name "):
        EvaluationConfig(models={name: "m"}, data=tmp_path / "d", budgets=[8], out=tmp_path)
    with pytest.raises(ValueError, match="is taken or not usable"):
        name_models([f"{name}=model"])


def test_engine_arguments_are_data():
    with pytest.raises(Exception, match="could not determine a constructor"):
        parse_arguments(["x=!!python/object/apply:os.mkdir [owned]"])


def test_a_uid_is_no_path(tmp_path):
    """Rows whose data_source and uid look like paths write into the trace directory alone."""
    from mrt_verl.trace_log import TraceLog

    record = rollout(uid="../../up", data_source="/etc", prompt_text=ESCAPES)
    TraceLog(str(tmp_path / "traces"), 8).write([record], 1)
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["traces", "traces/1.jsonl"]
    assert not CONTROL.search((tmp_path / "traces/1.jsonl").read_text().replace("\x9b", "").replace("\x9d", ""))


def test_a_dataset_row_is_told_without_escapes(tmp_path):
    """A column that chooses another agent loop, with a name that would clear the screen."""
    from mrt_verl.hooks.checks import _asked

    pd.DataFrame([{"a": 1}]).to_parquet(tmp_path / "x.parquet")

    def check(settings, config):
        yield f"data.train_files: column agent_name={ESCAPES}"
        raise ValueError(ESCAPES)

    told = list(_asked(check, None, None))
    assert len(told) == 2 and not any(CONTROL.search(line) for line in told)


def test_pickle_is_read_from_our_own_side_alone():
    """Of all of the package, `pickle.loads` stands only where the other side is this package's own process.

    `torch.load` with `weights_only=True` runs no code (the next test).
    """
    root = Path(log.__file__).parents[1]
    files = [*(root / "mrt_verl").rglob("*.py"), *(root / "data_prep").rglob("*.py")]
    using = {str(path.relative_to(root)) for path in files if re.search(UNPICKLES, path.read_text())}
    assert using == {"mrt_verl/grading/channel.py", "mrt_verl/grading/outcomes.py", "mrt_verl/grading/worker.py"}
    assert pickle.dumps(Bomb("x"))


def test_the_place_in_the_data_of_a_checkpoint_is_read_without_running_code(tmp_path):
    """verl itself unpickles a checkpoint; the check that comes before it, also of a wrong path, does not."""
    torch.save({"_sampler_iter_state": Bomb(tmp_path / "owned")}, tmp_path / "data.pt")
    assert Position.read(tmp_path / "data.pt") is None
    (tmp_path / "data.pt").write_bytes(pickle.dumps(Bomb(tmp_path / "owned")))
    assert Position.read(tmp_path / "data.pt") is None
    assert not (tmp_path / "owned").exists()

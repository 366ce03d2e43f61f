"""Records and runs for tests of the evaluation, without any model."""

import json

from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.records import Answer, EpisodeRecord, TraceRecord
from mrt_verl.evaluation.store import SETTINGS, TRACES


def answer(score, text=None):
    """A graded answer; right ones say "7"."""
    text = text if text is not None else ("7" if score else "8")
    return Answer(text, True, text, "right" if score else "wrong", float(score))


def episode(start, end, j, *, answers=(), answer_tokens=10.0):
    """An episode of tokens [start, end) whose J is `j`; without answers given, one that costs `answer_tokens`."""
    forced = list(answers) or [answer(1 if j else 0)]
    return EpisodeRecord(start, start, end, f"words {start}", forced, j, answer_tokens)


def record(
    *, js=(0.5,), ends=(90,), own=1.0, problem=0, trace=0, j_before=0.0, response_tokens=120, extension=(), **changes
):
    """A trace whose episodes end at `ends` with success `js`; a forced answer costs 10 tokens."""
    starts = [0, *ends][: len(ends)]
    episodes = [episode(start, end, j) for start, end, j in zip(starts, ends, js, strict=True)]
    values = {
        "problem": problem,
        "uid": f"uid{problem}",
        "trace": trace,
        "data_source": "test",
        "messages": [{"role": "user", "content": "What is 3 + 4?"}],
        "reference": "7",
        "prompt_tokens": 8,
        "response": "…",
        "response_tokens": response_tokens,
        "think_tokens": ends[-1] if ends else 0,
        "closed": True,
        "finished": True,
        "markers": max(0, len(ends) - 1),
        "own": answer(own),
        "episodes": episodes,
        "before": [answer(0), answer(1)],
        "before_tokens": 12.0,
        "j_before": j_before,
        "extension": list(extension),
        **changes,
    }
    return TraceRecord(**values)


def settings(**changes):
    """What run.json of a small run holds."""
    node = {
        "format": 1,
        "name": "model",
        "model": "path/to/model",
        "data": {"file": "test.parquet", "sha256": "0" * 64},
        "problems": 2,
        "traces": 1,
        "budgets": [100, 200],
        "seed": 0,
        "sampling": {"response_tokens": 200, "direct_answers": 2, "insertions": 0, "sampling_params": {}},
        "mrt": {"prover": "sample", "branches": 4, "stop_text": "stop", "markers": ["Wait"]},
        "grader": {"outcome": "math_verify", "math_verify": "0.9.0"},
    }
    return {**node, **changes}


def run_of(problems, **changes):
    """A run of some problems' traces."""
    return Run("model", settings(problems=len(problems), traces=len(problems[0]), **changes), problems)


def write_run(directory, records, **changes):
    """A run's files."""
    directory.mkdir(parents=True)
    (directory / SETTINGS).write_text(json.dumps(settings(name=directory.name, **changes)))
    lines = [json.dumps(one.to_dict()) + "\n" for one in records]
    (directory / TRACES).write_text("".join(lines))
    return directory

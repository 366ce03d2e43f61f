"""Which checkpoint of a run is taken for the best one."""

import json
import sys

import pytest

from recipes.tools import best


@pytest.fixture
def run(tmp_path):
    """Checkpoints of steps 25, 50 and 100, validated each, and one of 75 that is gone."""
    for step in (25, 50, 100):
        actor = tmp_path / f"global_step_{step}/actor"
        actor.mkdir(parents=True)
        (actor / "model_world_size_1_rank_0.pt").write_bytes(b"")
    first = {25: 0.3, 50: 0.5, 75: 0.6}
    for name, values in (("metrics-1.jsonl", first), ("metrics-2.jsonl", {100: 0.4})):
        lines = [
            {"step": step, "data": {"val-core/a/acc/mean@4": value - 0.1, "val-core/b/acc/mean@4": value + 0.1}}
            for step, value in values.items()
        ]
        (tmp_path / name).write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["best", *map(str, words)])
    best.main()


def test_the_best_of_those_that_are_there(run, monkeypatch, capsys):
    call(monkeypatch, run, "--keep")
    out, err = capsys.readouterr()
    assert out == f"{run}/global_step_50\n"
    assert "step 50, validation accuracy 0.500, of 3 that were validated; step 75 was better and is not there" in err
    assert sorted(path.name for path in run.glob("global*")) == ["global_step_100", "global_step_50"]


def test_without_validation_the_last(run, tmp_path, monkeypatch, capsys):
    logs = tmp_path / "logs"
    logs.mkdir()
    call(monkeypatch, run, "--metrics", logs)
    out, err = capsys.readouterr()
    assert out == f"{run}/global_step_100\n" and "no checkpoint was validated" in err


def test_no_checkpoint_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="no checkpoint; allowed: a directory with global_step_N/actor in it"):
        call(monkeypatch, tmp_path)

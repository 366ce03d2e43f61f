"""Runs on disk: stopped at any moment, with other settings, broken, or not comparable."""

import json

import pytest

from mrt_verl.evaluation.load import load_runs
from mrt_verl.evaluation.store import SETTINGS, TRACES, Store
from tests.evaluation_records import record, settings, write_run


def uids_of(run):
    return [traces[0].uid for traces in run.problems]


def test_a_run_goes_on_where_it_stopped(tmp_path):
    with Store(tmp_path, settings()) as store:
        store.append(record())
    with Store(tmp_path, settings()) as store:
        assert list(store.records) == [(0, 0)]
        assert store.records[0, 0] == record()
        store.append(record(problem=1))
    (run,) = load_runs([tmp_path])
    assert run.problems == [[record()], [record(problem=1)]]


def test_a_line_that_was_cut_off_is_removed(tmp_path):
    with Store(tmp_path, settings()) as store:
        store.append(record())
    traces = tmp_path / TRACES
    whole = traces.read_bytes()
    traces.write_bytes(whole + whole[:100])
    with Store(tmp_path, settings()) as store:
        assert list(store.records) == [(0, 0)]
    assert traces.read_bytes() == whole


def test_other_settings_are_refused_with_both_values(tmp_path):
    with Store(tmp_path, settings()) as store:
        store.append(record())
    with pytest.raises(ValueError, match=r"run\.json holds a run with other settings.*seed: 0 there, 1 here"):
        Store(tmp_path, settings(seed=1))
    with pytest.raises(ValueError, match=r"mrt\.branches: 4 there, 2 here"):
        Store(tmp_path, settings(mrt={**settings()["mrt"], "branches": 2}))


def test_a_run_that_failed_before_its_first_trace_binds_nobody(tmp_path):
    with Store(tmp_path, settings()):
        pass
    with Store(tmp_path, settings(seed=1)) as store:
        store.append(record())
    assert json.loads((tmp_path / SETTINGS).read_text())["seed"] == 1


@pytest.mark.parametrize("broken", ['{"problem": 0', "[]", '{"problem": 0, "unknown": 1}', "null", "[" * 100_000])
def test_a_broken_line_is_named(tmp_path, broken):
    path = write_run(tmp_path / "run", [record(), record(problem=1)])
    lines = (path / TRACES).read_text().splitlines(keepends=True)
    (path / TRACES).write_text(lines[0] + broken + "\n" + lines[1])
    with pytest.raises(ValueError, match=r"traces\.jsonl:2: not a record of a trace \("):
        load_runs([path])


def test_a_report_names_a_cut_line(tmp_path):
    path = write_run(tmp_path / "run", [record(), record(problem=1)])
    (path / TRACES).write_text((path / TRACES).read_text()[:-30])
    with pytest.raises(ValueError, match=r"traces\.jsonl:2: not a record of a trace, cut off: `run` with the same"):
        load_runs([path])


def test_a_directory_of_runs(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name, [record(), record(problem=1)])
    assert [run.name for run in load_runs([tmp_path])] == ["a", "b"]
    assert [run.name for run in load_runs([tmp_path / "b", tmp_path / "a"])] == ["b", "a"]
    # in one directory, the run begun first is the method
    (tmp_path / "a" / SETTINGS).write_text(json.dumps(settings(name="a", started=2.0)))
    (tmp_path / "b" / SETTINGS).write_text(json.dumps(settings(name="b", started=1.0)))
    assert [run.name for run in load_runs([tmp_path])] == ["b", "a"]
    with pytest.raises(ValueError, match="runs named b, a, a; allowed: a name of its own for each"):
        load_runs([tmp_path, tmp_path / "a"])


def test_no_run(tmp_path):
    with pytest.raises(ValueError, match="no run; allowed: a directory written by `run --out`"):
        load_runs([tmp_path])


def test_zero_traces(tmp_path):
    with pytest.raises(ValueError, match="run: no traces; run it first"):
        load_runs([write_run(tmp_path / "run", [])])


def test_an_incomplete_run(tmp_path):
    path = write_run(tmp_path / "run", [record(), record(trace=1), record(problem=1)], traces=2)
    with pytest.raises(ValueError, match=r"run: 3 of 4 traces; `run` with the same arguments completes it"):
        load_runs([path])
    (run,) = load_runs([path], common=True)
    assert uids_of(run) == ["uid0"]


def test_a_run_without_any_whole_problem(tmp_path):
    path = write_run(tmp_path / "run", [record()], traces=2)
    with pytest.raises(ValueError, match="no problem has all of its 2 traces"):
        load_runs([path], common=True)


def test_problems_missing_in_one_run(tmp_path):
    whole = write_run(tmp_path / "whole", [record(), record(problem=1)])
    part = write_run(tmp_path / "part", [record(problem=1)], problems=1)
    with pytest.raises(ValueError, match=r"whole has 2 problems, part has 1, 1 are the same .*uid0"):
        load_runs([whole, part])
    assert [uids_of(run) for run in load_runs([whole, part], common=True)] == [["uid1"], ["uid1"]]


def test_a_problem_that_is_in_the_file_twice(tmp_path):
    """One copy of it lacks traces in one run: only the other is common."""
    twice = [record(), record(problem=1, uid="uid0"), record(problem=2)]
    first = write_run(tmp_path / "first", twice, problems=3)
    second = write_run(tmp_path / "second", [twice[0], twice[2]], problems=3)
    runs = load_runs([first, second], common=True)
    assert [[traces[0].problem for traces in run.problems] for run in runs] == [[0, 2], [0, 2]]


def test_no_common_problem(tmp_path):
    first = write_run(tmp_path / "first", [record()], problems=1)
    second = write_run(tmp_path / "second", [record(problem=1)], problems=1)
    with pytest.raises(ValueError, match="first, second: no problem that all of them have in full"):
        load_runs([first, second], common=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budgets": [100]}, r"budgets: \[100, 200\] there, \[100\] here"),
        (
            {"grader": {"outcome": "compute_score", "math_verify": "0.9.0"}},
            "grader.outcome: 'math_verify' there, 'compute_score' here",
        ),
        ({"mrt": {**settings()["mrt"], "branches": 8}}, "mrt.branches: 4 there, 8 here"),
        ({"data": {"file": "other.parquet", "sha256": "1"}}, "data.sha256: '000"),
    ],
)
def test_runs_that_measure_different_things(tmp_path, change, message):
    first = write_run(tmp_path / "first", [record(), record(problem=1)])
    second = write_run(tmp_path / "second", [record(), record(problem=1)], **change)
    with pytest.raises(ValueError, match=r"first \(there\) and .*second \(here\) cannot be compared: .*" + message):
        load_runs([first, second])


def test_run_json_appears_whole(tmp_path):
    with Store(tmp_path, settings()):
        stored = json.loads((tmp_path / SETTINGS).read_text())
        assert stored.pop("started") > 0
        assert stored.pop("versions")["python"].startswith("3.")
        assert stored == settings()
    assert sorted(path.name for path in tmp_path.iterdir()) == [SETTINGS, TRACES]


def test_traces_whose_settings_are_gone_are_not_taken_for_ones_own(tmp_path):
    with Store(tmp_path, settings()) as store:
        store.append(record())
    (tmp_path / SETTINGS).unlink()
    with pytest.raises(ValueError, match=r"run\.json is not there, and traces\.jsonl beside it holds traces"):
        Store(tmp_path, settings(seed=1))


@pytest.mark.parametrize("content", ["", "[]", "null", "[" * 100_000])
def test_settings_that_are_none_are_named(tmp_path, content):
    with Store(tmp_path, settings()) as store:
        store.append(record())
    (tmp_path / SETTINGS).write_text(content)
    with pytest.raises(ValueError, match=r"run\.json: not the settings of a run"):
        Store(tmp_path, settings())


WRONG_SETTINGS = (
    *(("problems", value) for value in ("2", 0, -1, 2.0, True)),
    *(("budgets", value) for value in ([None], [], "100", [0], [True])),
    *(("started", value) for value in ("yesterday", 1e300, float("nan"), -1e300, 10**400, [])),
    ("versions", ["3.11"]),
    ("sampling", []),
    ("seed", "0"),
    ("data", {"file": 1, "sha256": ""}),
    ("mrt", {**settings()["mrt"], "branches": 0}),
)


@pytest.mark.parametrize(("key", "value"), WRONG_SETTINGS)
def test_a_setting_of_another_type_is_named(tmp_path, key, value):
    """In one line that names it, instead of a traceback while the page is made."""
    path = write_run(tmp_path / "run", [record(), record(problem=1)], **{key: value})
    with pytest.raises(
        ValueError, match=rf"run\.json: not the settings of a run: {key}(\.\w+)?=.*allowed: what `run` wro"
    ):
        load_runs([path])


@pytest.mark.parametrize(
    ("key", "value", "lacking"),
    [
        ("traces", None, "traces"),
        ("data", {}, "data.file"),
        ("grader", None, "grader"),
        ("mrt", [], "mrt.prover, mrt.stop_text, mrt.branches, mrt.markers"),
    ],
)
def test_a_setting_that_is_not_there_is_named(tmp_path, key, value, lacking):
    path = write_run(tmp_path / "run", [record(), record(problem=1)], **{key: value})
    with pytest.raises(ValueError, match=rf"run\.json: not the settings of a run, it lacks {lacking}$"):
        load_runs([path])


OTHER_VALUES = (
    *(("problem", value) for value in ("0", None, 1.5, True, -1, 10**30)),
    *(("j_before", value) for value in ("0.5", float("nan"), float("inf"), 10**400)),
    ("response_tokens", -1),
    ("messages", [{"role": "user"}]),
    ("response", None),
    *((f"episodes.0.{key}", None) for key in ("end", "text", "answer_tokens")),
    ("own.score", "1"),
)


@pytest.mark.parametrize(("place", "value"), OTHER_VALUES)
def test_a_value_of_another_type_is_named(tmp_path, place, value):
    """Else it is a traceback while a page is made, or a number on it that is none."""
    path = write_run(tmp_path / "run", [record(), record(problem=1)])
    lines = [json.loads(line) for line in (path / TRACES).read_text().splitlines()]
    *inner, last = place.split(".")
    node = lines[1]
    for key in inner:
        node = node[int(key) if key.isdigit() else key]
    node[last] = value
    (path / TRACES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match=rf"traces\.jsonl:2: not a record of a trace \({last}="):
        load_runs([path])

"""What the command line takes: settings, models, problems, checkpoints."""

from pathlib import Path

import pandas as pd
import pytest

from mrt_verl.evaluation.checkpoints import find_actor, identify
from mrt_verl.evaluation.command import build_parser, main, name_models
from mrt_verl.evaluation.options import parse_arguments
from mrt_verl.evaluation.page.training import read_metrics
from mrt_verl.evaluation.problems import read_problems
from mrt_verl.evaluation.settings import kept_settings, read_reward_function, read_settings, settings_of
from tests.evaluation_records import record, write_run

ROW = {"data_source": "s", "prompt": [{"role": "user", "content": "x"}], "reward_model": {"ground_truth": "7"}}


def test_settings_are_those_of_training_with_plain_samples_at_every_boundary():
    settings = read_settings([], [])
    assert (settings.prover, settings.branches, settings.max_episodes) == ("sample", 4, 100)
    assert settings.think_close == "</think>"


def test_groups_files_and_overrides(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: {seed: 1}\nmrt:\n  markers: [Hm]\n  min_steps: 1\n")
    settings = read_settings([recipe], ["mrt_family=plain", "mrt.min_steps=5", "mrt.branches=8"])
    assert (settings.markers, settings.min_steps, settings.branches) == (("Hm",), 5, 8)
    assert settings.think_open is None
    assert settings.stop_text.startswith("\n\nI stop here.")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["branches=8"],
            "--set branches=8; allowed: reward_model, mrt_family, mrt_stop, mrt.KEY and reward.custom_reward_fun",
        ),
        (["mrt.branches"], "--set mrt.branches; allowed"),
        (["mrt_family=gpt"], "--set mrt_family=gpt: "),
        (["mrt.branches=0"], "mrt.branches=0; allowed: null or a whole number >= 1"),
        (["mrt.prover=likelihood"], "mrt.prover='likelihood'; allowed in an evaluation: sample, ht"),
    ],
)
def test_bad_settings(overrides, message):
    with pytest.raises(ValueError, match=message):
        read_settings([], overrides)


def test_a_settings_file_without_the_node(tmp_path):
    (tmp_path / "other.yaml").write_text("data: {}\n")
    with pytest.raises(ValueError, match=r"other\.yaml: no `mrt:` node"):
        read_settings([tmp_path / "other.yaml"], [])


FUNCTION = "reward.custom_reward_function"


def test_a_reward_function_is_named_as_in_training(tmp_path):
    file = tmp_path / "score.py"
    file.write_text("")
    overrides = [f"{FUNCTION}.path={file}", "mrt.outcome=compute_score", f"+{FUNCTION}.reward_kwargs.weight=2"]
    settings = read_settings([], overrides)
    function = {"path": str(file), "name": "compute_score", "reward_kwargs": {"weight": 2}}
    assert read_reward_function(overrides, settings) == function
    assert read_reward_function(["mrt.outcome=compute_score"], settings) is None
    with pytest.raises(ValueError, match=rf"{FUNCTION}\.path=.*; allowed: a Python file, or pkg://package.module"):
        read_reward_function([f"{FUNCTION}.path={tmp_path}/none.py"], settings)
    with pytest.raises(ValueError, match=r"with mrt\.outcome='math_verify'; allowed: mrt\.outcome=compute_score"):
        read_reward_function([f"{FUNCTION}.path={file}"], read_settings([], []))


@pytest.mark.parametrize(
    "overrides",
    [
        ("reward_model=mrt_backtrack", "mrt.markers=[Step]", r"mrt.step_pattern='(\d+)'", "mrt.insert_max=1"),
        ("mrt.insertion=budget_forcing", "mrt.insert_every=50", "mrt.insert_texts=[Hm]", "mrt.insert_min_left=9"),
    ],
)
def test_settings_of_a_run(overrides):
    """What run.json keeps, and an evaluation's defaults for the rest."""
    settings = read_settings([], overrides)
    assert settings_of(kept_settings(settings)) == settings
    assert "insert_max" not in kept_settings(read_settings([], []))


def test_models_have_names():
    assert name_models(["a=/x/model", "/y/base"]) == {"a": "/x/model", "base": "/y/base"}
    for taken in (["/x/model", "/y/model"], ["=x"], ["a/b=x"], ["report=x"]):
        with pytest.raises(ValueError, match="is taken or not usable; give another as NAME=…"):
            name_models(taken)


def test_engine_arguments_are_yaml():
    assert parse_arguments(["max_model_len=512", "dtype=float32", "enforce_eager=true"]) == {
        "max_model_len": 512,
        "dtype": "float32",
        "enforce_eager": True,
    }
    with pytest.raises(ValueError, match="--engine dtype; allowed: KEY=VALUE"):
        parse_arguments(["dtype"])


def test_budgets_are_sorted_numbers():
    required = ["run", "--model", "m", "--data", "d", "--out", "o", "--budgets"]
    assert build_parser().parse_args([*required, "200,100"]).budgets == [100, 200]
    with pytest.raises(SystemExit):
        build_parser().parse_args([*required, "0"])


def write(path, rows):
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_problems(tmp_path):
    several = {**ROW, "reward_model": {"ground_truth": ["7", "seven"]}}
    first, second = read_problems(write(tmp_path / "several.parquet", [several, several]))
    assert (first.index, second.index, first.uid == second.uid) == (0, 1, True)
    assert first.reference == ["7", "seven"]
    assert first.messages == [{"role": "user", "content": "x"}]
    assert len(read_problems(write(tmp_path / "one.parquet", [ROW, ROW]), limit=1)) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROW, "prompt": [{"role": "user"}]}, "row 1: prompt holds .*; allowed: messages with role and content"),
        ({**ROW, "prompt": None}, "row 1: prompt is None; allowed: messages with role and content"),
        ({**ROW, "prompt": []}, "row 1: prompt is empty"),
        ({**ROW, "reward_model": {"ground_truth": " "}}, "row 1: reward_model.ground_truth=' '; allowed: an answer"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, message):
    with pytest.raises(ValueError, match=message):
        read_problems(write(tmp_path / "data.parquet", [ROW, row]))


def test_bad_files(tmp_path):
    with pytest.raises(ValueError, match="column prompt is missing; got a"):
        read_problems(write(tmp_path / "other.parquet", [{"a": 1}]))
    with pytest.raises(ValueError, match="no problems; allowed: one row or more"):
        read_problems(write(tmp_path / "empty.parquet", pd.DataFrame([ROW]).head(0)))
    with pytest.raises(SystemExit, match=r"error: .*missing\.parquet"):
        main(["run", "--model", "m", "--data", "missing.parquet", "--budgets", "8", "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("given", ["run", "run/global_step_40", "run/global_step_40/actor"])
def test_a_verl_checkpoint_is_found(tmp_path, given):
    actor = tmp_path / "run/global_step_40/actor"
    actor.mkdir(parents=True)
    (tmp_path / "run/latest_checkpointed_iteration.txt").write_text("40\n")
    (actor / "model_world_size_1_rank_0.pt").touch()
    assert find_actor(tmp_path / given) == actor


def test_a_model_is_known_by_its_step_and_its_weights(tmp_path):
    """The path of a run stays the same while it trains on."""
    assert identify("somebody/some-model") == {}
    run = tmp_path / "run"
    found = []
    for step in ("40", "80"):
        actor = run / f"global_step_{step}/actor"
        actor.mkdir(parents=True)
        (actor / "model_world_size_1_rank_0.pt").write_bytes(b"0" * 200_000 + step.encode() + b"0" * 200_000)
        (run / "latest_checkpointed_iteration.txt").write_text(step)
        found.append(identify(str(run)))
    assert [one["step"] for one in found] == [40, 80]
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"1" * 1000)
    before = identify(str(model))
    assert identify(str(model)) == before and set(before) == {"fingerprint"}
    (model / "model.safetensors").write_bytes(b"1" * 999 + b"2")
    assert identify(str(model)) != before


def test_a_model_is_no_checkpoint(tmp_path):
    (tmp_path / "model.safetensors").touch()
    assert find_actor(tmp_path) is None
    assert find_actor(Path("somebody/some-model")) is None


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"step": Infinity, "data": {}}', '{"step": 1, "data": {"a": 1%s}}' % ("0" * 400)]
)
def test_metrics_that_no_float_holds_are_named(tmp_path, line):
    log = tmp_path / "metrics.jsonl"
    log.write_text(f'{line}\n{{"step": 1, "data": {{"a": 3}}}}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl:1: not"):
        read_metrics(log)


def test_a_page_of_half_a_character(tmp_path, capsys):
    """JSON can spell it, an endpoint may send it, and no UTF-8 file takes it."""
    path = write_run(tmp_path / "run", [record(reference="7\ud83d"), record(problem=1)])
    main(["report", str(path)])
    assert "7\\ud83d" in (path / "report/index.html").read_text(encoding="utf-8")

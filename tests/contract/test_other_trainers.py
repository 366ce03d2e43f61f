"""Trainers of verl other than the synchronous one: what ends before Ray starts, and in which line."""

import subprocess
import sys

import pytest

from mrt_verl.hooks.checks import machine
from mrt_verl.settings import MRTSettings
from tests.builders import ROOT

INSTEAD = "; allowed: python -m verl.trainer.main_ppo reward_model=mrt … trainer.v1.trainer_mode=separate_async"
COMMANDS = {
    "use_v1=False": (
        ("verl.trainer.main_ppo", "trainer.use_v1=False"),
        "trainer.use_v1=False; allowed: True. verl's older trainers do not hand a rollout's own rewards on",
    ),
    "one_step_off_policy": (
        ("verl.experimental.one_step_off_policy.main_ppo",),
        "the node rollout is that of verl's one_step_off_policy, which does not hand a rollout's own rewards on"
        + INSTEAD,
    ),
    "fully_async_policy": (
        ("verl.experimental.fully_async_policy.fully_async_main",),
        "the node async_training is that of verl's fully_async_policy, which chooses agent loops of its own" + INSTEAD,
    ),
}
"""Module and overrides, and the line."""


@pytest.mark.parametrize("trainer", COMMANDS)
def test_it_ends_in_one_line_before_ray(good_words, tmp_path, trainer):
    """Started as a user starts it."""
    (module, *overrides), line = COMMANDS[trainer]
    command = [sys.executable, "-W", "ignore", "-m", module, "reward_model=mrt", *good_words.words, *overrides]
    done = subprocess.run(
        [*command, f"hydra.run.dir={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 1
    told = [one for one in done.stderr.splitlines() if one.startswith("reward_model=mrt: ")]
    assert told == [f"reward_model=mrt: {line}"]
    assert "Traceback" not in done.stderr
    assert "ray init kwargs" not in done.stdout  # verl prints them when it starts Ray


@pytest.mark.parametrize(
    ("platform", "backend", "told"),
    [
        ("", "nccl", None),
        ("", "naive", "backend=naive with trainer_mode=separate_async; allowed: nccl, nixl, mooncake or another"),
        ("", "gloo", "backend=gloo with trainer_mode=separate_async; allowed: nccl, nixl, mooncake or another"),
        ("cpu", "gloo", None),
        ("cpu", "nccl", "backend=nccl with trainer_mode=separate_async and VERL_PLATFORM=cpu; allowed: gloo"),
        ("cpu", "naive", "backend=naive with trainer_mode=separate_async and VERL_PLATFORM=cpu; allowed: gloo"),
    ],
)
def test_weights_reach_replicas_of_their_own(compose, monkeypatch, platform, backend, told):
    monkeypatch.setenv("VERL_PLATFORM", platform)
    words = ("reward_model=mrt", f"actor_rollout_ref.rollout.checkpoint_engine.backend={backend}")

    def lines(*overrides):
        return list(machine.check_checkpoint_engine(MRTSettings(), compose(*words, *overrides)))

    assert lines() == []  # the other trainers' replicas share the trainer's processes
    mode = "trainer.v1.trainer_mode=separate_async"
    found = lines(mode)
    assert found == [] if told is None else len(found) == 1 and told in found[0]
    assert lines(mode, "actor_rollout_ref.rollout.checkpoint_engine.custom_backend_module=mine.engine") == []


def test_updates_of_a_step_have_the_old_log_probs_of_one_policy(compose, monkeypatch):
    """On a CPU `.cpu()` copies nothing: verl would restore the weights that it has just trained."""
    mode, updates = "trainer.v1.trainer_mode=separate_async", "trainer.v1.separate_async.parameter_sync_step="

    def lines(*overrides):
        return list(machine.check_updates(MRTSettings(), compose("reward_model=mrt", *overrides)))

    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    (line,) = lines(mode, updates + "4")
    assert line.startswith(
        "trainer.v1.separate_async.parameter_sync_step=4 with VERL_PLATFORM=cpu; allowed: 1, or "
        "algorithm.rollout_correction.bypass_mode=True. "
    )
    assert lines(updates + "4") == lines(mode, updates + "1") == []
    assert lines(mode, updates + "4", "algorithm.rollout_correction.bypass_mode=True") == []
    monkeypatch.setenv("VERL_PLATFORM", "")
    assert lines(mode, updates + "4") == []

"""OpenRLHF's command line against MRT's settings, and the recipe that starts it; OpenRLHF is not imported."""

import math
import os
import re
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from mrt_verl.openrlhf.__main__ import AGENT, check, main
from mrt_verl.openrlhf.config import read_config
from mrt_verl.openrlhf.reward_range import largest_reward
from mrt_verl.openrlhf.scalar import group_rewards
from mrt_verl.trace import Trace
from tests.builders import ROOT, default_settings, graded_record

RECIPE = ROOT / "recipes/openrlhf_r1_1.5b"
FAKE_PYTHON = """#!/bin/sh
if [ "$2" = mrt_verl.openrlhf ]; then exec {python} "$@"; fi
printf '%s\\n' "$@"
"""


def recipe_words(arm, tmp_path, *further):
    """What the recipe's run.sh starts, word by word, or what it says instead."""
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    environment = {**os.environ, "ARM": arm, "PYTHON": str(python)}
    return subprocess.run(
        ["bash", RECIPE / "run.sh", *further], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arm", ["mrt", "mrt_prefix"])
def test_the_recipe_starts_openrlhf_with_the_sizes_of_verls(arm, tmp_path):
    started = recipe_words(arm, tmp_path)
    assert started.returncode == 0, started.stderr
    words = started.stdout.splitlines()
    assert words[:4] == ["-m", "openrlhf.cli.train_ppo_ray", "--train.agent_func_path", str(AGENT)]
    verl = OmegaConf.load(ROOT / "recipes/r1_distill_qwen_1.5b/common.yaml")
    actor, rollout = verl.actor_rollout_ref.actor, verl.actor_rollout_ref.rollout
    for option, value in {
        "rollout.batch_size": verl.data.train_batch_size,
        "rollout.n_samples_per_prompt": rollout.n,
        "train.batch_size": verl.data.train_batch_size * rollout.n,
        "rollout.temperature": rollout.temperature,
        "rollout.max_new_tokens": verl.data.max_response_length,
        "actor.adam.lr": actor.optim.lr,
        "actor.adam.weight_decay": actor.optim.weight_decay,
        "actor.lr_warmup_ratio": actor.optim.lr_warmup_steps_ratio,
        "eval.steps": verl.trainer.test_freq,
        "ckpt.save_steps": verl.trainer.save_freq,
        "actor.num_gpus_per_node": verl.trainer.n_gpus_per_node,
    }.items():
        assert float(words[words.index(f"--{option}") + 1]) == value, option
    length = int(words[words.index("--data.max_len") + 1])
    assert length >= verl.data.max_prompt_length + verl.data.max_response_length + 128  # stop text, forced answer
    settings = read_config(RECIPE / f"{arm}.yaml").settings
    assert settings.bonus_norm == "rms" and settings.variant == {"mrt": "online"}.get(arm, "prefix")


def test_the_recipe_refuses_what_would_train_something_else(tmp_path):
    started = recipe_words("mrt", tmp_path, "--rollout.temperature", "1.0", "--algo.kl.init_coef", "0.01")
    assert started.returncode == 2 and not started.stdout
    assert "refused: --rollout.temperature 1.0 with openrlhf.temperature=0.9" in started.stderr
    assert "refused: --algo.kl.init_coef 0.01; allowed: 0, or --algo.kl.use_loss" in started.stderr


def test_the_recipe_is_described_as_the_others_are():
    readme = (RECIPE / "README.md").read_text()
    for heading in ("Cost", "Data", "Train", "Evaluate", "What to expect", "Run here"):
        assert f"\n## {heading}\n" in readme, heading


GOOD = (
    *("--data.max_len=600", "--rollout.max_new_tokens=400", "--data.label_key=reward_model", "--eval.dataset=e"),
    *("--rollout.n_samples_per_prompt=4", "--vllm.num_engines=1", "--vllm.enable_prefix_caching"),
    *("--algo.advantage.estimator=dr_grpo", "--algo.kl.init_coef=0", "--algo.advantage.is_correction_level=token"),
    "--actor.model_name_or_path=m",
)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], None),
        (["--algo.advantage.estimator", "group_norm"], "--algo.advantage.estimator group_norm; allowed: dr_grpo"),
        (["--algo.advantage.is_correction_level", "off"], "is_correction_level off with mrt.prover='ht'"),
        (["--rollout.n_samples_per_prompt", "8"], "n_samples_per_prompt 8 with openrlhf.n_samples_per_prompt=4"),
        (["--eval.temperature", "1.0"], "--eval.n_samples_per_prompt 4 --eval.temperature 1; allowed: another"),
        (["--eval.temperature", "1.0", "--eval.n_samples_per_prompt", "2"], None),
        (["--algo.kl.init_coef", "0.1"], "--algo.kl.init_coef 0.1; allowed: 0, or --algo.kl.use_loss"),
        (["--algo.kl.init_coef", "0.1", "--algo.kl.use_loss"], None),
        (["--reward.overlong_buffer_len", "64"], "--reward.overlong_buffer_len 64; allowed: none"),
        (["--reward.stop_properly_penalty_coef", "-0.5"], "--reward.stop_properly_penalty_coef -0.5; allowed: none"),
        (["--reward.clip_range", "-3.3", "3.3"], None),
        (
            ["--reward.clip_range", "0", "1"],
            "clip_range 0 1 with openrlhf.n_samples_per_prompt=4, mrt.alpha=1; allowed",
        ),
        (["--reward.clip_range", "-10", "3.2"], "allowed: --reward.clip_range -3.3 3.3, or a wider one"),
        (["--reward.clip_range", "nan", "nan"], "--reward.clip_range nan nan with"),
        (["--reward.clip_range", "3"], "--reward.clip_range: expected 2 arguments"),
        (["--reward.normalize_enable"], None),
        (
            ["--reward.overlong_buffer", "256"],
            "--reward.overlong_buffer, short for --reward.overlong_buffer_len; allowed",
        ),
        (["--reward.overlong_buffer=256"], "--reward.overlong_buffer, short for --reward.overlong_buffer_len; allowed"),
        (["--rollout.temp", "0.5"], "--rollout.temp, short for --rollout.temperature; allowed: the whole name"),
        (["--algo.kl", "0"], "--algo.kl, short for --algo.kl.init_coef or --algo.kl.use_loss; allowed"),
        (["--actor.model", "m", "--data.input_template", "--"], None),
        (["--data.max_len", "430"], "--data.max_len 430 with --rollout.max_new_tokens 400; allowed: more than 433"),
        (["--data.max_images_per_prompt", "1"], "--data.max_images_per_prompt 1; allowed: 0"),
        (["--vllm.num_engines", "0"], "--vllm.num_engines 0; allowed: 1 or more"),
        (["--vllm.num_engines", "many"], "--vllm.num_engines: invalid int value: 'many'"),
        (["--train.agent_func_path", "mine.py"], "--train.agent_func_path mine.py; allowed: /.*agent.py"),
    ],
)
def test_openrlhfs_command_line_is_checked(tmp_path, words, said):
    path = tmp_path / "mrt.yaml"
    path.write_text("mrt: {prover: ht}\nopenrlhf: {n_samples_per_prompt: 4}\n")
    problems = check(str(path), [*GOOD, *words])
    assert len(problems) == (said is not None)
    assert said is None or re.search(said, problems[0])


def test_openrlhfs_default_clips_no_reward_of_an_ordinary_run(tmp_path):
    """31 / sqrt(32) = 5.480 and sqrt(31) = 5.568 are 11.05; of 16 rollouts 3.75 + 3.87."""
    path = tmp_path / "mrt.yaml"

    def problems(n, alpha):
        path.write_text(f"mrt: {{alpha: {alpha}}}\nopenrlhf: {{n_samples_per_prompt: {n}}}\n")
        return check(str(path), [*GOOD, "--rollout.n_samples_per_prompt", str(n)])

    assert problems(8, 1.0) == problems(16, 1.0) == problems(8, 2.5) == problems(32, 0.5) == []
    (line,) = problems(32, 1.0)
    assert line.startswith("--reward.clip_range -10 10 with openrlhf.n_samples_per_prompt=32, mrt.alpha=1; allowed: ")
    assert "--reward.clip_range -11.1 11.1, or a wider one" in line


def paid(*rollouts, **settings):
    """Rewards of rollouts (outcome, progress, kind)."""
    records = []
    for outcome, progress, kind in rollouts:
        steps = [] if progress is None else [(0, 0, progress)]
        episodes = [] if progress is None else [(0, 0, 4)]
        records.append(
            graded_record(
                **{"outcome": outcome, "progress": steps, "episodes": episodes, "kind": kind, "answer_start": 4},
                **{"js": [], "forced": [], "alpha": settings["alpha"]},
            )
        )
    group = [(Trace([1] * 6, [1] * 6, [0.0] * 6), record) for record in records]
    return group_rewards(group, default_settings(**settings))


def test_the_largest_reward():
    """Worked out by hand: the one right rollout of four, and what its bonus can be beside it.

    GRPO(1, 0, 0, 0): 3/4 over a deviation of 1/2, 1.5. S = 3/4, -1/4, -1/4, -1/4, as J_{-1} = 1/4 makes it: RMS
    sqrt((9 + 3) / 64) = sqrt(3) / 4, so the first is sqrt(3) of it. `none`: S = 1, -1, -1, -1, the mean is -1/2. Mode
    paper: p = 1, 0, 0, 0 is normalised as the outcome is. one_episode: two of each kind, 1/2 over sqrt(1/2).
    """
    trace, other = (1.0, 0.75, "trace"), (0.0, -0.25, "trace")
    rms = {"bonus_norm": "rms", "credit": "progress", "alpha": 2.0}
    assert paid(trace, *[other] * 3, **rms)[0] == pytest.approx(1.5 + 2 * math.sqrt(3), abs=1e-4)
    assert largest_reward(default_settings(**rms), 4) == pytest.approx(1.5 + 2 * math.sqrt(3))
    none = {**rms, "bonus_norm": "none"}
    assert paid((1.0, 1.0, "trace"), *[(0.0, -1.0, "trace")] * 3, **none)[0] == pytest.approx(1.5 + 2 * 1.5, abs=1e-4)
    assert largest_reward(default_settings(**none), 4) == pytest.approx(4.5)
    paper = {"variant": "prefix", "prefix_mode": "paper", "alpha": 2.0}
    assert paid((1.0, 1.0, "continued"), *[(0.0, None, "forced")] * 3, **paper)[0] == pytest.approx(4.5, abs=1e-4)
    assert largest_reward(default_settings(**paper), 4) == pytest.approx(4.5)
    one = {"variant": "prefix", "prefix_mode": "one_episode", "alpha": 4.0}
    pairs = (1.0, None, "trace"), (0.0, None, "trace"), (1.0, None, "one_episode"), (0.0, None, "one_episode")
    assert max(paid(*pairs, **one)) == pytest.approx(4 * math.sqrt(0.5), abs=1e-4)
    assert largest_reward(default_settings(**one), 4) == pytest.approx(4 * math.sqrt(0.5))
    assert largest_reward(default_settings(**{**one, "alpha": 0.5}), 4) == 1.5  # all four plain


def test_expensive_options_are_a_warning(tmp_path, capsys):
    path = tmp_path / "mrt.yaml"
    path.write_text("mrt: {prover: ht}\nopenrlhf: {n_samples_per_prompt: 4}\n")
    words = [word for word in GOOD if word != "--vllm.enable_prefix_caching"]
    assert main([str(path), *words, "--train.full_determinism_enable"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(AGENT)
    assert "every forced answer computes its whole trace anew" in said.err
    assert "--train.full_determinism_enable without mrt.seed" in said.err


def test_each_test_that_the_docs_name_is_there():
    text = (ROOT / "docs/openrlhf.md").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "tests/contract").glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 10 and not {name for name in named if f"def {name}(" not in tests}
    cases = [one for cell in re.findall(r"hosts: ((?:`[^`]+`(?:, )?)+)", text) for one in re.findall("`([^`]+)`", cell)]
    hosts = (ROOT / "tests/contract/test_hosts.py").read_text()
    assert not {one for one in cases if not one.startswith("test_") and f'    "{one}": case(' not in hosts}
    assert not {path for path in re.findall(r"tests/[\w/.]+", text) if not (ROOT / path.rstrip(".")).exists()}

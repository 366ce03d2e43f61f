"""The plugin in a fresh process, as verl loads it: every name resolves, nothing heavy comes along."""

import subprocess
import sys

import pytest


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    import os

    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=180,
    )


def test_importing_the_package_pulls_nothing_heavy():
    result = run("import sys, mrt_verl; print(sorted({'torch', 'verl', 'numpy', 'hydra', 'wrapt'} & set(sys.modules)))")
    assert result.stdout.strip() == "[]", result.stderr


def test_importing_verl_loads_the_plugin_and_none_of_its_parts():
    result = run("import sys, verl; print(sorted(name for name in sys.modules if name.startswith('mrt_verl')))")
    assert result.stdout.strip() == "['mrt_verl', 'mrt_verl.log', 'mrt_verl.platforms', 'mrt_verl.register']", (
        result.stderr
    )


def test_every_name_resolves():
    result = run(
        "from verl.trainer.ppo.core_algos import get_adv_estimator_fn\n"
        "from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls\n"
        "from verl.experimental.agent_loop.agent_loop import _agent_loop_registry\n"
        "from verl.utils.import_utils import load_extern_type, load_class_from_fqn\n"
        "print(get_adv_estimator_fn('mrt').__module__, get_reward_manager_cls('mrt').__module__,\n"
        "      _agent_loop_registry['mrt']['_target_'],\n"
        "      load_extern_type('pkg://mrt_verl.hooks.replay_buffer', 'build_replay_buffer').__name__,\n"
        "      load_class_from_fqn('mrt_verl.hooks.loop_manager.MRTAgentLoopManager').__name__)"
    )
    assert result.stdout.split() == [
        "mrt_verl.hooks.advantage",
        "mrt_verl.hooks.reward_manager",
        "mrt_verl.hooks.loops.build_agent_loop",
        "build_replay_buffer",
        "MRTAgentLoopManager",
    ], result.stderr


def test_warnings_are_heard_after_vllm_has_silenced_the_root_logger():
    warn = "logging.getLogger('mrt_verl.some.part').warning('a branch failed: %r', n)"
    result = run(
        "import verl, logging\n"
        "import vllm.entrypoints.openai.api_server\n"
        f"for n in range(11): {warn}\n"
        "logging.getLogger('mrt_verl').info('not asked for')\n"
        "print('root', logging.getLogger().level)",
        VERL_PLATFORM="cpu",
    )
    heard = [line for line in result.stderr.splitlines() if "mrt-verl:" in line]
    assert heard == [
        "WARNING mrt-verl: a branch failed: 0",
        "WARNING mrt-verl: a branch failed: 9 (for the 10th time)",
    ], result.stderr
    result = run("import verl, logging; logging.getLogger('mrt_verl').info('asked for')", MRT_LOG_LEVEL="info")
    assert "INFO mrt-verl: asked for" in result.stderr


def test_nothing_of_the_cpu_is_loaded_on_another_platform():
    code = "import sys, verl, verl.plugin.platform, verl.workers.rollout.replica; print('mrt_verl.cpu' in sys.modules)"
    assert run(code, VERL_PLATFORM="nvidia").stdout.strip() == "False"


def test_the_cpu_platform():
    result = run(
        "import verl, torch, importlib.metadata as metadata\n"
        "from verl.plugin.platform import get_platform\n"
        "from verl.utils.device import get_device_name, get_torch_device\n"
        "torch.zeros(1).to(get_platform().current_device())\n"
        "print(get_device_name(), type(get_platform()).__module__, metadata.version('vllm'),\n"
        "      get_torch_device().memory_allocated() > 1e6)\n"
        "from verl.checkpoint_engine import CheckpointEngineRegistry\n"
        "print(CheckpointEngineRegistry.get('gloo').__module__)",
        VERL_PLATFORM="cpu",
    )
    name, module, version, memory, engine = result.stdout.split()
    assert (name, module, memory) == ("cpu", "mrt_verl.cpu.platform", "True"), result.stderr
    assert engine == "mrt_verl.cpu.checkpoint_engine"
    assert version.endswith("+cpu")


@pytest.mark.parametrize(("argument", "status"), [("reward_model=mrt", 1), ("trainer.nnodes=1", 0)])
def test_a_part_that_cannot_be_loaded_stops_only_a_run_that_asks_for_mrt(argument, status):
    result = run(
        f"import sys; sys.argv = ['main_ppo', {argument!r}]; sys.modules['mrt_verl.hooks.advantage'] = None\n"
        "import verl.trainer.ppo.core_algos"
    )
    assert result.returncode == status, result.stderr
    assert ("reward_model=mrt: mrt_verl.hooks.advantage could not be loaded" in result.stderr) == bool(status)

"""What starts without the deployment's packages, and what a command says of one that is not installed."""

import itertools
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import mrt_verl
from mrt_verl.extras import EXTRAS, explain_missing

ROOT = Path(__file__).parents[2]
DEPLOYMENT = ("torch", "vllm", "verl", "ray", "transfer_queue", "tensordict")
HEAVY = (
    *DEPLOYMENT,
    "transformers",
    "numpy",
    "pandas",
    "pyarrow",
    "datasets",
    "matplotlib",
    "hydra",
    "sympy",
    "asyncio",
)
BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def run(code: str, *, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh Python in which some packages are as if not installed."""
    code = BLOCKED.format(names=set(without) or "()") + code
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)


def command(module: str, *arguments: str, without: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run `python -m module arguments` that way."""
    code = f"import runpy; sys.argv = {['command', *arguments]}; runpy.run_module({module!r}, run_name='__main__')"
    return run(code, without=without)


@pytest.mark.parametrize("name", ["mrt_verl", "mrt_verl.register"])
def test_what_every_ray_worker_imports_loads_nothing_heavy(name):
    done = run(f"import os; os.environ.pop('VERL_PLATFORM', None); import {name}; print(sorted(sys.modules))")
    assert done.returncode == 0, done.stderr
    heavy = [
        module
        for module in HEAVY
        if f"'{module}'" in done.stdout and (name, module) != ("mrt_verl.register", "asyncio")
    ]
    assert heavy == []
    assert f"'{name}'" in done.stdout


def test_public_names_load_from_their_modules_without_the_deployment():
    done = run(
        "import mrt_verl\n"
        "assert not [name for name in mrt_verl.__all__ if name in vars(mrt_verl)]\n"
        "for name in mrt_verl.__all__: print(name, getattr(mrt_verl, name).__module__)\n"
        "from mrt_verl import *\nassert compute_progress is mrt_verl.compute_progress",
        without=DEPLOYMENT,
    )
    assert done.returncode == 0, done.stderr
    homes = dict(line.split() for line in done.stdout.splitlines())
    assert list(homes) == mrt_verl.__all__ == sorted(mrt_verl.__all__)
    assert all(home.startswith("mrt_verl.") for home in homes.values())


def test_the_docstring_runs_without_the_deployment():
    done = run(
        "import doctest, mrt_verl\nresult = doctest.testmod(mrt_verl)\nassert result.attempted >= 4, result\n"
        "assert not result.failed",
        without=DEPLOYMENT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_map_names_every_module():
    modules = {path.name for path in (ROOT / "mrt_verl").glob("*.py")} - {"__init__.py"}
    folders = {f"{path.parent.name}/" for path in (ROOT / "mrt_verl").glob("*/__init__.py")}
    assert sorted(name for name in modules | folders if name not in str(mrt_verl.__doc__)) == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'compute_nothing'"):
        mrt_verl.compute_nothing  # noqa: B018
    assert {*mrt_verl.__all__, "__version__"} <= set(dir(mrt_verl))


@pytest.mark.parametrize("module", ["data_prep", "mrt_verl.evaluation", "mrt_verl.inspect"])
def test_help_needs_nothing_that_an_extra_brings(module):
    done = command(module, "--help", without=(*DEPLOYMENT, *itertools.chain(*EXTRAS.values())))
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


@pytest.mark.parametrize(
    ("module", "arguments", "package", "line"),
    [
        ("data_prep", ["search_task", "--out", "{out}"], "pyarrow", 'pip install "mrt-verl[data]"'),
        ("data_prep", ["champ", "--out", "{out}"], "champ_dataset", 'pip install "mrt-verl[data]"'),
        ("data_prep", ["gsm8k", "--out", "{out}"], "huggingface_hub", 'pip install "mrt-verl[data]"'),
        ("data_prep", ["reasoning_gym", "--task", "chain_sum", "--out", "{out}"], "reasoning_gym", "mrt-verl[data]"),
        (
            "mrt_verl.evaluation",
            ["run", *["--model", "m", "--budgets", "8", "--out", "o", "--data", "d"]],
            "hydra",
            "mrt-verl[eval]",
        ),
        ("data_prep", ["search_task", "--out", "{out}"], "tqdm", 'pip install "mrt-verl[data]"'),
        ("mrt_verl.inspect", ["--model", "m", "--data", "d", "--out", "{out}"], "hydra", "mrt-verl[eval]"),
        ("mrt_verl.evaluation", ["report", "{out}"], "tqdm", 'pip install "mrt-verl[eval]"'),
    ],
)
def test_a_package_that_is_not_installed_is_one_line_that_names_the_extra(tmp_path, module, arguments, package, line):
    arguments = [argument.format(out=tmp_path) for argument in arguments]
    done = command(module, *arguments, without=(package,))
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert package in lines[0]
    assert line in lines[0]


def test_a_module_of_our_own_that_is_missing_is_no_matter_of_extras():
    error = ModuleNotFoundError("No module named 'mrt_verl.nothing'", name="mrt_verl.nothing")
    with pytest.raises(ModuleNotFoundError) as raised:
        explain_missing(error, "eval")
    assert raised.value is error


def test_the_commands_own_extra_is_named_first():
    error = ModuleNotFoundError("No module named 'pyarrow.lib'", name="pyarrow.lib")
    assert "mrt-verl[eval]" in explain_missing(error, "eval")
    assert "mrt-verl[data]" in explain_missing(error, "data")
    other = ModuleNotFoundError("No module named 'left_pad'", name="left_pad")
    assert explain_missing(other, "eval") == "left_pad is not installed"
    assert "mrt-verl[vllm]" in explain_missing(ModuleNotFoundError("…", name="vllm"), "eval")


@pytest.mark.parametrize("extra", ["data", "eval"])
def test_every_package_of_an_extra_is_known_to_the_error_line(extra):
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][extra]
    modules: dict[str, set[str]] = {}
    for module, packages in metadata.packages_distributions().items():
        for package in packages:
            modules.setdefault(package.lower().replace("_", "-"), set()).add(module)
    for requirement in listed:
        package = requirement.partition("=")[0].rstrip(">").lower().replace("_", "-")
        assert modules[package] & set(EXTRAS[extra]), requirement

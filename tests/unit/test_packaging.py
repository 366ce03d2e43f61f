"""The wheel holds all that users need: built from a source distribution, as `python -m build` does it."""

import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import mrt_verl

ROOT = Path(__file__).parents[2]
PACKAGES = ("mrt_verl", "data_prep")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of a clean copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("tests", "recipes"):  # there to be left out
        (source / folder).mkdir()
        (source / folder / "__init__.py").touch()
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation"], cwd=source, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (path,) = (source / "dist").glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def unpacked(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    wheel.extractall(folder)
    return folder


def run(unpacked: Path, code: str) -> str:
    """Run code with the packages of the wheel, away from the sources."""
    code = f"import sys; sys.path.insert(0, {str(unpacked)!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", code], cwd=unpacked, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def metadata_of(wheel: zipfile.ZipFile, file: str) -> str:
    (name,) = (name for name in wheel.namelist() if name.endswith(f".dist-info/{file}"))
    return wheel.read(name).decode()


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel):
    sources = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == sources
    assert {"mrt_verl/conf/reward_model/mrt.yaml", "mrt_verl/py.typed", "data_prep/reasoning_gym_score.py"} <= held
    assert {".html", ".py", ".typed", ".yaml"} <= {Path(name).suffix for name in held}


def test_entry_points_version_and_extras(wheel):
    points = metadata_of(wheel, "entry_points.txt")
    assert "mrt-data = data_prep.__main__:main" in points
    assert "mrt-eval = mrt_verl.evaluation.__main__:main" in points
    assert "mrt = mrt_verl.register" in points.partition("[verl.plugins]")[2]
    about = HeaderParser().parsestr(metadata_of(wheel, "METADATA"))
    assert about["Version"] == mrt_verl.__version__
    assert {"cpu", "vllm", "eval", "data", "test"} <= set(about.get_all("Provides-Extra", []))
    plain = [one for one in about.get_all("Requires-Dist", []) if "extra ==" not in one]
    assert sorted(one.partition(">")[0] for one in plain) == ["math-verify", "numpy", "wrapt"]


def test_the_wheel_composes_and_has_its_commands(unpacked):
    out = run(
        unpacked,
        "import importlib.resources as r, mrt_verl, data_prep.reasoning_gym_score as s\n"
        "from hydra import compose, initialize_config_module\n"
        "with initialize_config_module('mrt_verl.conf', version_base=None):\n"
        "    print(compose(overrides=['+reward_model=mrt']).mrt.prover)\n"
        "print(mrt_verl.__file__, s.__file__)\n"
        "from data_prep.__main__ import main\n"
        "main(['search_task', '--out', 'out', '--limit', '3'])",
    )
    prover, files, rows = out.splitlines()[0], out.splitlines()[1], out.splitlines()[-1]
    assert prover
    assert all(file.startswith(str(unpacked)) for file in files.split())
    assert rows == "3 problems in out/train.parquet"

"""The house: who imports what, how long files and functions are, and that nothing goes round in circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mrt_verl

PACKAGE = Path(mrt_verl.__file__).parent
ROOT = PACKAGE.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("mrt_verl", "data_prep")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
AT_HOME_IN_VERL = ("mrt_verl.hooks", "mrt_verl.cpu", "data_prep.suffix_dataset")
HOSTS = {"verl": AT_HOME_IN_VERL, "transfer_queue": AT_HOME_IN_VERL, "openrlhf": ("mrt_verl.openrlhf",)}
"""Packages of a host, and where they may be named: verl's in hooks/, in cpu/, which adds to it, and in data_prep's
dataset for its trainer."""
PURE = ("episodes", "markers", "token_text", "progress", "settings", "setting_checks", "registry", "sampling_params")
"""Modules of mrt_verl on the ground floor: they import none but each other."""
LIGHT = ("torch", "vllm", "ray", "transformers", "verl")
"""What a laptop need not have to split, grade, prepare data and read reports."""


def imports(path: Path, *, at_import: bool = False) -> set[str]:
    """Modules that a file imports; `at_import`: not those inside its functions, nor those for type checkers alone."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{name.name}" for name in node.names}
            found.update(names if names <= set(MODULES) else {node.module, *names})
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name in MODULES}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_host_is_named_in_its_rooms_alone(name):
    named = {one.split(".")[0] for one in imports(MODULES[name])} & set(HOSTS)
    assert not {host for host in named if not name.startswith(HOSTS[host])}


def test_no_import_circle():
    """Imports inside functions count as well; a package's __init__ that only lists its modules does not."""
    graph = {name: ours(imports(path)) - {name} for name, path in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError with the modules of the circle


@pytest.mark.parametrize("name", PURE)
def test_no_arrow_from_the_ground_floor_up(name):
    allowed = {f"mrt_verl.{one}" for one in PURE}
    assert ours(imports(MODULES[f"mrt_verl.{name}"])) <= allowed


def test_what_a_laptop_needs_imports_nothing_heavy():
    """Nor does anything that it imports, at import time."""
    todo = ["mrt_verl.evaluation.command", "mrt_verl.evaluation.reporting", "mrt_verl.progress", "data_prep.__main__"]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        found = imports(MODULES[name], at_import=True)
        assert not {one for one in found if one.split(".")[0] in LIGHT}, name
        todo += ours(found)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_files_and_functions_are_short(name):
    text = MODULES[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert len(body_lines(node)) < 40, f"{node.name} in {name}"


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    """Lines of a function without its docstring and signature."""
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        start = first.end_lineno + 1
    else:
        start = first.lineno
    return range(start, function.end_lineno + 1)


TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", TESTS, ids=[str(path.relative_to(ROOT)) for path in TESTS])
def test_tests_import_helpers_never_tests(path):
    """What several tests share is no test, and pytest alone loads a conftest."""
    parts = {part for name in imports(path) for part in name.split(".") if name.split(".")[0] == "tests"}
    assert not {part for part in parts if part.startswith("test_") or part == "conftest"}

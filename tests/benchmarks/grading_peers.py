"""Other graders' own test suites, read from copies on disk and never run: what they expect, not how they get there.

A folder holds one folder per peer with its test files (Python): parametrised tables with `gold, pred, expected`, tables
of pairs in tests named `…correct…` and `…incorrect…`, and `assertTrue(is_equiv(a, b))` with its assignments. Rows that
set an option of the peer's to another value than its default are left out.
"""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grading_sets import Case

_EXPECTED = ("expected", "result")
_OPTIONS = {"strict": True, "allow_set_relation_comp": False, "precision": 6}
"""Options of Math-Verify's tests and their defaults."""


def peers(folder: Path) -> dict[str, list[Case]]:
    """The cases by peer, without repetitions."""
    sets: dict[str, list[Case]] = {}
    for one in sorted(path for path in folder.iterdir() if path.is_dir()):
        cases = [case for file in sorted(one.rglob("*.py")) for case in _cases(file)]
        sets[f"{one.name}'s tests"] = list(dict.fromkeys(cases))
    return sets


def _cases(file: Path) -> Iterator[Case]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\$" in their strings
        tree = ast.parse(file.read_text(encoding="utf-8").expandtabs(4))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                yield from _parametrised(decorator, node.name)
            yield from _asserted(node)


def _parametrised(decorator: ast.expr, test: str) -> Iterator[Case]:
    if not isinstance(decorator, ast.Call) or len(decorator.args) < 2 or not isinstance(decorator.args[1], ast.List):
        return
    names = [name.strip() for name in str(_value(decorator.args[0])).split(",")]
    for element in decorator.args[1].elts:
        values = _value(element)
        if isinstance(values, tuple) and names == ["output_pair"] and None not in values:
            yield _case(test, values[0], values[1], "incorrect" not in test)
        elif isinstance(values, tuple) and {"gold", "pred"} <= set(names) and len(values) == len(names):
            row = dict(zip(names, values, strict=True))
            if all(row.get(name, default) == default for name, default in _OPTIONS.items()):
                yield _case(test, row["gold"], row["pred"], bool(next(row[name] for name in _EXPECTED if name in row)))


def _asserted(test: ast.FunctionDef) -> Iterator[Case]:
    given: dict[str, Any] = {}
    for node in test.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            given[node.targets[0].id] = _value(node.value)
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr.startswith("assert"):
            if not call.args or not isinstance(call.args[0], ast.Call):
                continue
            one, other = (given.get(arg.id) for arg in call.args[0].args if isinstance(arg, ast.Name))
            yield _case(test.name, other, one, call.func.attr == "assertTrue")


def _case(test: str, reference: Any, answer: Any, is_right: bool) -> Case:
    return Case(test, str(reference), str(answer), is_right, is_bare="boxed" not in str(answer))


def _value(node: ast.expr) -> Any:
    """A literal's value, or that of plain arithmetic on literals; None for anything else."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        if isinstance(node, ast.Tuple):
            return tuple(_value(element) for element in node.elts)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return _value(node.left) / _value(node.right)
        return None

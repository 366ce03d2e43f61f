"""Runs a notebook's cells in order in this process, as a kernel would: `await` at the top level, one namespace."""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import sys
from pathlib import Path
from typing import Any


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def run(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The namespace after the last cell, and what each cell printed; a cell's exception names its number."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    with asyncio.Runner() as runner:
        for number, cell in enumerate(code_cells(path)):
            file = f"{path.name} cell {number}"
            code = compile("".join(cell["source"]), file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                result = eval(code, names)
                if inspect.iscoroutine(result):
                    runner.run(result)
            printed.append(out.getvalue())
    return names, printed


def store_outputs(path: Path) -> None:
    """Write what the cells print into the notebook, so that it can be read without being run."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    _, printed = run(path)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, text) in enumerate(zip(cells, printed, strict=True), start=1):
        cell["execution_count"] = number
        lines = text.splitlines(keepends=True)
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":  # python -m tests.notebooks docs/tour.ipynb
    store_outputs(Path(sys.argv[1]))

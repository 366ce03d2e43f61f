"""docs/tour.ipynb runs from its first cell to its last, on a CPU, with what is in the repository."""

import json

import pytest

from tests.builders import ROOT
from tests.notebooks import code_cells, run

TOUR = ROOT / "docs/tour.ipynb"


@pytest.mark.long
def test_the_tour_runs(monkeypatch):
    monkeypatch.chdir(ROOT / "docs")  # where a notebook's kernel is started
    names, printed = run(TOUR)
    episodes, js = names["response"].episodes, names["js"]
    assert len(js) == len(episodes) >= 1
    assert all(0 <= j <= 1 for j in js)
    assert names["total"] == pytest.approx(js[-1] - names["j_before"])
    assert names["row"].sum() == pytest.approx(names["grade"].score + names["total"], abs=1e-6)
    assert sum(map(bool, printed)) == len(printed) - 1  # the engine's cell alone says nothing


def test_the_tour_can_be_read_without_running_it():
    """`python -m tests.notebooks docs/tour.ipynb` stores what its cells print."""
    notebook = json.loads(TOUR.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    cells = code_cells(TOUR)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(cell["outputs"]) for cell in cells) == len(cells) - 1

"""The look of all plots; colours are Okabe and Ito's, which colour-blind readers tell apart, and markers differ too."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BAND = 0.15
"""Opacity of 95 % bands."""


def looks(count: int) -> list[tuple[str, str]]:
    """(colour, marker) of each of `count` models; colours repeat with other markers."""
    colours = islice(cycle(COLOURS), count)
    markers = (MARKERS[(index + index // len(COLOURS)) % len(MARKERS)] for index in range(count))
    return list(zip(colours, markers, strict=True))


@contextmanager
def figure(path: Path, *, width: float = 6.4, height: float = 4.4, rows: int = 1, columns: int = 1) -> Iterator[Any]:
    """(figure, axes) of a plot that is written to `path` when the block ends."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawing)  # no window, whatever the machine has
    axes = drawing.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25, linewidth=0.6)
        axis.tick_params(labelsize=10)
    yield drawing, axes
    partial = path.with_name(path.name + ".partial")
    drawing.savefig(partial, dpi=150, format="png")
    partial.replace(path)

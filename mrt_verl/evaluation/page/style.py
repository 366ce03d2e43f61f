"""The look of all plots; colours are Okabe and Ito's, which colour-blind readers tell apart, and markers differ too.

Every plot is written twice: as PNG, and as an SVG for the page, with the reader's own font and colours for dark mode.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from mrt_verl.whole import whole_file

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BAND = 0.15
"""Opacity of 95 % bands."""
INK, FAINT = "#1b1b1b", "#dcdcdd"
"""Of text and axes, and of the grid."""
DARK = {INK: "#e4e6e9", FAINT: "#3a3f47", "#0072b2": "#4aa8e0", "#d55e00": "#f08a4b", "#000000": "#ffffff"}
"""What a page in dark mode has instead."""
FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
"""As in page.html."""
WIDTH = 4.8
"""Inches; so narrow that letters stay readable where a phone shows the picture in its own width."""


def looks(count: int) -> list[tuple[str, str]]:
    """(colour, marker) of each of `count` models; colours repeat with other markers."""
    colours = islice(cycle(COLOURS), count)
    markers = (MARKERS[(index + index // len(COLOURS)) % len(MARKERS)] for index in range(count))
    return list(zip(colours, markers, strict=True))


@contextmanager
def figure(path: Path, *, width: float = WIDTH, height: float = 3.9) -> Iterator[Any]:
    """(figure, axis) of a plot that is written to `path`, a PNG, and beside it as SVG when the block ends."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colours: dict[Any, Any] = {
        key: INK for key in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    }
    with rc_context(
        {**colours, "font.size": 11, "grid.color": FAINT, "svg.fonttype": "none", "svg.hashsalt": path.name}
    ):
        drawing = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(drawing)  # no window, whatever the machine has
        axis = drawing.subplots()
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(linewidth=0.6)
        axis.set_axisbelow(True)
        yield drawing, axis
        for suffix, options in ((".png", {"dpi": 200}), (".svg", {"transparent": True, "metadata": {"Date": None}})):
            with whole_file(path.with_suffix(suffix)) as partial:
                drawing.savefig(partial, format=suffix[1:], **options)
                if suffix == ".svg":
                    partial.write_text(themed(partial.read_text(encoding="utf-8")), encoding="utf-8")


def themed(svg: str) -> str:
    """The picture with the reader's font, and with other colours where the reader has chosen a dark mode."""
    # matplotlib writes a font's name with each text, in the shorthand or by itself
    svg = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    dark = "".join(
        f'[style*="{kind}: {light}"]{{{kind}:{other} !important}}'
        for light, other in DARK.items()
        for kind in ("fill", "stroke")
    )
    style = f"<style>text{{font-family:{FONT}}}@media (prefers-color-scheme: dark){{{dark}}}</style>"
    return re.sub(r"(<svg\b[^>]*>)", lambda found: found.group(1) + style, svg, count=1)

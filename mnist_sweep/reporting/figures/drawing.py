"""Plots drawn by Matplotlib: one style, colours that colour-blind readers tell apart."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from mnist_sweep.reporting.figures.plot import COLOURS, MARKERS, Axis, Plot, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE = COLOURS[:2]
_COLUMNS = 4
_LINES = {"points": "", "dashed": "--"}
PNG_DPI = 130
# What SVG's own unit is, a point.
SVG_DPI = 72
_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.constrained_layout.use": True,
    # A setting's text must never become a formula.
    "text.parse_math": False,
    "text.usetex": False,
    # Text stays text: smaller, searchable, and quick to write.
    "svg.fonttype": "none",
    "image.composite_image": False,
    # The same records give the same bytes.
    "svg.hashsalt": "mnist-sweep",
}


@contextmanager
def styled() -> Iterator[None]:
    """The settings under which figures are drawn and written; Matplotlib's own stay untouched."""
    from matplotlib import rc_context, rcdefaults, rcParams

    with rc_context(), warnings.catch_warnings():
        rcdefaults()  # not the user's: LaTeX may be asked for where there is none
        rcParams.update(_SETTINGS)
        # A name may hold characters that the font lacks; they are shown as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def draw(plot: Plot, title: str) -> Figure:
    """A plot as a figure with this title."""
    columns = min(len(plot.x), _COLUMNS)
    rows = -(-len(plot.x) // columns)
    names = {one.name for one in plot.series if one.name}
    width = (5.0 if columns < 3 else 2.9) * columns
    if plot.labels:
        width = max(8.0, 1.5 * len(plot.x[0].ticks))
    figure = new(width, 0.6 + rows * plot.height / 90 + 0.17 * -(-len(names) // 2), title)
    is_shared = len(plot.y) < len(plot.x)
    panels = figure.subplots(rows, columns, sharey=is_shared, squeeze=False).flat
    for place, axes in enumerate(panels):
        if place >= len(plot.x):
            axes.set_visible(False)
            continue
        for one in plot.series:
            if one.panel == place:
                _draw_series(axes, one)
        _set_up(axes, "x", plot.x[place])
        if not is_shared or place % columns == 0:
            _set_up(axes, "y", plot.y[0 if is_shared else place])
    for x, y, text in plot.labels:
        panels[0].axvline(x, color="#555555", linewidth=0.5)
        box = {"facecolor": "white", "alpha": 0.75, "pad": 0.8, "linewidth": 0}
        panels[0].text(x, y, f" {text}", fontsize=7.5, va="center", bbox=box)
    if plot.labels:
        panels[0].set_yticks([])
        bare(panels[0])
    if names:
        handles, labels = panels[0].get_legend_handles_labels()
        by_label = dict(zip(labels, handles, strict=True))
        figure.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=2)
    return figure


def _draw_series(axes: Axes, one: Series) -> None:
    from matplotlib import colormaps

    colour: Any = COLOURS[one.look % len(COLOURS)]
    if one.shade is not None:
        colour = colormaps["viridis_r"](0.1 + 0.9 * one.shade)
    marker = [*MARKERS.values()][one.look % len(MARKERS)] if one.kind in ("points", "both") else ""
    axes.plot(
        [point.x for point in one.points], [point.y for point in one.points],
        linestyle=_LINES.get(one.kind, "-"), marker=marker, markersize=one.size * 0.7,
        color=colour, alpha=one.opacity, linewidth=1.4, markeredgewidth=0,
        label=one.name if one.kind != "dashed" and one.name else "_",
        # Of two lines through one place the better one is seen.
        zorder=2.5 + (one.shade or 0.0),
    )  # fmt: skip


def _set_up(axes: Axes, side: Literal["x", "y"], axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    own = axes.xaxis if side == "x" else axes.yaxis
    own.set_label_text(axis.title)
    if axis.is_log:
        axes.set(**{f"{side}scale": "log"})
        own.set_major_formatter(lambda value, _: f"{value:g}")  # its own are formulas
    elif axis.ticks:
        texts = [wrapped(text, 38 if side == "y" else 20) for _, text in axis.ticks]
        own.set_ticks([place for place, _ in axis.ticks], texts)
        if side == "x" and 2 < len(texts) < 30 and max(map(len, texts)) > 5:
            axes.tick_params(axis="x", rotation=30)
    elif axis.is_whole:
        own.set_major_locator(MaxNLocator("auto", integer=True))
        own.set_major_formatter(lambda value, _: f"{value:,.0f}")
    if axis.limits is not None:
        axes.set(**{f"{side}lim": axis.limits})


def new(width: float, height: float, title: str = "") -> Figure:
    """An empty figure of `width` by `height` inches with a wrapped title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    if title:
        figure.suptitle(wrapped(title, int(width * 11)), fontsize=11)
    return figure


def wrapped(text: str, width: int) -> str:
    """`text` in lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text, max(width, 20))) or text


def bare(axes: Axes) -> None:
    """Without grid, ticks and frame."""
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def in_cell(axes: Axes, column: float, row: float, text: str, **properties: Any) -> None:
    """Write into a cell of a matrix."""
    # What is inside of the axes takes no room from around them, so the layout need not measure it:
    # of a confusion matrix's hundred texts that is a third of the time it takes.
    axes.text(column, row, text, ha="center", **properties).set_in_layout(False)


def rendered(figure: Figure, file_format: Literal["png", "svg"]) -> bytes:
    """The figure as PNG or SVG bytes, without a date: the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    engine = figure.get_layout_engine()
    if engine is not None:  # worked out once: each format would do it again
        engine.execute(figure)
        figure.set_layout_engine("none")
    stream = BytesIO()
    # Not by `savefig`, which draws everything twice.
    if file_format == "png":
        figure.dpi = PNG_DPI
        pillow = {"compress_level": 3}
        canvas: Any = FigureCanvasAgg(figure)  # without types
        canvas.print_png(stream, metadata={"Software": None}, pil_kwargs=pillow)
    else:
        figure.dpi = SVG_DPI
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(stream, metadata={"Date": None})
    return stream.getvalue()

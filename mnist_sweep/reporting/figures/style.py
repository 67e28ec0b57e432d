"""How figures look: colours that colour-blind readers tell apart, and shapes for prints in grey."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from mnist_sweep.metrics import Format, Metric
from mnist_sweep.reporting.numbers import UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B6B6B")
"""Okabe and Ito's palette (jfly.uni-koeln.de/color) without its yellow, too pale on white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h")
ERRORS, RIGHT, GAIN = "#D55E00", "#0072B2", "#0072B2"
"""Hues of confusions, of right answers, and of what one network does more often than another."""

_DPI = 144
_WRAP = 88
_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
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
    # Text stays text: smaller, searchable, and quick to write.
    "svg.fonttype": "none",
    "image.composite_image": False,
    # The same records give the same bytes.
    "svg.hashsalt": "mnist-sweep",
}


def colour(index: int) -> str:
    """The colour of the `index`-th configuration; they repeat, with another marker and dash."""
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    """The marker of the `index`-th configuration, for whoever cannot tell the colours apart."""
    return MARKERS[index % len(MARKERS)]


@contextmanager
def styled() -> Iterator[None]:
    """The settings under which figures are drawn and written; Matplotlib's own stay untouched."""
    from matplotlib import rc_context

    with rc_context(_SETTINGS), warnings.catch_warnings():
        # A name may hold characters that the font lacks; they are shown as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def new(width: float, height: float, title: str = "") -> Figure:
    """An empty figure of `width` by `height` inches with a wrapped title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    if title:
        figure.suptitle(wrapped(title, int(width * 11)), fontsize=11)
    return figure


def wrapped(text: str, width: int = _WRAP) -> str:
    """`text` in lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text, max(width, 20))) or text


def axis_title(metric: Metric) -> str:
    """A metric as the title of an axis: 'Test accuracy [%]', 'Training time [s]'."""
    title, unit = metric.definition.title, UNITS.get(metric.format, "")
    if metric.split:
        own = title if title.isupper() else title[0].lower() + title[1:]
        title = f"{metric.split.capitalize()} {own}"
    return f"{title} [{unit}]" if unit else title


def on_axis(metric: Metric) -> float:
    """What a metric's values are multiplied by to be in the unit of `axis_title`."""
    return 100.0 if metric.format is Format.PERCENT else 1.0


def in_cell(axes: Axes, column: float, row: float, text: str, **properties: Any) -> None:
    """Write into a cell of a matrix.

    What is inside of the axes takes no room from around them, so the layout need not measure it:
    of a confusion matrix's hundred texts that is a third of the time it takes.
    """
    axes.text(column, row, text, ha="center", **properties).set_in_layout(False)


def rendered(figure: Figure, file_format: Literal["png", "svg"]) -> bytes:
    """The figure as PNG or SVG bytes, without a date: the same figure gives the same bytes.

    The layout is worked out once and the canvas asked directly: `savefig` would lay out and draw
    everything twice for each format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    stream = BytesIO()
    if file_format == "svg":
        svg: Any = FigureCanvasSVG(figure)
        svg.print_svg(stream, metadata={"Date": None})
    else:
        figure.set_dpi(_DPI)
        agg: Any = FigureCanvasAgg(figure)
        agg.print_png(stream, metadata={"Software": None}, pil_kwargs={"compress_level": 3})
        figure.set_dpi(100)
    return stream.getvalue()

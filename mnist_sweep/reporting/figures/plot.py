"""What a plot shows, as plain values: one description, drawn by Matplotlib and by Plotly.

`drawing.draw` makes the files of `figures/` of it, `html.plotly.figure` the plot of the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mnist_sweep.analysis.importance import is_wide
from mnist_sweep.metrics import Format, Metric
from mnist_sweep.reporting.numbers import UNITS
from mnist_sweep.reporting.phrases.report import PLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B6B6B")
"""Okabe and Ito's palette (jfly.uni-koeln.de/color) without its yellow, too pale on white."""
MARKERS = (
    ("o", "circle"), ("s", "square"), ("^", "triangle-up"), ("D", "diamond"),
    ("v", "triangle-down"), ("P", "cross"), ("X", "x"), ("*", "star"), ("<", "triangle-left"),
    (">", "triangle-right"), ("h", "hexagon"),
)  # fmt: skip
"""Matplotlib's and Plotly's names of one marker each, for whoever cannot tell colours apart."""
MAX_NAMED = 12
"""More configurations than this are dots alike, without a legend."""


@dataclass(frozen=True)
class Axis:
    """An axis: its title, its scale, and its ticks where they are not chosen by the drawer."""

    title: str = ""
    is_log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    limits: tuple[float, float] | None = None
    is_whole: bool = False


@dataclass(frozen=True)
class Series:
    """Points, joined or not.

    Attributes:
        x: (n,); NaN is a gap.
        y: (n,).
        hover: What is said of each point, (n,).
        of: The place of the configuration that each point belongs to, (n,): for filters.
        panel: In which panel it is drawn.
        name: In the legend; empty for none. Series of one name are switched on and off together.
        look: Place in `COLOURS` and `MARKERS`.
        kind: Points alone, a line, a dashed line, or a line with points.
        shade: 0 to 1 instead of a colour of its own: how strong the one colour is.
        size: Of the points, in pixels.
        opacity: 0 to 1.
        ends: Both ends of a horizontal bar through each point.
    """

    x: Sequence[float]
    y: Sequence[float]
    hover: Sequence[str] = ()
    of: Sequence[int] = ()
    panel: int = 0
    name: str = ""
    look: int = 0
    kind: Literal["points", "line", "dashed", "both"] = "points"
    shade: float | None = None
    size: float = 8
    opacity: float = 1.0
    ends: tuple[Sequence[float], Sequence[float]] | None = None


@dataclass(frozen=True)
class Plot:
    """A plot of one or several panels beside each other.

    Attributes:
        name: Of its files, and its id in the page.
        panels: The x and the y axis of each.
        series: What is drawn.
        part: Which part of all configurations is shown, in words; empty for all.
        by: The metric that it is about, for its caption.
        height: Of a panel, in pixels.
        labels: Texts at points of the first panel: (x, y, text).
        has_one_y: Whether the panels share their y axis.
        is_wide: Whether it needs room for many columns even on a small screen.
    """

    name: str
    panels: tuple[tuple[Axis, Axis], ...]
    series: tuple[Series, ...]
    part: str = ""
    by: str = ""
    height: int = 340
    labels: tuple[tuple[float, float, str], ...] = ()
    has_one_y: bool = False
    is_wide: bool = False

    @property
    def title(self) -> str:
        """For people."""
        return PLOTS[self.name][0] + (f": {self.part}" if self.part else "")

    @property
    def caption(self) -> str:
        """What it shows, in a sentence."""
        return PLOTS[self.name][1].format(by=self.by)


def axis_title(metric: Metric) -> str:
    """A metric as the title of an axis: 'Test accuracy [%]', 'Training time [s]'."""
    title, unit = metric.definition.title, UNITS.get(metric.format, "")
    if metric.split:
        own = title if title.isupper() else title[0].lower() + title[1:]
        title = f"{metric.split.capitalize()} {own}"
    return f"{title} [{unit}]" if unit else title


def on_axis(metric: Metric, values: Iterable[float | None]) -> list[float]:
    """A metric's values in the unit of `axis_title`; NaN where there is none."""
    factor = 100.0 if metric.format is Format.PERCENT else 1.0
    return [math.nan if value is None else factor * value for value in values]


def spans_widely(values: Iterable[float]) -> bool:
    """Whether the positive ones among some values belong on a logarithmic scale."""
    return is_wide([value for value in values if math.isfinite(value) and value > 0])


def beside(count: int) -> list[float]:
    """Offsets that keep dots of one value from hiding each other, within 0.18 either way."""
    return [0.36 * place / (count - 1) - 0.18 for place in range(count)] if count > 1 else [0.0]

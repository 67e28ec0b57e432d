"""What a plot shows, as plain values: one description, drawn by Matplotlib and in the page.

`drawing.draw` makes the files of `figures/` of it, `html/static/plots.js` gives it to Plotly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.analysis.importance import is_wide
from mnist_sweep.metrics import Format, Metric
from mnist_sweep.reporting.numbers import UNITS
from mnist_sweep.reporting.phrases.report import PLOTS

# Okabe and Ito's palette (jfly.uni-koeln.de/color) without its yellow, too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B6B6B")
# Plotly's name of a marker -> Matplotlib's, for whoever cannot tell colours apart.
MARKERS = {
    "circle": "o", "square": "s", "triangle-up": "^", "diamond": "D", "triangle-down": "v",
    "cross": "P", "x": "X", "star": "*", "triangle-left": "<", "triangle-right": ">",
    "hexagon": "h",
}  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """An axis: its title, its scale, and its ticks where they are not chosen by the drawer."""

    title: str = ""
    is_log: bool = False
    ticks: Sequence[tuple[float, str]] = ()
    limits: tuple[float, float] | None = None
    is_whole: bool = False


class Point(NamedTuple):
    """A point, what is said of it, and the place of its configuration; NaN is a gap in a line."""

    x: float
    y: float
    hover: str = ""
    of: int | None = None


GAP = Point(math.nan, math.nan)
Kind = Literal["points", "line", "dashed", "both"]


@dataclass(frozen=True)
class Series:
    """Points, joined or not."""

    points: Sequence[Point]
    panel: int = 0
    # In the legend; empty for none. Series of one name are switched on and off together.
    name: str = ""
    # Place in `COLOURS` and `MARKERS`.
    look: int = 0
    # Points alone, a line, a dashed line, or a line with points: `both`.
    kind: Kind = "points"
    # 0 to 1 instead of a colour of its own: how strong the one colour is.
    shade: float | None = None
    size: float = 8
    opacity: float = 1.0


@dataclass(frozen=True)
class Plot:
    """A plot of one or several panels beside each other."""

    # Of its files, and its id in the page.
    name: str
    x: Sequence[Axis]
    # The y axis of each panel, or the one that all share.
    y: Sequence[Axis]
    series: Sequence[Series]
    # Which part of all configurations is shown, in words; empty for all.
    part: str = ""
    by: str = ""
    # Of a panel, in pixels.
    height: int = 340
    # Texts at the vertical axes of parallel coordinates: (x, y, text).
    labels: Sequence[tuple[float, float, str]] = ()

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


def means(shown: Sequence[Configuration], metric: Metric) -> list[float]:
    """The mean of each configuration in the unit of `axis_title`; NaN where there is none."""
    return on_axis(metric, (one.mean(metric.column) for one in shown))


def known(shown: Sequence[Configuration], metrics: Iterable[Metric]) -> list[Metric]:
    """Those of some metrics that any configuration has."""
    return [m for m in metrics if any(one.mean(m.column) is not None for one in shown)]


def spans_widely(values: Iterable[float]) -> bool:
    """Whether the positive ones among some values belong on a logarithmic scale."""
    return is_wide([value for value in values if math.isfinite(value) and value > 0])


def beside(count: int) -> list[float]:
    """Offsets that keep dots of one value from hiding each other, within 0.18 either way."""
    return [0.36 * place / (count - 1) - 0.18 for place in range(count)] if count > 1 else [0.0]

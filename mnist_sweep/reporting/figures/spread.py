"""How far repeats with other seeds lie apart: every run a dot, by configuration."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from mnist_sweep.analysis.configurations import Configuration, extremes, has_repeats
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.reporting.figures.plot import Axis, Plot, Series, axis_title, beside, on_axis
from mnist_sweep.reporting.phrases.names import extent

MAX_ROWS = 30
_METRICS = (resolve("test.accuracy"), resolve("test.f1_min"))


def spread(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """A row per configuration, with its runs and their mean; None without repeats."""
    metrics = [one for one in _METRICS if any(c.mean(one.column) is not None for c in shown)]
    if not has_repeats(shown):
        return None
    rows = extremes(shown, MAX_ROWS, by)
    names = tuple((float(-k), one.name) for k, one in enumerate(rows))
    series, panels = [], []
    places = {id(one): place for place, one in enumerate(shown)}
    for panel, metric in enumerate(metrics or [by]):
        title = axis_title(metric)
        means = []
        for row, one in enumerate(rows):
            x = on_axis(metric, one.values(metric.column))
            y = [offset - row for offset in beside(len(x))]
            hover = [f"{one.name}\n{title}: {value:.4g}" for value in x]
            place = [places[id(one)]] * len(x)
            series.append(Series(x, y, hover, place, panel, opacity=0.7, size=7))
            means.append(fmean(x) if x else float("nan"))
        hover = [f"mean {value:.4g}" for value in means]
        series.append(Series(means, [y for y, _ in names], hover, panel=panel, look=1, size=9))
        axis = Axis(ticks=names, limits=(0.5 - len(rows), 0.5))
        panels.append((Axis(title), axis))
    return Plot(
        "spread", tuple(panels), tuple(series), extent(rows, shown, by),
        height=110 + 30 * len(rows), has_one_y=True,
    )  # fmt: skip

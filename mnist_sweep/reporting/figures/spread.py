"""What repeats with other seeds spread over: every run a dot, by configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.metrics import resolve
from mnist_sweep.reporting.figures import style
from mnist_sweep.reporting.figures.effects import spread as offsets

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

METRICS = (resolve("test.accuracy"), resolve("test.f1_min"))


@dataclass(frozen=True)
class Spread:
    """The runs of each configuration.

    Attributes:
        names: The configurations'.
        runs: Metric (`test.accuracy`, `test.f1_min`) -> per configuration (n_runs,) float64.
    """

    names: tuple[str, ...]
    runs: dict[str, tuple[NDArray[np.float64], ...]]


def spread_of(shown: Sequence[Configuration]) -> Spread:
    """The metrics of every run, by configuration."""
    runs = {
        metric.column: tuple(np.array(c.values(metric.column), dtype=np.float64) for c in shown)
        for metric in METRICS
    }
    return Spread(tuple(c.name for c in shown), runs)


def draw(spread: Spread, title: str) -> Figure:
    """One row per configuration: dots are runs, the bar is their mean."""
    figure = style.new(10, 1.9 + 0.42 * len(spread.names), title)
    sides = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(sides, METRICS, strict=True):
        factor = style.on_axis(metric)
        for row, runs in enumerate(spread.runs[metric.column]):
            axes.scatter(factor * runs, row + offsets(runs.size), s=22, color=style.COLOURS[0],
                         alpha=0.75, linewidths=0, zorder=3)  # fmt: skip
            if runs.size:
                mean = factor * runs.mean()
                axes.plot([mean, mean], [row - 0.32, row + 0.32], color=style.ERRORS, linewidth=2)
        axes.set_xlabel(style.axis_title(metric))
    sides[0].set_yticks(range(len(spread.names)), [style.wrapped(n, 38) for n in spread.names])
    sides[0].invert_yaxis()
    return figure

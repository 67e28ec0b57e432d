"""Accuracy against what it costs: training time and number of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.metrics import Format, resolve
from mnist_sweep.reporting.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

ACCURACY = resolve("test.accuracy")
COSTS = (resolve("time.train_s"), resolve("parameters"))
MAX_NAMED = 12
"""With more configurations than this there is no legend."""


@dataclass(frozen=True)
class Cost:
    """One point per configuration, means over its runs; NaN where a record has no such value.

    Attributes:
        names: The configurations', (n,).
        accuracy: On the test split, as a share, (n,) float64.
        costs: Column of the runs table (`time.train_s`, `parameters`) -> (n,) float64.
    """

    names: tuple[str, ...]
    accuracy: NDArray[np.float64]
    costs: dict[str, NDArray[np.float64]]


def cost_of(shown: Sequence[Configuration]) -> Cost:
    """Accuracy and costs of each configuration."""
    return Cost(
        tuple(c.name for c in shown),
        _column(shown, ACCURACY.column),
        {one.column: _column(shown, one.column) for one in COSTS},
    )


def draw(cost: Cost, title: str) -> Figure:
    """Test accuracy against training time on the left, against parameters on the right."""
    named = len(cost.names) <= MAX_NAMED
    figure = style.new(10, 4.6 + (0.13 * len(cost.names) if named else 0), title)
    sides = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(sides, COSTS, strict=True):
        x, y = cost.costs[metric.column], 100 * cost.accuracy
        if named:
            for index, name in enumerate(cost.names):
                axes.scatter(x[index], y[index], s=52, color=style.colour(index),
                             marker=style.marker(index), label=name, zorder=3)  # fmt: skip
        else:
            axes.scatter(x, y, s=16, color=style.COLOURS[0], alpha=0.6, linewidths=0)
        known = x[np.isfinite(x) & (x > 0)]
        if known.size and known.max() > 20 * known.min():
            axes.set_xscale("log")
        elif metric.format is Format.COUNT:
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel(style.axis_title(metric))
    sides[0].set_ylabel(style.axis_title(ACCURACY))
    if named:
        handles, labels = sides[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _column(shown: Sequence[Configuration], name: str) -> NDArray[np.float64]:
    return np.array([c.mean(name) for c in shown], dtype=np.float64)

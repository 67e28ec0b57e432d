"""F1 by digit and configuration, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.reporting.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True)
class F1ByDigit:
    """F1 of each class, mean over a configuration's runs.

    Attributes:
        f1: (n_configurations, n_classes) float64; NaN for a class that a configuration has not.
        names: The configurations', (n_configurations,).
        labels: The classes, (n_classes,).
        split: The split.
    """

    f1: NDArray[np.float64]
    names: tuple[str, ...]
    labels: tuple[int, ...]
    split: str


def f1_by_digit_of(shown: Sequence[Configuration], split: str = "test") -> F1ByDigit:
    """F1 of each class of each configuration."""
    classes = max((record.data.classes for c in shown for record in c.records), default=0)
    means = [[c.mean(f"{split}.f1.{label}") for label in range(classes)] for c in shown]
    values = np.array(means, dtype=np.float64).reshape(len(shown), classes)
    return F1ByDigit(values, tuple(c.name for c in shown), tuple(range(classes)), split)


def draw(heat: F1ByDigit, title: str) -> Figure:
    """The heat map: one row per configuration, one column per digit, the value in each cell."""
    rows, columns = heat.f1.shape
    figure = style.new(max(8.0, 0.62 * columns + 3.2), 1.9 + 0.42 * rows, title)
    axes = figure.add_subplot()
    low, high = float(np.nanmin(heat.f1)), float(np.nanmax(heat.f1))
    picture = axes.imshow(heat.f1, cmap="cividis", vmin=low, vmax=max(high, low + 1e-9),
                          aspect="auto")  # fmt: skip
    axes.set_xticks(range(columns), [str(label) for label in heat.labels])
    axes.set_yticks(range(rows), [style.wrapped(name, 38) for name in heat.names])
    axes.set_xlabel("Digit")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    if columns <= 30:
        middle = (low + high) / 2
        for (row, column), value in np.ndenumerate(heat.f1):
            if np.isfinite(value):
                style.in_cell(axes, column, row, f"{value:.3f}", va="center", fontsize=8,
                              color="white" if value < middle else "black")  # fmt: skip
    bar = figure.colorbar(picture, ax=axes, pad=0.02)
    bar.set_label(f"F1, {heat.split} split")
    return figure
